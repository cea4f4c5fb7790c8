"""TIFU-KNN: recommends repeat consumption of a user and of similar users.

Without groups and neighbours the score is a frequency: an event of the history weighs
`basket_decay` to the power of its age in baskets.

With `n_groups` or `n_neighbors` it is temporal item frequency as Hu, He, Gao and Zhang define it
(SIGIR 2020), in which users with long and with short histories weigh the same. A history is cut
into `n_groups` groups of nearly equal length, if it has so many baskets. A group is the mean of its
baskets, each item once, weighted by `basket_decay` to the power of the age within the group; the
user is the mean of the groups, weighted by `group_decay` to the power of the group's age. The score
is (1 - w) times this vector plus w times the mean of the `n_neighbors` vectors that are nearest by
Euclidean distance, with w = `neighbor_weight` (1 minus the paper's alpha). Beyond the paper: the
weight of an event type weighs the item, only the `max_baskets` newest baskets are read, and users
at the same distance share the last places among the neighbours.

The user's own part needs no fit and includes every event as soon as it is applied. Neighbours are
users of the fit, found for the history of the query: an unseen user has them too, and a history
without any item of the fit has none. Items of neither the history nor a neighbour are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from plait.data.array_types import ABSENT, Float32Array, Int32Array, Int64Array
from plait.data.dataset import Dataset
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.ragged import offsets_of
from plait.features.interactions import user_histories
from plait.features.sparse_rows import SparseRows
from plait.pipeline.batch_inference import batch_size
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["Repeat", "RepeatConfig"]

_TOLERANCE = np.float32(1e-5)
"""Squared distances that differ by less, relative to the squared lengths, are equal."""


@dataclass(frozen=True, slots=True)
class RepeatConfig:
    """Settings of `repeat`."""

    basket_decay: float = tunable(0.9, Range(0.3, 1.0), Limit(least=0, most=1))
    """The weight of a basket, relative to the one after it, within a group."""
    n_groups: int = bounded_field(0, Limit(least=0))
    """How many groups the baskets are cut into; 0: a single one."""
    group_decay: float = tunable(0.7, Range(0.3, 1.0), Limit(least=0, most=1))
    """The weight of a group, relative to the one after it."""
    max_baskets: int = bounded_field(100, Limit(least=0))
    """How many of the newest baskets are read; 0: all."""
    n_neighbors: int = bounded_field(0, Limit(least=0))
    """How many similar users contribute; 0: none, and nothing is fitted."""
    neighbor_weight: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0, most=1))
    """The share of similar users in a score; the paper's alpha is 1 minus this."""
    max_neighbor_users: int = bounded_field(100_000, Limit(least=1))
    """How many users, the most recently active ones, can be neighbours."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings without effect beside the others: a search need not vary them."""
        inactive = () if self.n_neighbors else ("neighbor_weight",)
        return inactive if self.n_groups else (*inactive, "group_decay")


