"""Users that no fit has seen."""

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.splitting.held_out_users import held_out_users
from tests.dataset_fixtures import random_rows, world

DATA = world(random_rows(users=100, events=2000))


@pytest.mark.parametrize("fold", ["test", "validation"])
def test_no_event_of_a_held_out_user_is_fitted_on(fold):
    split = held_out_users(DATA, fold, "keep", share=0.2)
    trained = set(split.train.interactions.users.tolist())
    assert len(split) == 20
    assert not trained & set(split.users.tolist())
    assert (split.queries.users == -1).all()


def test_the_folds_are_apart_and_refit_brings_validation_back():
    test, learn = (held_out_users(DATA, one, share=0.2) for one in ("test", "validation"))
    assert not set(test.users.tolist()) & set(learn.users.tolist())
    again = held_out_users(DATA, "test", share=0.2, refit=True)
    assert set(learn.users.tolist()) <= set(again.train.interactions.users.tolist())
    assert again.users.tolist() == test.users.tolist()


def test_history_is_the_first_part_and_targets_are_the_rest():
    split = held_out_users(DATA, share=0.1, fold_in=0.75, seen="keep")
    found = DATA.interactions
    for place, user in enumerate(split.users):
        items = found.items[found.users == user]
        held = max(1, round(0.25 * len(items)))
        low, high = split.queries.history.offsets[place : place + 2]
        assert split.queries.history.items[low:high].tolist() == items[:-held].tolist()
        assert set(split.targets[place].tolist()) == set(items[-held:].tolist())


def test_what_was_in_the_history_is_no_target_where_seen_items_are_out():
    rows = [(f"u{user}", f"i{step % 4}", step) for user in range(40) for step in range(10)]
    split = held_out_users(world(rows), share=0.2, fold_in=0.5)
    assert len(split) == 0
    assert split.excluded == 8 * 4
    keeping = held_out_users(world(rows), share=0.2, fold_in=0.5, seen="keep")
    assert keeping.targets.lengths.tolist() == [4] * 8


def test_renumbering_holds_out_the_same_users():
    rows = random_rows(users=60, events=900)
    users = list(dict.fromkeys(row[0] for row in rows))
    other = world(rows, users=users[::-1])
    one = world(rows)
    mine = {one.users.id(int(user)) for user in held_out_users(one, seed=3).users}
    theirs = {other.users.id(int(user)) for user in held_out_users(other, seed=3).users}
    assert mine == theirs
    assert mine != {one.users.id(int(user)) for user in held_out_users(one, seed=4).users}


def test_too_few_users_are_refused():
    few = world([(f"u{user}", f"i{step}", step) for user in range(4) for step in range(4)])
    with pytest.raises(ProtocolError, match="4 users"):
        held_out_users(few)
    with pytest.raises(ProtocolError, match="100 users"):
        held_out_users(DATA, share=0.6)


def test_most_draws_queries():
    assert len(held_out_users(DATA, share=0.3, most=7)) == 7
    assert np.all(np.diff(held_out_users(DATA, share=0.3, most=7).users) > 0)
