"""What answers showed, and what of it was taken."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.splitting.impressions import ANSWERS, OTHER, PATIENCE, ImpressionItems, with_impressions
from plait.splitting.labelled_examples import click_examples
from plait.splitting.splits import DAY
from tests.dataset_fixtures import world

HOUR = DAY // 24


def showings(answers, naming=()):
    """Of answers (user, time in microseconds, items); `naming`: (offset of an event, answer)."""
    rows = [(number, *one[:2], item) for number, one in enumerate(answers) for item in one[2]]
    which, users, times, items = np.array(rows, np.int64).reshape(-1, 4).T
    naming, named = np.array(sorted(naming), np.int64).reshape(-1, 2).T
    numbers = (users.astype(np.int32), items.astype(np.int32))
    return ImpressionItems(which, *numbers, times, np.zeros(len(rows), np.int64), naming, named)


def outcomes(dataset):
    """(user, item, time, seconds until taken or None) of everything shown."""
    found = dataset.interactions
    found = found.take(found.event_types == dataset.event_types.index(ANSWERS))
    seconds = [None if np.isnan(one) else float(one) for one in found.values]
    return sorted(
        zip(found.users.tolist(), found.items.tolist(), found.times.tolist(), seconds, strict=True),
        key=lambda one: one[:3],
    )


def by_hand(events, answers, naming):
    """The same for `events` (user, item, time in microseconds), event by event."""
    taken = {}
    for offset, (user, item, time) in enumerate(events):
        if offset in naming:
            fits = [naming[offset]] if naming[offset] != OTHER else []
            fits = [one for one in fits if item in answers[one][2]]
        else:
            before = [
                (one[1], number)
                for number, one in enumerate(answers)
                if one[0] == user and item in one[2] and 0 <= time - one[1] <= PATIENCE
            ]
            fits = [max(before)[1]] if before else []
        for one in fits:
            key = (one, item)
            taken[key] = min(taken.get(key, time), time)
    found = []
    for number, (user, given_at, items) in enumerate(answers):
        named = [time for offset, (_, _, time) in enumerate(events) if naming.get(offset) == number]
        start = min([given_at, *named])
        if start <= max(one[2] for one in events):
            for item in items:
                end = taken.get((number, item))
                found.append((user, item, start, None if end is None else (end - start) / 1e6))
    return sorted(found, key=lambda one: one[:3])


TIME = st.integers(0, 60).map(lambda one: one * HOUR)
PERSON, THING = st.integers(0, 2), st.integers(0, 3)


@given(st.data())
def test_what_is_taken_is_found_as_by_hand(data):
    events = data.draw(st.lists(st.tuples(PERSON, THING, TIME), min_size=1, max_size=12))
    lists = st.lists(THING, unique=True, max_size=4)
    answers = data.draw(st.lists(st.tuples(PERSON, TIME, lists), max_size=6))
    answers = [(user, time + place, items) for place, (user, time, items) in enumerate(answers)]
    some = st.integers(OTHER, len(answers) - 1)
    naming = data.draw(st.dictionaries(st.integers(0, len(events) - 1), some))
    rows = [(f"u{user}", f"i{item}", time / DAY) for user, item, time in events]
    dataset = world(rows, users=["u0", "u1", "u2"], items=["i0", "i1", "i2", "i3"])
    found = with_impressions(dataset, showings(answers, naming.items()), ("purchase",))
    expected = by_hand(events, answers, naming)
    assert [one[:3] for one in outcomes(found)] == [one[:3] for one in expected]
    for one, other in zip(outcomes(found), expected, strict=True):
        assert (one[3] is None) == (other[3] is None)
        assert one[3] is None or other[3] * (1 - 1e-6) <= one[3] <= other[3]
    rows = found.interactions
    order = np.lexsort((rows.offsets, rows.times, rows.users))
    np.testing.assert_array_equal(order, np.arange(len(rows)))
    kept = found.keep(rows.event_types != found.event_types.index(ANSWERS)).interactions
    np.testing.assert_array_equal(kept.offsets, dataset.interactions.offsets)


def test_only_goal_events_with_a_worth_take():
    rows = [("u0", "i0", 1.0, "look"), ("u0", "i1", 1.0, "buy"), ("u0", "i2", 1.0, "buy")]
    data = world(rows, items=["i0", "i1", "i2"])
    values = np.array([np.nan, 0, np.nan], np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    shown = showings([(0, DAY - HOUR, [0, 1, 2])], [(0, 0), (1, 0), (2, 0)])
    found = outcomes(with_impressions(data, shown, ("buy",)))
    assert [one[3] is not None for one in found] == [False, False, True]


def examples(rows, answers, naming=(), cut=0, until=None):
    data = with_impressions(world(rows), showings(answers, naming), ("purchase",))
    return click_examples(data, cut, until, goal=("purchase",), negative=(ANSWERS,))


ROWS = [("u0", "i0", 1.0), ("u0", "i1", 2.0), ("u0", "i2", 2.5), ("u0", "i0", 9.0)]


def test_what_was_shown_is_asked_at_its_moment_and_nothing_else_is():
    found = examples(ROWS, [(0, 2 * DAY - HOUR, [1, 2]), (0, 8 * DAY, [2])], cut=DAY)
    assert found.numbers.values.tolist() == [1, 2, 2]
    assert found.outcomes.tolist() == [1, 1, 0]
    assert found.queries.times.tolist() == [2 * DAY - HOUR, 8 * DAY]
    history = found.queries.history
    assert [history.slice(row, row + 1).items.tolist() for row in (0, 1)] == [[0], [0, 1, 2]]
    assert [found.train.event_types[one] for one in found.train.interactions.event_types] == [
        "purchase"
    ]


def test_a_clock_that_runs_behind_puts_nothing_asked_for_into_the_history():
    found = examples(ROWS, [(0, 3 * DAY, [1, 0])], [(1, 0)], cut=DAY)
    assert found.outcomes.tolist() == [1, 0]
    assert found.queries.times.tolist() == [2 * DAY]
    assert found.queries.history.items.tolist() == [0]


def test_nor_a_look_at_what_was_shown():
    rows = [("u0", "i0", 1.0), ("u0", "i1", 2.0, "look"), ("u0", "i1", 4.0), ("u0", "i0", 9.0)]
    found = examples(rows, [(0, 3 * DAY, [1, 0])], [(1, 0), (2, 0)], cut=DAY)
    assert found.outcomes.tolist() == [1, 0]
    assert found.queries.times.tolist() == [2 * DAY]
    assert found.queries.history.items.tolist() == [0]


def test_what_is_taken_later_than_one_could_know_is_a_miss_till_then():
    answers = [(0, 2 * DAY - HOUR, [1, 2]), (0, 2 * DAY, [0])]
    known = examples(ROWS, answers, cut=DAY)
    early = examples(ROWS, answers, cut=DAY, until=2 * DAY)
    assert known.outcomes.tolist() == [1, 1, 0]
    assert early.outcomes.tolist() == [1, 0, 0]


def test_what_is_taken_at_the_last_moment_is_taken():
    rows = [("u0", "i0", 1.0), ("u0", "i1", 1.0 + 12_345_678_901 / DAY)]
    found = examples(rows, [(0, DAY + 1, [0, 1])], [(1, 0)])
    assert found.outcomes.tolist() == [0, 1]
