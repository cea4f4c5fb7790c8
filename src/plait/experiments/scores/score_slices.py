"""Slices of users and targets for `plait.score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plait.data.array_types import BoolArray
from plait.data.catalogue import Catalogue
from plait.errors import InputError
from plait.evaluation.slices import HISTORY_BANDS, MAX_VALUES, POPULARITY_BANDS, band_slices
from plait.experiments.scores.item_facts import ItemFacts

__all__ = ["Slices", "score_slices"]


class Slices:
    """Parts of the users, and of the targets.

    Attributes:
        users: By name which users, bool [U].
        items: By name which items count as targets, bool [n] by item number.
    """

    def __init__(self) -> None:
        self.users: dict[str, BoolArray] = {}
        self.items: dict[str, BoolArray] = {}


def score_slices(names: Sequence[str], users: Sequence[str], facts: ItemFacts) -> Slices:
    """Divide users and targets.

    Args:
        names: "history" (users by their interactions in train), "popularity" (targets by the users
            of their items in train), or a category of users or items; where both have it,
            "user.NAME" or "item.NAME".
        users: The ids of U users.
        facts: Train and fields; every item has its number.

    Returns:
        The slices, without empty ones of users.

    Raises:
        InputError: If there is no such field, or no train.
    """
    slices = Slices()
    for name in names:
        if name == "history":
            lengths = facts.history_lengths(users, "the slice history")
            slices.users |= band_slices("history", lengths, HISTORY_BANDS)
        elif name == "popularity":
            counts = facts.counts("the slice popularity").astype(np.int64)
            slices.items["new-items"] = counts == 0
            slices.items |= band_slices("popularity", counts, POPULARITY_BANDS)
        else:
            _add_field(slices, name, users, facts)
    slices.users = {name: mask for name, mask in slices.users.items() if mask.any()}
    return slices


def _add_field(slices: Slices, name: str, users: Sequence[str], facts: ItemFacts) -> None:
    entity, _, field = name.partition(".")
    dataset = facts.dataset
    tables: dict[str, Catalogue] = {"user": dataset.users, "item": dataset.catalogue}
    if entity in tables and field in tables[entity].columns:
        tables = {entity: tables[entity]}
    else:
        field = name
        tables = {entity: table for entity, table in tables.items() if field in table.columns}
    if len(tables) != 1:
        known = ", ".join(
            ["history", "popularity", *dataset.users.columns, *dataset.catalogue.columns]
        )
        hint = f"say user.{field} or item.{field}" if tables else f"there are {known}"
        raise InputError(f"no single slice is called {name!r}", hint=hint, field="slices")
    if "user" in tables:
        numbers = dataset.users.numbers(users)
        values = [_value(dataset.users, field, number) for number in numbers.tolist()]
        slices.users |= _by_value(field, values)
    else:
        catalogue = dataset.catalogue
        values = [_value(catalogue, field, number) for number in range(len(facts.catalogue()))]
        slices.items |= _by_value(field, values)


def _value(table: Catalogue, field: str, number: int) -> Any:
    known = 0 <= number < len(table)
    return table.columns[field].get(number) if known else None


def _by_value(field: str, values: Sequence[Any]) -> Mapping[str, BoolArray]:
    """The rows of each of the most frequent values; a set counts for each of its members."""
    members = [
        []
        if value is None
        else list(map(str, value if isinstance(value, list | tuple) else [value]))
        for value in values
    ]
    names, counts = np.unique([name for row in members for name in row], return_counts=True)
    frequent = names[np.argsort(-counts, kind="stable")[:MAX_VALUES]].tolist()
    return {
        f"{field}={name}": np.array([name in row for row in members], np.bool_) for name in frequent
    }
