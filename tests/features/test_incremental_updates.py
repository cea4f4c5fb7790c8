"""Tests of which items a stage derives again after its fit."""

import numpy as np
import pytest

from plait.data.catalogue import Catalogue, Change
from plait.features.incremental_updates import ItemUpdates, field_hashes

FIELDS = ["title"]


@pytest.fixture
def fitted():
    catalogue = (
        Catalogue().with_ids(["mug", "pot"]).with_columns({"title": "text", "price": "number"})
    )
    return catalogue.updated([put(0, 1, "Red mug"), put(1, 2, "Tea pot")])


def put(number, offset, title, price=1.0):
    return Change(number, "put", {"title": title, "price": price}, offset)


def derive(updates, catalogue, fitted):
    """The items to derive again, and the updates once they are."""
    hashes = field_hashes(fitted, FIELDS, range(len(fitted)))
    outdated = updates.outdated_items(catalogue, FIELDS, hashes)
    numbers, hashes = outdated
    return numbers.tolist(), updates.extended(catalogue, numbers, None, hashes)


def test_a_changed_item_is_derived_again_only_when_a_read_field_changes(fitted):
    updates, catalogue = ItemUpdates.empty(2, None), fitted
    steps = [
        (put(0, 3, "Red mug", 2.0), []),
        (put(0, 4, "Blue mug", 2.0), [0]),
        (put(0, 5, "Blue mug", 3.0), []),
        (put(0, 6, "Red mug", 3.0), [0]),
        (Change(0, "delete", {}, 7), [0]),
        (put(0, 8, "Red mug", 3.0), [0]),
    ]
    for change, expected in steps:
        catalogue = catalogue.updated([change])
        numbers, updates = derive(updates, catalogue, fitted)
        assert numbers == expected, change


def test_a_new_item_is_derived_once_until_it_changes(fitted):
    grown = fitted.with_ids(["vase", "bowl"])
    catalogue = grown.updated([put(2, 3, "Vase"), put(3, 4, "Bowl")])
    numbers, updates = derive(ItemUpdates.empty(2, None), catalogue, fitted)
    assert numbers == [2, 3]
    catalogue = catalogue.updated([put(2, 5, "Vase", 9.0), put(3, 6, "Large bowl")])
    numbers, updates = derive(updates, catalogue, fitted)
    assert numbers == [3]
    assert updates.item_numbers.tolist() == [2, 3]
    assert updates.hashes.tolist() == field_hashes(catalogue, FIELDS, [2, 3]).tolist()


def test_items_that_the_fit_did_not_cover_are_derived_once_until_they_change(fitted):
    covered = np.array([True, False])
    catalogue = fitted.updated([put(0, 3, "Mug"), put(1, 4, "Tea pot")])
    updates = ItemUpdates.empty(2, None)
    outdated = updates.outdated_outside(catalogue, FIELDS, covered)
    assert outdated.item_numbers.tolist() == [1]
    updates = updates.extended(catalogue, outdated.item_numbers, None, outdated.hashes)
    catalogue = catalogue.updated([put(1, 5, "Tea pot", 7.0)])
    outdated = updates.outdated_outside(catalogue, FIELDS, covered)
    assert outdated.item_numbers.tolist() == []
    updates = updates.extended(catalogue, outdated.item_numbers, None, outdated.hashes)
    catalogue = catalogue.updated([put(1, 6, "Coffee pot", 7.0)])
    assert updates.outdated_outside(catalogue, FIELDS, covered).item_numbers.tolist() == [1]
