"""What metrics know of items and users: counts in train, fields, similarity, the catalogue."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.errors import InputError
from plait.evaluation.ranking.list_diversity import ItemSimilarity, item_similarity
from plait.eventlog.dataset_builder import from_arrays
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.dataset_join import joined
from plait.experiments.data.list_frames import is_several, read_pairs
from plait.metrics.expected_gains import inverse_propensities

__all__ = ["ItemFacts", "item_facts", "no_facts"]


class ItemFacts:
    """Numbers every item that lists or targets name, and gives arrays by these numbers.

    Args:
        dataset: Catalogue, users and, where `has_train`, the training interactions.
        has_train: Whether the interactions of the data set are those of train.
        propensity: The power of the popularity that is the propensity of an item.
    """

    def __init__(self, dataset: Dataset, *, has_train: bool, propensity: float) -> None:
        self.dataset = dataset
        self.has_train = has_train
        self.propensity = propensity
        self.n_items = dataset.n_items
        self._unknown: dict[str, int] = {}

    def numbers(self, ids: Iterable[str]) -> Int32Array:
        """Return the numbers of items; those outside the catalogue get numbers after it.

        Args:
            ids: N external ids.

        Returns:
            int32 [N].
        """
        names = list(ids)
        numbers = self.dataset.catalogue.numbers(names)
        for index in np.flatnonzero(numbers < 0).tolist():
            number = self._unknown.setdefault(names[index], self.n_items + len(self._unknown))
            numbers[index] = number
        return numbers

    @property
    def size(self) -> int:
        """How many items the catalogue has."""
        return int(self.dataset.catalogue.alive.sum())

    def catalogue(self) -> BoolArray:
        """Return which numbers are items of the catalogue, bool [n]."""
        unknown = np.zeros(len(self._unknown), np.bool_)
        return np.concatenate([self.dataset.catalogue.alive, unknown])

    def counts(self, metric: str) -> Float64Array:
        """Return the users of each item in train.

        Args:
            metric: The metric that needs them, for the message.

        Returns:
            float64 [n], 0 for an item outside train.

        Raises:
            InputError: If there is no train.
        """
        self._check_train(metric)
        return self._padded(self._counts)

    @functools.cached_property
    def n_users(self) -> int:
        """How many users train has."""
        return len(np.unique(self.dataset.interactions.users))

    def history_lengths(self, users: Iterable[str], metric: str) -> Int64Array:
        """Return how many interactions of train each user has.

        Args:
            users: N external ids.
            metric: What needs them, for the message.

        Returns:
            int64 [N].

        Raises:
            InputError: If there is no train.
        """
        self._check_train(metric)
        lengths = np.bincount(self.dataset.interactions.users, minlength=self.dataset.n_users)
        return np.append(lengths, 0)[self.dataset.users.numbers(users)]

    def inverse_propensities(self, metric: str) -> Float64Array:
        """Return the inverse propensity of each item.

        Args:
            metric: The metric that needs them, for the message.

        Returns:
            float64 [n].

        Raises:
            InputError: If there is no train.
        """
        return inverse_propensities(self.counts(metric), self.propensity)

    def number_field(self, name: str) -> Float64Array:
        """Return a field of items.

        Args:
            name: The name of a number field.

        Returns:
            float64 [n], 0 where an item has no value.

        Raises:
            InputError: If there is no such field, or it holds no numbers.
        """
        types = self.dataset.catalogue.types()
        if types.get(name) != "number":
            numeric = [field for field, kind in types.items() if kind == "number"]
            problem = f"is of type {types[name]}" if name in types else "is unknown"
            hint = f"number fields are {', '.join(numeric)}" if numeric else "pass items="
            raise InputError(f"the item field {name!r} {problem}", hint=hint, field="metrics")
        column = self.dataset.catalogue.columns[name]
        values = np.array([column.get(number) for number in range(self.n_items)], np.float64)
        return self._padded(np.nan_to_num(values))

    def similarity(self) -> ItemSimilarity:
        """Return vectors of the items; those outside the catalogue are like no other."""
        by, vectors, _ = self._similarity
        missing = self._total - vectors.shape[0]
        empty = sparse.csr_matrix((missing, vectors.shape[1]))
        return ItemSimilarity.of(by, sparse.vstack([vectors, empty], format="csr"))

    @functools.cached_property
    def _similarity(self) -> ItemSimilarity:
        return item_similarity(self.dataset)

    @functools.cached_property
    def _counts(self) -> Float64Array:
        events = self.dataset.interactions
        pairs = np.unique(events.users.astype(np.int64) * self.n_items + events.items)
        return np.bincount(pairs % self.n_items, minlength=self.n_items).astype(np.float64)

    @property
    def _total(self) -> int:
        return self.n_items + len(self._unknown)

    def _padded(self, values: Float64Array) -> Float64Array:
        """The array, with zeros for the items outside the catalogue."""
        return np.concatenate([values, np.zeros(len(self._unknown))])

    def _check_train(self, metric: str) -> None:
        if not self.has_train:
            hint = "pass train=, or seen="
            raise InputError(f"{metric} needs training interactions", hint=hint, field="train")


def no_facts() -> ItemFacts:
    """Return what is known of items where no metric needs to know anything."""
    return ItemFacts(Dataset.from_snapshot(from_arrays([], [])), has_train=False, propensity=0.0)


def item_facts(train: Any, test: Any, items: Any, users: Any, *, propensity: float) -> ItemFacts:
    """Read training interactions and fields.

    Args:
        train: A data set, a frame or pairs; None for none.
        test: The targets, whose items make a catalogue where there is no train.
        items: Fields of items, as for `Dataset.of`; None: those of the data set.
        users: Fields of users, likewise.
        propensity: The power of the popularity that is the propensity of an item.

    Returns:
        What metrics know.

    Raises:
        InputError: If a table cannot be understood.
    """
    source = test if train is None else train
    if is_several(source) and all(isinstance(part, arrays.Dataset) for part in source):
        source = functools.reduce(joined, map(Dataset.from_snapshot, source))
    if isinstance(source, arrays.Dataset) and items is None and users is None:
        return ItemFacts(
            Dataset.from_snapshot(source), has_train=train is not None, propensity=propensity
        )
    name = "test" if train is None else "train"
    dataset = Dataset.of(read_pairs(source, name), items=items, users=users)
    return ItemFacts(dataset, has_train=train is not None, propensity=propensity)
