"""What this user comes back to, and what users who come back to the same take: TIFU-KNN.

Alone, the score is how often: an event of the history counts `decay` to the power of the baskets
since.

With `groups` or `neighbours` it is temporal item frequency as Hu, He, Gao and Zhang define it
(SIGIR 2020), so that users with long and with short histories speak equally loud. A
history is cut into `groups` groups of nearly equal length, where there are so many baskets. A
group is the mean of its baskets, each an item once, times `decay` to the power of the baskets
since within the group; the user is the mean of the groups, times `group_decay` to the power of the
groups since. The score is (1 - share) times this vector plus `share` times the plain mean of the
`neighbours` vectors that are nearest by Euclidean distance. (The paper's alpha is 1 - share.) Not
from the paper: what a kind of event is worth weighs the item, only the `longest` newest baskets
are read, and users who are equally far divide the last places among them.

The user's own part needs no fit and knows every event the moment it is folded in. Neighbours are
the fitted users, found anew from the history in the question: an unseen user has them as much as
any, and a history without any item of the fit has none. Items that neither the history nor a
neighbour has are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse

from plait.data.types import (
    ABSENT,
    Dataset,
    Float32Array,
    History,
    Int32Array,
    Int64Array,
    QueryBatch,
)
from plait.features.interactions import read_matrix, write_matrix
from plait.features.sparse_rows import SparseRows
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.batch_inference import batch_size
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.model_defaults import FusionDefaults, ReasonTemplates
from plait.pipeline.search_space import Range, tunable

__all__ = ["Repeat", "RepeatConfig"]

_SAME = np.float32(1e-5)
"""Users whose squared distances differ by less, beside the lengths, are equally near."""


@dataclass(frozen=True, slots=True)
class RepeatConfig:
    """What `repeat` can be told."""

    basket_decay: float = tunable(0.9, Range(0.3, 1.0), Limit(least=0, most=1))
    """What a basket counts against the one after it, within a group."""
    n_groups: int = bounded_field(0, Limit(least=0))
    """Into how many groups the baskets are cut; 0: all are one group."""
    group_decay: float = tunable(0.7, Range(0.3, 1.0), Limit(least=0, most=1))
    """What a group counts against the one after it."""
    max_baskets: int = bounded_field(100, Limit(least=0))
    """How many baskets back are read; 0: all."""
    n_neighbors: int = bounded_field(0, Limit(least=0))
    """How many users near by count; 0: none, and nothing is fitted."""
    neighbor_weight: float = tunable(0.3, Range(0.0, 1.0), Limit(least=0, most=1))
    """What part of a score comes from them; the paper's alpha is 1 less this."""
    max_neighbor_users: int = bounded_field(100_000, Limit(least=1))
    """So many users, those who were here last, can be neighbours."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings that count for nothing beside the others: no search need vary them."""
        lone = () if self.n_neighbors else ("neighbor_weight",)
        return lone if self.n_groups else (*lone, "group_decay")


