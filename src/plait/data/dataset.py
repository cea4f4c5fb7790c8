"""A snapshot of the log as arrays; what every fit reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from plait.data.arrays import Float32Array, Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged

__all__ = ["Dataset", "Interactions", "Triples", "event_type_weights"]


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """N interactions as parallel arrays, ordered by (user, time or position, offset).

    `users`, `items` int32 numbers; `kinds` int16 indices into `Dataset.kinds`; `times` int64
    microseconds (or positions, see `Dataset.clock`); `values` float32, NaN where there was none;
    `weights` float32, what the kind is worth (1 until a recipe weighs them); `offsets` int64 places
    in the log.
    """

    users: Int32Array
    items: Int32Array
    event_types: npt.NDArray[np.int16]
    times: Int64Array
    values: Float32Array
    weights: Float32Array
    offsets: Int64Array

    def __len__(self) -> int:
        return len(self.users)

    def take(self, where: npt.NDArray[Any] | slice) -> Interactions:
        """The interactions at `where` (a mask, places or a slice), in that order."""
        return Interactions(
            self.users[where],
            self.items[where],
            self.event_types[where],
            self.times[where],
            self.values[where],
            self.weights[where],
            self.offsets[where],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Triples:
    """M triples: `heads` item numbers (-1: the head is no item), outside ids of head and tail."""

    heads: Int32Array
    relations: tuple[str, ...]
    tails: tuple[str, ...]
    tail_items: Int32Array
    head_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.heads)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An immutable snapshot of the log up to `version` (an offset).

    Item and user numbers are dense from 0, so number-indexed arrays have `n_items` and `n_users`
    entries; `catalogue` says which items are alive. `clock` is "time" when every interaction has
    a time, else "position": then `interactions.times` holds ranks, and nothing may be decayed by
    days.
    """

    version: int
    catalogue: Catalogue
    users: Catalogue
    interactions: Interactions
    event_types: tuple[str, ...]
    triples: Triples
    clock: Literal["time", "position"] = "time"

    @property
    def n_items(self) -> int:
        """How many item numbers exist, dead ones included."""
        return len(self.catalogue)

    @property
    def n_users(self) -> int:
        """How many user numbers exist, erased ones included."""
        return len(self.users)

    def keep(self, where: npt.NDArray[Any]) -> Dataset:
        """The same snapshot with the interactions at `where` only."""
        return replace(self, interactions=self.interactions.take(where))

    def weighted(self, weights: Mapping[str, float]) -> Dataset:
        """The interactions that speak for their item, weighed by kind.

        `weights` gives a number by kind, under "*" the number of any other kind (1 if absent).
        Kinds of weight zero or less are left out: they are no evidence of taste.
        """
        table = event_type_weights(self.event_types, weights)
        found = (
            table[self.interactions.event_types]
            if len(self.event_types)
            else np.ones(0, np.float32)
        )
        kept = replace(self.interactions, weights=found).take(found > 0)
        return replace(self, interactions=kept)

    def histories(self) -> Ragged:
        """The item numbers of every user, oldest first: one row a user number."""
        counts = np.bincount(self.interactions.users, minlength=self.n_users)
        return Ragged.from_lengths(self.interactions.items, counts)


def event_type_weights(kinds: Sequence[str], weights: Mapping[str, float]) -> Float32Array:
    """What each of `kinds` is worth, float32 [len(kinds)]; "*" names the rest."""
    other = weights.get("*", 1.0)
    return np.array([weights.get(kind, other) for kind in kinds], np.float32)
