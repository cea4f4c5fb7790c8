"""Tests of the splits that make items or users new."""

from functools import partial

import numpy as np
import pytest

from plait.errors import ProtocolError
from plait.splitting.cold_items import cold_items
from plait.splitting.cold_users import cold_users
from plait.splitting.splits import leave_one_out
from tests.dataset_fixtures import random_rows, world

DATA = world(random_rows(users=60, events=900))


def last_items(dataset):
    events = dataset.interactions
    return {int(user): int(events.items[events.users == user][-1]) for user in set(events.users)}


def test_cold_items_have_no_event_in_train_or_histories_and_are_new_at_query_time():
    split = cold_items(DATA, cold_ratio=0.2, seen="keep", seed=7)
    cold = split.cold
    assert cold.sum() == round(0.2 * DATA.n_items)
    assert not cold[split.train.interactions.items].any()
    assert not split.train.catalogue.alive[cold].any()
    assert split.query_time_data.catalogue.alive[cold].all()
    assert (split.query_time_data.catalogue.changed[cold] > DATA.version).all()
    assert not cold[split.queries.history.items].any()
    assert not cold[split.queries.events.items].any()
    assert cold[split.targets.values].any()
    assert dict(zip(split.users.tolist(), split.targets.values.tolist(), strict=True)) == (
        last_items(DATA)
    )


def test_items_that_a_user_has_seen_are_known_even_if_they_are_cold():
    split = cold_items(DATA, cold_ratio=0.3, seen="remove", seed=7)
    assert split.cold[split.queries.seen.values].any()
    for row in range(len(split)):
        assert not set(split.targets[row]) & set(split.queries.seen[row].tolist())


def test_validation_knows_nothing_of_the_cold_items_of_the_test():
    test, validation = (
        cold_items(DATA, fold, cold_ratio=0.2, seen="keep") for fold in ("test", "validation")
    )
    assert not (test.cold & validation.cold).any()
    for part in (validation.train, validation.query_time_data):
        assert not part.catalogue.alive[test.cold].any()
        assert not test.cold[part.interactions.items].any()
    assert not test.cold[validation.targets.values].any()
    assert validation.cold[validation.targets.values].any()


@pytest.mark.parametrize("fold", ["test", "validation"])
@pytest.mark.parametrize("make_split", [cold_items, partial(leave_one_out, refit=True)])
def test_no_target_is_in_the_training_data(make_split, fold):
    split = make_split(DATA, fold, "remove")
    targets = split.users[split.targets.rows], split.targets.values
    events = split.train.interactions
    in_training = set(zip(events.users.tolist(), events.items.tolist(), strict=True))
    assert not in_training & set(zip(*(part.tolist() for part in targets), strict=True))


def test_cold_items_do_not_depend_on_the_numbering():
    rows = random_rows(users=40, events=500)
    items = list(dict.fromkeys(row[1] for row in rows))

    def cold_ids(dataset, seed):
        cold = cold_items(dataset, cold_ratio=0.2, seed=seed).cold
        return {dataset.catalogue.id(int(number)) for number in np.flatnonzero(cold)}

    original, renumbered = world(rows), world(rows, items=items[::-1])
    assert cold_ids(original, 3) == cold_ids(renumbered, 3)
    assert cold_ids(original, 3) != cold_ids(original, 4)


@pytest.mark.parametrize("share", [0.001, 0.5])
def test_cold_items_need_items_in_all_three_parts(share):
    with pytest.raises(ProtocolError) as caught:
        cold_items(DATA, cold_ratio=share)
    assert caught.value.field == "cold"


@pytest.mark.parametrize("fold", ["test", "validation"])
def test_cold_users_have_a_query_for_each_number_of_events(fold):
    split = cold_users(DATA, fold, "keep", events=(0, 2, 100), test_user_ratio=0.2)
    drawn = set(split.users.tolist())
    assert not drawn & set(split.train.interactions.users.tolist())
    assert (split.queries.users == -1).all()
    assert sorted(set(split.queries.events.lengths.tolist())) == [0, 2]
    events = DATA.interactions
    for row, user in enumerate(split.users):
        count = split.queries.events.lengths[row]
        items = events.items[events.users == user]
        assert split.queries.history.ragged[row].tolist() == items[:count].tolist()
        assert split.targets[row].tolist() == [items[count]]


def test_the_target_of_a_new_user_is_the_next_target_event():
    rows = [
        (f"u{user}", f"i{step}", step, "buy" if step in (2, 5) else "view")
        for user in range(20)
        for step in range(7)
    ]
    split = cold_users(world(rows), events=(0, 3, 6), test_user_ratio=0.1, target_events=("buy",))
    assert split.targets.values.tolist() == [2, 2, 5, 5]
    assert split.queries.events.lengths.tolist() == [0, 0, 3, 3]


def test_seen_targets_of_new_users_are_dropped():
    rows = [(f"u{user}", f"i{step % 2}", step) for user in range(20) for step in range(6)]
    split = cold_users(world(rows), events=(0, 1, 2, 3), test_user_ratio=0.1)
    assert split.queries.events.lengths.tolist() == [0, 0, 1, 1]
    assert split.excluded == 4