class Repeat(DenseScorer[RepeatConfig]):
    """Scores the items of the user's own history and of users like this one, NaN for all others."""

    Config = RepeatConfig
    fusion_defaults = FusionDefaults(item_query_weight=0.0, missing_score="zero")
    reason_templates = ReasonTemplates(
        same_item="You come back to it",
        query_item="",
        shared_value="",
        history_item="",
        default="People who come back to the same take it",
    )
    test_variants = ({"n_neighbors": 3, "n_groups": 2, "max_neighbor_users": 20},)
    min_score = 0.0

    def __init__(self, config: RepeatConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._often = sparse.csr_matrix((0, 0), dtype=np.float32)
        """Vectors of users who can be neighbours, by item."""
        self._takers = sparse.csr_matrix((0, 0), dtype=np.float32)
        """The same, items by users."""
        self._squares: Float32Array = np.zeros(0, np.float32)
        """The squared lengths of these vectors."""
        self._rows: Int64Array = np.zeros(0, np.int64)
        """Where each user stands among them, -1: nowhere."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Keep what users took, if neighbours count; `seed` plays no part."""
        fitted = type(self)(self.config, name=self.name)
        if not self.config.n_neighbors:
            return fitted
        found = dataset.interactions
        users = _last_here(dataset, self.config.max_neighbor_users)
        fitted._rows = np.full(dataset.n_users, -1, np.int64)
        fitted._rows[users] = np.arange(len(users))
        counts = np.bincount(found.users, minlength=dataset.n_users)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        whole = History(offsets, found.items, found.times, found.weights)
        often = self._frequency(whole, dataset.n_items).sum_duplicates()
        matrix = sparse.csr_matrix(
            (often.weights, often.columns, often.offsets), shape=(len(often), often.width)
        )
        fitted._often = matrix[users]
        fitted._takers = fitted._often.T.tocsr()
        fitted._squares = _squares(SparseRows.of(fitted._often))
        return fitted

    def save(self, folder: Path) -> None:
        """Write what neighbours took, if they count."""
        if self.config.n_neighbors:
            write_matrix(folder / "often.safetensors", self._often)
            write_matrix(folder / "takers.safetensors", self._takers)
            write_arrays(
                folder / "users.safetensors", {"rows": self._rows, "squares": self._squares}
            )

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        if loaded.config.n_neighbors:
            loaded._often = read_matrix(folder / "often.safetensors")
            loaded._takers = read_matrix(folder / "takers.safetensors")
            arrays = read_arrays(folder / "users.safetensors")
            loaded._rows, loaded._squares = arrays["rows"], arrays["squares"]
        return loaded

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]: the frequency, above 0."""
        known = self._often.shape[1]
        width = int(queries.history.items.max(initial=-1)) + 1
        often = self._frequency(queries.history, max(width, known))
        found = often.toarray()
        if self._often.shape[0]:
            found *= np.float32(1 - self.config.neighbor_weight)
            near = self._near(often, queries.users)
            found[:, :known] += np.float32(self.config.neighbor_weight) * near
        return np.where(found > 0, found, np.nan).astype(np.float32)

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """The item itself where the user took it before."""
        rows = np.repeat(np.arange(len(numbers))[:, None], numbers.shape[1], axis=1)
        width = max(int(numbers.max(initial=0)), int(queries.history.items.max(initial=0))) + 1
        own = np.zeros((len(numbers), width), np.bool_)
        own[queries.history.rows, queries.history.items] = True
        there = (numbers >= 0) & own[rows, np.maximum(numbers, 0)]
        return np.where(there, numbers, ABSENT).astype(np.int32)

    def _frequency(self, history: History, width: int) -> SparseRows:
        """Each history as a row over `width` items; columns may stand in a row more than once."""
        told = self.config
        if told.n_groups or told.n_neighbors:
            return _averaged(history, told, width)
        back = history.basket_age
        faded = np.float32(told.basket_decay) ** back.astype(np.float32)
        weights = (history.weights * faded).astype(np.float32)
        whole = SparseRows(history.offsets, history.items, weights, width)
        return whole.where(back < told.max_baskets) if told.max_baskets else whole

    def _near(self, often: SparseRows, users: Int32Array) -> Float32Array:
        """float32 [B, n]: the mean vector of the nearest users."""
        known = often.where(often.columns < self._often.shape[1])
        mine = SparseRows(
            known.offsets, known.columns, known.weights, self._often.shape[1]
        ).sum_duplicates()
        lengths = _squares(mine)
        inside = (users >= 0) & (users < len(self._rows))
        own = np.append(self._rows, -1)[np.where(inside, users, -1)]
        own[lengths == 0] = -1
        found = np.zeros((len(mine), self._often.shape[1]), np.float32)
        size = batch_size(self._often.shape[0])  # a batch is cut by items, and users may be more
        for start in range(0, len(mine), size):
            part = slice(start, start + size)
            near = _part(mine, start, start + size).matmul(self._takers)
            near *= 2
            near -= self._squares
            fitted = np.flatnonzero(own[part] >= 0)
            near[fitted, own[part][fitted]] = -np.inf
            near[lengths[part] == 0] = -np.inf
            found[part] = _nearest(near, lengths[part], self.config.n_neighbors).matmul(self._often)
        return found


def _averaged(history: History, told: RepeatConfig, width: int) -> SparseRows:
    """Temporal item frequency over `width` items; an item counts once in a basket, as loudest."""
    back, rows = history.basket_age, history.rows
    count = np.zeros(len(history), np.int64)
    np.maximum.at(count, rows, back + 1)
    if told.max_baskets:
        count = np.minimum(count, told.max_baskets)
    order = np.lexsort((history.items, -back, rows))
    order = order[back[order] < count[rows[order]]]
    items, back, rows = history.items[order], back[order], rows[order]
    first = np.ones(len(order), np.bool_)
    first[1:] = (items[1:] != items[:-1]) | (back[1:] != back[:-1]) | (rows[1:] != rows[:-1])
    starts = np.flatnonzero(first)
    loud = history.weights[order]
    if len(starts) < len(order):
        loud = np.maximum.reduceat(loud, starts)
        items, back, rows = items[starts], back[starts], rows[starts]
    weights = (loud * _worth(back, count[rows], told)).astype(np.float32)
    offsets = np.searchsorted(rows, np.arange(len(history) + 1)).astype(np.int64)
    return SparseRows(offsets, items, weights, width)


def _worth(back: Int64Array, count: Int64Array, told: RepeatConfig) -> Float32Array:
    """What the basket `back` before the newest of `count` counts in its user's vector."""
    groups = np.minimum(max(told.n_groups, 1), count)
    size = count // groups
    longer = count % groups  # so many of the newest groups have one basket more
    older = back - longer * (size + 1)
    late = older < 0
    size = np.where(late, size + 1, size)
    place = np.where(late, back, older)
    group = place // size + np.where(late, 0, longer)
    faded = (
        np.power(told.basket_decay, place % size)
        / size
        * np.power(told.group_decay, group)
        / groups
    )
    worth: Float32Array = faded.astype(np.float32)
    return worth