class Repeat(DenseScorer[RepeatConfig]):
    """Scores the items of the user's history and of similar users; NaN for all others.

    `explain` names the item itself if it is in the history.
    """

    Config = RepeatConfig
    fusion_defaults = FusionDefaults(item_query_weight=0.0, missing_score="zero")
    reason_templates = ReasonTemplates(
        shared_value="", history_item="", default=(Claim.OTHERS, Claim.HISTORY)
    )
    test_variants = ({"n_neighbors": 3, "n_groups": 2, "max_neighbor_users": 20},)
    min_score = 0.0
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_user_vectors": sparse.csr_matrix,
        "_transposed": sparse.csr_matrix,
        "_squared_norms": Float32Array,
        "_rows": Int64Array,
    }

    def __init__(self, config: RepeatConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._user_vectors = sparse.csr_matrix((0, 0), dtype=np.float32)
        """Vectors of the users that can be neighbours, users by items."""
        self._transposed = sparse.csr_matrix((0, 0), dtype=np.float32)
        """The same, items by users."""
        self._squared_norms: Float32Array = np.zeros(0, np.float32)
        """The squared lengths of these vectors."""
        self._rows: Int64Array = np.zeros(0, np.int64)
        """The row of each user among them, -1 for none."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        if not self.config.n_neighbors:
            fitted._user_vectors = sparse.csr_matrix((0, dataset.n_items), dtype=np.float32)
            return fitted
        users = _recently_active(dataset, self.config.max_neighbor_users)
        fitted._rows = np.full(dataset.n_users, -1, np.int64)
        fitted._rows[users] = np.arange(len(users))
        frequencies = self._frequencies(user_histories(dataset), dataset.n_items)
        fitted._user_vectors = frequencies.sum_duplicates().csr[users]
        fitted._transposed = fitted._user_vectors.T.tocsr()
        squared_norms = SparseRows.of(fitted._user_vectors).squared_norms()
        fitted._squared_norms = squared_norms.astype(np.float32)
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        n_fitted = self._user_vectors.shape[1]
        n_items = max(int(queries.history.items.max(initial=-1)) + 1, n_fitted)
        frequencies = self._frequencies(queries.history, n_items)
        scores = frequencies.toarray()
        if self._user_vectors.shape[0]:
            weight = np.float32(self.config.neighbor_weight)
            scores *= np.float32(1 - self.config.neighbor_weight)
            scores[:, :n_fitted] += weight * self._neighbor_means(frequencies, queries.users)
        return np.where(scores > 0, scores, np.nan).astype(np.float32)

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        history = queries.history
        width = max(int(numbers.max(initial=0)), int(history.items.max(initial=0))) + 1
        in_history = np.zeros((len(numbers), width), np.bool_)
        in_history[history.rows, history.items] = True
        is_own = np.take_along_axis(in_history, np.maximum(numbers, 0).astype(np.int64), axis=1)
        return np.where((numbers >= 0) & is_own, numbers, ABSENT).astype(np.int32)

    def _frequencies(self, history: History, n_items: int) -> SparseRows:
        """Each history as a row over `n_items` items; a row may hold an item more than once."""
        config = self.config
        if config.n_groups or config.n_neighbors:
            return _temporal_frequencies(history, config, n_items)
        age = history.basket_age
        decay = np.float32(config.basket_decay) ** age.astype(np.float32)
        weights = (history.weights * decay).astype(np.float32)
        rows = SparseRows(history.offsets, history.items, weights, n_items)
        return rows.where(age < config.max_baskets) if config.max_baskets else rows

    def _neighbor_means(self, frequencies: SparseRows, users: Int32Array) -> Float32Array:
        """The mean vector of the nearest users of each query, float32 [B, n]."""
        n_users, n_items = self._user_vectors.shape
        fitted = frequencies.where(frequencies.columns < n_items)
        vectors = SparseRows(
            fitted.offsets, fitted.columns, fitted.weights, n_items
        ).sum_duplicates()
        squared_norms = vectors.squared_norms().astype(np.float32)
        inside = (users >= 0) & (users < len(self._rows))
        own_rows = np.append(self._rows, -1)[np.where(inside, users, -1)]
        own_rows[squared_norms == 0] = -1
        means = np.zeros((len(vectors), n_items), np.float32)
        size = batch_size(n_users)  # callers batch by items, and there may be more users
        for start in range(0, len(vectors), size):
            stop = min(start + size, len(vectors))
            norms, own = squared_norms[start:stop], own_rows[start:stop]
            closeness = vectors.slice(start, stop).matmul(self._transposed)
            closeness *= 2
            closeness -= self._squared_norms
            has_row = np.flatnonzero(own >= 0)
            closeness[has_row, own[has_row]] = -np.inf
            closeness[norms == 0] = -np.inf
            neighbors = _nearest(closeness, norms, self.config.n_neighbors)
            means[start:stop] = neighbors.matmul(self._user_vectors)
        return means


def _temporal_frequencies(history: History, config: RepeatConfig, n_items: int) -> SparseRows:
    """Temporal item frequency; an item counts once in a basket, with its largest weight."""
    age, rows = history.basket_age, history.rows
    n_baskets = np.zeros(len(history), np.int64)
    np.maximum.at(n_baskets, rows, age + 1)
    if config.max_baskets:
        n_baskets = np.minimum(n_baskets, config.max_baskets)
    order = np.lexsort((history.items, -age, rows))
    order = order[age[order] < n_baskets[rows[order]]]
    items, age, rows = history.items[order], age[order], rows[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (items[1:] != items[:-1]) | (age[1:] != age[:-1]) | (rows[1:] != rows[:-1])
    starts = np.flatnonzero(is_first)
    event_weights = history.weights[order]
    if len(starts) < len(order):
        event_weights = np.maximum.reduceat(event_weights, starts)
        items, age, rows = items[starts], age[starts], rows[starts]
    weights = (event_weights * _basket_weights(age, n_baskets[rows], config)).astype(np.float32)
    offsets = np.searchsorted(rows, np.arange(len(history) + 1)).astype(np.int64)
    return SparseRows(offsets, items, weights, n_items)


def _basket_weights(age: Int64Array, n_baskets: Int64Array, config: RepeatConfig) -> Float32Array:
    """The weight of the basket at `age` in the vector of a user with `n_baskets` of them."""
    n_groups = np.minimum(max(config.n_groups, 1), n_baskets)
    size = n_baskets // n_groups
    n_longer = n_baskets % n_groups  # so many of the newest groups have one basket more
    age_beyond_longer = age - n_longer * (size + 1)
    in_longer = age_beyond_longer < 0
    size = np.where(in_longer, size + 1, size)
    position = np.where(in_longer, age, age_beyond_longer)
    group_age = position // size + np.where(in_longer, 0, n_longer)
    weights: Float32Array = (
        np.power(config.basket_decay, position % size)
        / size
        * np.power(config.group_decay, group_age)
        / n_groups
    ).astype(np.float32)
    return weights


def _nearest(closeness: Float32Array, squared_norms: Float32Array, count: int) -> SparseRows:
    """The mean of the nearest users as rows that sum to 1; empty where there is none.

    `closeness` [B, users] is `squared_norms` [B] of the queries minus the squared distance, minus
    infinity for users that cannot be neighbours. Users as far as the last of the nearest share the
    places that the nearer ones leave.
    """
    last = max(closeness.shape[1] - count, 0)
    threshold = np.partition(closeness, last, axis=1)[:, last]
    is_finite = np.isfinite(threshold)
    slack = np.where(
        is_finite, _TOLERANCE * (2 * squared_norms - np.where(is_finite, threshold, 0)), 0
    )
    rows, columns = np.nonzero((closeness >= (threshold - slack)[:, None]) & (closeness > -np.inf))
    is_nearer = closeness[rows, columns] > (threshold + slack)[rows]
    n_nearer = np.bincount(rows[is_nearer], minlength=len(closeness))
    n_neighbors = np.bincount(rows, minlength=len(closeness))
    places = np.minimum(count, n_neighbors)
    tied_share = (places - n_nearer) / np.maximum(n_neighbors - n_nearer, 1)
    shares = np.where(is_nearer, 1, tied_share[rows]) / places[rows]
    return SparseRows(
        offsets_of(n_neighbors),
        columns.astype(np.int32),
        shares.astype(np.float32),
        closeness.shape[1],
    )


def _recently_active(dataset: Dataset, limit: int) -> Int64Array:
    """The users with events, of more than `limit` those with the newest last event; ascending."""
    interactions = dataset.interactions
    users = np.unique(interactions.users).astype(np.int64)
    if len(users) <= limit:
        return users
    last_times = interactions.times[np.searchsorted(interactions.users, users, side="right") - 1]
    order = np.lexsort((dataset.users.tiebreak[users], -last_times))
    active: Int64Array = np.sort(users[order[:limit]])
    return active
