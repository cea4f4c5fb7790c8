"""Outcomes that are known: ratings and clicks."""

from dataclasses import replace

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.measure.examples import click_examples, rated_events, rating_examples
from plait.measure.splits import DAY
from tests.measure.worlds import random_rows, world


def rated(rows, **more):
    """A world in which item number i is rated i % 5 + 1."""
    data = world(rows, **more)
    values = (data.interactions.items % 5 + 1).astype(np.float32)
    return replace(data, interactions=replace(data.interactions, values=values))


DATA = rated(random_rows(users=40, events=800))


@pytest.mark.parametrize("draw", ["random", "last"])
def test_train_and_test_share_nothing_and_lack_nothing(draw):
    found = rating_examples(DATA, share=0.25, draw=draw, seed=1)
    assert len(found) == 200 == found.taken
    assert len(found.train.interactions) == 600
    kept = set(found.train.interactions.offsets.tolist())
    held = [one for one in range(800) if one not in kept]
    assert sorted(DATA.interactions.items[np.isin(DATA.interactions.offsets, held)].tolist()) == (
        sorted(found.numbers.values.tolist())
    )
    if draw == "last":
        assert found.train.interactions.times.max() <= found.queries.times.min()


def test_outcomes_stay_with_their_items():
    found = rating_examples(DATA, share=0.3)
    assert (found.outcomes == found.numbers.values % 5 + 1).all()
    assert (found.users == found.queries.users[found.numbers.rows]).all()


def test_histories_hold_train_alone():
    found = rating_examples(DATA, share=0.3, draw="random")
    for row, user in enumerate(found.queries.users):
        low, high = found.queries.history.offsets[row : row + 2]
        train = found.train.interactions
        assert found.queries.history.items[low:high].tolist() == (
            train.items[train.users == user].tolist()
        )


def test_a_given_test_is_taken_out_of_train():
    test = DATA.keep(np.arange(800) % 8 == 0)
    found = rating_examples(DATA, test=test)
    pairs = set(
        zip(test.interactions.users.tolist(), test.interactions.items.tolist(), strict=True)
    )
    train = found.train.interactions
    assert not pairs & set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    assert len(found) == 100


def test_ratings_of_unknown_users_and_items_are_asked_all_the_same():
    strange = DATA.keep(np.arange(800) < 4).interactions
    strange = replace(
        strange, users=np.array([-1, -1, 2, 3], "i4"), items=np.array([4, 5, -1, 0], "i4")
    )
    found = rating_examples(DATA, test=replace(DATA, interactions=strange))
    assert len(found) == 4
    assert found.taken == int(
        ((DATA.interactions.users == 3) & (DATA.interactions.items == 0)).sum()
    )


def test_no_rating_is_refused():
    with pytest.raises(ProtocolError, match="no rating"):
        rating_examples(world(random_rows()))
    assert not rated_events(world(random_rows()), ()).any()


def shown(rows):
    """A world of clicks and impressions."""
    return world(rows)


CLICKS = [
    (f"u{number % 7}", f"i{number % 5}", number / 10, "click" if number % 3 else "shown")
    for number in range(300)
]


def test_clicks_and_misses_behind_the_cut():
    data = shown(CLICKS)
    found = click_examples(data, 20 * DAY, goal=("click",), negative=("shown",))
    late = [row for row in CLICKS if row[2] > 20]
    assert len(found) == len(late)
    assert found.outcomes.sum() == sum(row[3] == "click" for row in late)
    assert found.train.interactions.times.max() <= 20 * DAY
    kinds = {data.kinds[kind] for kind in found.train.interactions.kinds}
    assert kinds == {"click"}


def test_the_history_of_a_click_ends_before_it():
    found = click_examples(shown(CLICKS), 20 * DAY, goal=("click",), negative=("shown",))
    history = found.queries.history
    assert history.lengths.min() > 0
    assert (history.times < found.queries.times[history.rows]).all()
    late = history.times > 20 * DAY
    assert late.any()  # what happened since the cut is known, as it would be live


def test_a_value_of_zero_is_a_miss():
    data = world([row[:3] for row in CLICKS])
    values = (np.arange(300) % 4 > 0).astype(np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    found = click_examples(data, 20 * DAY, goal=(), negative=())
    late = data.interactions.times > 20 * DAY
    assert found.outcomes.sum() == values[late].sum()
    assert (found.train.interactions.values != 0).all()


def test_clicks_without_misses_are_refused():
    with pytest.raises(ProtocolError, match="0 misses"):
        click_examples(world(CLICKS), 20 * DAY, goal=(), negative=())