def _part(rows: SparseRows, start: int, stop: int) -> SparseRows:
    """The rows from `start` to before `stop`."""
    offsets = rows.offsets[start : stop + 1]
    within = slice(offsets[0], offsets[-1])
    return SparseRows(offsets - offsets[0], rows.columns[within], rows.weights[within], rows.width)


def _nearest(near: Float32Array, lengths: Float32Array, count: int) -> SparseRows:
    """The mean of the `count` nearest users as rows that sum to 1; empty where there is none.

    `near` [B, users] is the squared `lengths` [B] of what is asked less the squared distance, minus
    infinity for who cannot be a neighbour. Users as far as the last of the nearest are equals:
    they divide the places that the nearer ones leave.
    """
    place = max(near.shape[1] - count, 0)
    least = np.partition(near, place, axis=1)[:, place]
    some = np.isfinite(least)
    slack = np.where(some, _SAME * (2 * lengths - np.where(some, least, 0)), 0)
    rows, columns = np.nonzero((near >= (least - slack)[:, None]) & (near > -np.inf))
    within = near[rows, columns] > (least + slack)[rows]
    nearer = np.bincount(rows[within], minlength=len(near))
    every = np.bincount(rows, minlength=len(near))
    places = np.minimum(count, every)
    last = (places - nearer) / np.maximum(every - nearer, 1)
    shares = np.where(within, 1, last[rows]) / places[rows]
    offsets = np.concatenate([[0], np.cumsum(every)]).astype(np.int64)
    return SparseRows(offsets, columns.astype(np.int32), shares.astype(np.float32), near.shape[1])


def _squares(rows: SparseRows) -> Float32Array:
    """float32 [B]: the squared length of every row; each has a column once."""
    squares = np.bincount(rows.rows, np.square(rows.weights), minlength=len(rows))
    return squares.astype(np.float32)


def _last_here(dataset: Dataset, most: int) -> Int64Array:
    """The users with events, at most `most`: those whose last one is newest."""
    found = dataset.interactions
    users = np.unique(found.users).astype(np.int64)
    if len(users) <= most:
        return users
    last = found.times[np.searchsorted(found.users, users, side="right") - 1]
    order = np.lexsort((dataset.users.tiebreak[users], -last))
    kept: Int64Array = np.sort(users[order[:most]])
    return kept
