"""Checks that the parts of a saved data set fit together, before anything is computed with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.data.catalogue import FIELD_TYPES, Catalogue
from plait.data.dataset import Dataset
from plait.errors import BundleError

__all__ = ["check_dataset", "check_merges"]


def check_dataset(dataset: Dataset) -> None:
    """Check a data set that was read from files.

    Args:
        dataset: The data set.

    Raises:
        BundleError: If arrays have other lengths than they should, a number is out of range, the
            interactions are not in order, or a field has a type that does not exist.
    """
    for name, catalogue in (("items", dataset.catalogue), ("users", dataset.users)):
        _check_catalogue(catalogue, name)
    events, triples = dataset.interactions, dataset.triples
    _check_lengths(
        {name: getattr(events, name) for name in events.__slots__},
        len(events.users),
        "interactions",
    )
    _check_range(events.users, 0, dataset.n_users, "users of interactions")
    _check_range(events.items, 0, dataset.n_items, "items of interactions")
    _check_range(events.event_types, 0, len(dataset.event_types), "event types of interactions")
    if len(events) and (np.diff(events.users) < 0).any():
        raise BundleError("the interactions are not ordered by user")
    parts = {name: getattr(triples, name) for name in ("relations", "tails", "tail_items")}
    if triples.head_ids:
        parts["head_ids"] = triples.head_ids
    _check_lengths(parts, len(triples.heads), "triples")
    _check_range(triples.heads, -1, dataset.n_items, "heads of triples")
    _check_range(triples.tail_items, -1, dataset.n_items, "tails of triples")
    if not np.isfinite(list(dataset.event_weights.values())).all():
        raise BundleError("a weight of an event type is not finite")


def check_merges(targets: Mapping[int, int], n_users: int) -> None:
    """Check which users became which.

    Args:
        targets: By the number of a merged user, the number of the user that it became.
        n_users: How many users there are.

    Raises:
        BundleError: If a number is out of range, or a user becomes itself.
    """
    numbers = np.array([*targets, *targets.values()], np.int64)
    _check_range(numbers, 0, n_users, "merged users")
    ends: set[int] = set()
    for source in targets:
        path: set[int] = set()
        user = source
        while user in targets and user not in ends:
            if user in path:
                raise BundleError(f"user {user} becomes itself")
            path.add(user)
            user = targets[user]
        ends |= path


def _check_catalogue(catalogue: Catalogue, name: str) -> None:
    parts = ("ids", "alive", "changed", "tiebreak", "described")
    arrays: dict[str, Any] = {part: getattr(catalogue, part) for part in parts}
    for field, column in catalogue.columns.items():
        if column.type not in FIELD_TYPES:
            known = ", ".join(FIELD_TYPES)
            raise BundleError(f"field {field!r} has the type {column.type!r}, expected {known}")
        arrays[f"field {field!r}"] = column.values
    _check_lengths(arrays, len(catalogue), name)
    if len(catalogue.index) < sum(map(bool, catalogue.ids)):
        raise BundleError(f"two {name} have the same id")


def _check_lengths(parts: Mapping[str, Sequence[Any]], length: int, owner: str) -> None:
    for name, part in parts.items():
        shape = getattr(part, "shape", (len(part),))
        if shape != (length,):
            raise BundleError(f"{name} of {owner} has the shape {shape}, expected ({length},)")


def _check_range(numbers: Any, least: int, stop: int, name: str) -> None:
    if len(numbers) and (numbers.min() < least or numbers.max() >= stop):
        low, high = int(numbers.min()), int(numbers.max())
        raise BundleError(f"{name} are {low} to {high}, expected {least} to {stop - 1}")
