"""A snapshot of the log as arrays: the input of every fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from plait.data.array_types import (
    BoolArray,
    Float32Array,
    Int16Array,
    Int32Array,
    Int64Array,
)
from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged
from plait.data.user_merges import UserMerges

__all__ = [
    "Dataset",
    "Interactions",
    "Triples",
    "event_type_weights",
    "first_seen",
    "ranking_target_mask",
    "target_mask",
    "user_item_keys",
]


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """N interactions as parallel arrays, ordered by (user, time or position, offset).

    Attributes:
        users: int32 [N], user numbers.
        items: int32 [N], item numbers.
        event_types: int16 [N], indices into `Dataset.event_types`.
        times: int64 [N], microseconds since 1970 UTC (or positions, see `Dataset.clock`).
        values: float32 [N], NaN for none.
        weights: float32 [N], the weight of the event type (1 until a recipe sets weights).
        offsets: int64 [N], places in the log.
    """

    users: Int32Array
    items: Int32Array
    event_types: Int16Array
    times: Int64Array
    values: Float32Array
    weights: Float32Array
    offsets: Int64Array

    def __len__(self) -> int:
        return len(self.users)

    def take(self, where: npt.NDArray[Any] | slice) -> Interactions:
        """Select interactions.

        Args:
            where: A mask bool [N], indices, or a slice.

        Returns:
            The interactions at `where`, in that order.
        """
        return Interactions(*(getattr(self, name)[where] for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Triples:
    """M triples (head, relation, tail) of a knowledge graph.

    Attributes:
        heads: int32 [M], item numbers, -1 if the head is not an item.
        relations: The names of the relations.
        tails: The external ids of the tails.
        tail_items: int32 [M], item numbers, -1 if the tail is not an item.
        head_ids: The external ids of the heads.
    """

    heads: Int32Array
    relations: tuple[str, ...]
    tails: tuple[str, ...]
    tail_items: Int32Array
    head_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.heads)

    def without_relations(self, relations: Collection[str]) -> Triples:
        """Leave out the triples of some relations.

        Args:
            relations: The names of relations.

        Returns:
            The other triples, in their order.
        """
        if not relations or not len(self):
            return self
        rows = [row for row, name in enumerate(self.relations) if name not in relations]
        return Triples(
            self.heads[rows],
            tuple(self.relations[row] for row in rows),
            tuple(self.tails[row] for row in rows),
            self.tail_items[rows],
            tuple(self.head_ids[row] for row in rows) if self.head_ids else (),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """An immutable snapshot of the log.

    Item and user numbers are dense from 0, so arrays indexed by number have `n_items` and
    `n_users` entries.

    Attributes:
        version: The offset up to which the log is included.
        catalogue: The items.
        users: The users.
        interactions: The interactions.
        event_types: The names of the event types.
        triples: The triples of the knowledge graph.
        clock: "time" if every interaction has a time, else "position": then `interactions.times`
            contains positions, and decay by days is not possible.
        event_weights: The weights of event types that `weighted` set.
        merges: Which users are the same person: interactions name the one who stands for all.
    """

    version: int
    catalogue: Catalogue
    users: Catalogue
    interactions: Interactions
    event_types: tuple[str, ...]
    triples: Triples
    clock: Literal["time", "position"] = "time"
    event_weights: Mapping[str, float] = field(default_factory=dict)
    merges: UserMerges = field(default_factory=UserMerges)

    @property
    def n_items(self) -> int:
        """The count of item numbers, those of deleted items included."""
        return len(self.catalogue)

    @property
    def n_users(self) -> int:
        """The count of user numbers, those of erased users included."""
        return len(self.users)

    def keep(self, where: npt.NDArray[Any]) -> Self:
        """Return the same snapshot with some of its interactions.

        Args:
            where: A mask bool [N], or indices.

        Returns:
            The snapshot with the interactions at `where`.
        """
        return replace(self, interactions=self.interactions.take(where))

    def weighted(self, weights: Mapping[str, float]) -> Self:
        """Weight the interactions by event type, and drop those of weight zero or less.

        Args:
            weights: The weight of every event type; "*" stands for all others (1 if absent).

        Returns:
            The snapshot with the interactions that are evidence of preference.
        """
        table = event_type_weights(self.event_types, weights)
        # Without event types there are no interactions, and the table has no row to take.
        by_event = table[self.interactions.event_types] if len(table) else np.ones(0, np.float32)
        interactions = replace(self.interactions, weights=by_event).take(by_event > 0)
        return replace(self, interactions=interactions, event_weights=dict(weights))

    def histories(self) -> Ragged:
        """Return the item numbers of every user, oldest first: one row for each user number."""
        counts = np.bincount(self.interactions.users, minlength=self.n_users)
        return Ragged.from_lengths(self.interactions.items, counts)


def event_type_weights(event_types: Sequence[str], weights: Mapping[str, float]) -> Float32Array:
    """Return the weight of every event type.

    Args:
        event_types: The names of the event types.
        weights: Weights by name; "*" stands for all others (1 if absent).

    Returns:
        float32 [len(event_types)].
    """
    other = weights.get("*", 1.0)
    return np.array([weights.get(name, other) for name in event_types], np.float32)


def target_mask(dataset: Dataset, target_events: tuple[str, ...]) -> BoolArray:
    """Mark the interactions of some event types.

    Args:
        dataset: the data set.
        target_events: the event types; none: all of them.

    Returns:
        bool [N].
    """
    if not target_events or not len(dataset.event_types):
        return np.ones(len(dataset.interactions), np.bool_)
    is_target = np.array(
        [event_type in target_events for event_type in dataset.event_types], np.bool_
    )
    return is_target[dataset.interactions.event_types]


def ranking_target_mask(dataset: Dataset, target_events: tuple[str, ...]) -> BoolArray:
    """Mark the interactions that lists of items should predict.

    Where there is a catalogue, ids that it does not name (shipping, vouchers) are never shown, so
    they are no targets.

    Args:
        dataset: the data set.
        target_events: the event types; none: all of them.

    Returns:
        bool [N].
    """
    mask = target_mask(dataset, target_events)
    catalogued = dataset.catalogue.catalogued()
    return mask if catalogued is None else mask & catalogued[dataset.interactions.items]


def user_item_keys(interactions: Interactions, n_items: int) -> Int64Array:
    """Encode the user and item of each interaction in one number.

    Args:
        interactions: N interactions.
        n_items: the number of items.

    Returns:
        int64 [N], user * n_items + item.
    """
    return interactions.users.astype(np.int64) * max(n_items, 1) + interactions.items


def first_seen(interactions: Interactions, n_items: int) -> Int64Array:
    """Find the first interaction with the same user and item.

    Args:
        interactions: N interactions.
        n_items: the number of items.

    Returns:
        int64 [N], the position of that interaction.
    """
    keys = user_item_keys(interactions, n_items)
    _, first, groups = np.unique(keys, return_index=True, return_inverse=True)
    positions: Int64Array = first[groups].astype(np.int64)
    return positions
