"""Tests of the split by users."""

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.splitting.held_out_users import held_out_users
from tests.dataset_fixtures import random_rows, world

DATA = world(random_rows(users=100, events=2000))


@pytest.mark.parametrize("fold", ["test", "validation"])
def test_training_data_holds_no_event_of_a_held_out_user(fold):
    split = held_out_users(DATA, fold, "keep", test_user_ratio=0.2)
    trained = set(split.train.interactions.users.tolist())
    assert len(split) == 20
    assert not trained & set(split.users.tolist())
    assert (split.queries.users == -1).all()


def test_folds_are_disjoint_and_refit_trains_on_the_validation_users():
    test, validation = (
        held_out_users(DATA, fold, test_user_ratio=0.2) for fold in ("test", "validation")
    )
    assert not set(test.users.tolist()) & set(validation.users.tolist())
    refit = held_out_users(DATA, "test", test_user_ratio=0.2, refit=True)
    assert set(validation.users.tolist()) <= set(refit.train.interactions.users.tolist())
    assert refit.users.tolist() == test.users.tolist()


def test_history_is_the_first_part_of_the_events_and_targets_are_the_rest():
    split = held_out_users(DATA, test_user_ratio=0.1, fold_in_ratio=0.75, seen="keep")
    interactions = DATA.interactions
    for row, user in enumerate(split.users):
        items = interactions.items[interactions.users == user]
        n_held = max(1, round(0.25 * len(items)))
        assert split.queries.history.ragged[row].tolist() == items[:-n_held].tolist()
        assert set(split.targets[row].tolist()) == set(items[-n_held:].tolist())


def test_items_of_the_history_are_targets_only_if_seen_items_are_kept():
    rows = [(f"u{user}", f"i{step % 4}", step) for user in range(40) for step in range(10)]
    split = held_out_users(world(rows), test_user_ratio=0.2, fold_in_ratio=0.5)
    assert len(split) == 0
    assert split.excluded == 8 * 4
    with_seen = held_out_users(world(rows), test_user_ratio=0.2, fold_in_ratio=0.5, seen="keep")
    assert with_seen.targets.lengths.tolist() == [4] * 8


def test_held_out_users_do_not_depend_on_the_numbering():
    rows = random_rows(users=60, events=900)
    users = list(dict.fromkeys(row[0] for row in rows))
    original, renumbered = world(rows), world(rows, users=users[::-1])

    def held_out_ids(dataset, seed):
        return {dataset.users.id(int(user)) for user in held_out_users(dataset, seed=seed).users}

    assert held_out_ids(original, 3) == held_out_ids(renumbered, 3)
    assert held_out_ids(original, 3) != held_out_ids(original, 4)


def test_too_few_users_for_both_folds_and_training_is_an_error():
    few = world([(f"u{user}", f"i{step}", step) for user in range(4) for step in range(4)])
    for dataset, share in ((few, 0.1), (DATA, 0.6)):
        with pytest.raises(ProtocolError) as caught:
            held_out_users(dataset, test_user_ratio=share)
        assert caught.value.field == "test_users"


def test_a_maximum_of_queries_is_drawn_in_order():
    split = held_out_users(DATA, test_user_ratio=0.3, max_queries=7)
    assert len(split) == 7
    assert (np.diff(split.users) > 0).all()
