"""What this user comes back to, and what users who come back to the same take: TIFU-KNN.

Temporal item frequency (Hu et al., SIGIR 2020): an event of the history counts `decay` to the power
of the baskets since, in groups of `group` baskets with `group_decay` from one group to the one
before it. The score is (1 - share) times that frequency plus `share` times the mean frequency of
the `neighbours` users who are nearest by cosine, an item counting the less the more users take it.

The user's own part needs no fit and knows every event the moment it is folded in. Neighbours are
the fitted users, found anew from the history in the question: an unseen user has them as much as
any. Items that neither the history nor a neighbour has are NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse

from plait.core.arrays import read_arrays, write_arrays
from plait.core.dense import DenseStage
from plait.core.space import Range, tunable
from plait.core.types import ABSENT, Dataset, Floats, History, Longs, Numbers, Queries
from plait.learn.batches import batch_size
from plait.models.bag import Bag
from plait.models.profile import read_matrix, write_matrix

__all__ = ["Repeat", "RepeatConfig"]

_SAME = np.float32(1 - 1e-5)
"""Users whose likeness differs by less are equally near."""


@dataclass(frozen=True, slots=True)
class RepeatConfig:
    """What `repeat` can be told."""

    decay: float = tunable(0.9, Range(0.3, 1.0))
    """What a basket counts against the one after it, within a group."""
    group: int = 0
    """Baskets of a group; 0: all are one group."""
    group_decay: float = tunable(0.8, Range(0.3, 1.0))
    """What a group counts against the one after it."""
    longest: int = 100
    """How many baskets back are read; 0: all."""
    neighbours: int = 0
    """How many users near by count; 0: none, and nothing is fitted."""
    share: float = tunable(0.5, Range(0.0, 1.0))
    """What part of a score comes from them."""
    most_users: int = 100_000
    """So many users, those who were here last, can be neighbours."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Settings that count for nothing beside the others: no search need vary them."""
        lone = () if self.neighbours else ("share",)
        return lone if self.group else (*lone, "group_decay")


class Repeat(DenseStage):
    """Scores the items of the user's own history and of users like this one, NaN for all others."""

    Config = RepeatConfig
    above = 0.0

    def __init__(self, config: Any = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._often = sparse.csr_matrix((0, 0), dtype=np.float32)
        """Users who can be neighbours, by item: how often, lately."""
        self._like = sparse.csr_matrix((0, 0), dtype=np.float32)
        """Items by such users: the same with every user of length 1, rare items counting more."""
        self._rarity: Floats = np.zeros(0, np.float32)
        self._rows: Longs = np.zeros(0, np.int64)
        """Where each user stands among them, -1: nowhere."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Keep what users took, if neighbours count; `seed` plays no part."""
        fitted = type(self)(self.config, name=self.name)
        if not self.config.neighbours:
            return fitted
        found = dataset.interactions
        users = _last_here(dataset, self.config.most_users)
        fitted._rows = np.full(dataset.n_users, -1, np.int64)
        fitted._rows[users] = np.arange(len(users))
        fitted._rarity = _rarity(dataset)
        counts = np.bincount(found.users, minlength=dataset.n_users)
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        whole = History(offsets, found.items, found.times, found.weights)
        often = self._frequency(whole, dataset.n_items).merged()
        matrix = sparse.csr_matrix(
            (often.weights, often.columns, often.offsets), shape=(len(often), often.width)
        )
        fitted._often = matrix[users]
        likeness = Bag.of(fitted._often)
        likeness = _rare(likeness, fitted._rarity).unit()
        fitted._like = sparse.csr_matrix(
            (likeness.weights, likeness.columns, likeness.offsets), shape=fitted._often.shape
        ).T.tocsr()
        return fitted

    def save(self, folder: Path) -> None:
        """Write what neighbours took."""
        write_matrix(folder / "often.safetensors", self._often)
        write_matrix(folder / "like.safetensors", self._like)
        write_arrays(folder / "users.safetensors", {"rarity": self._rarity, "rows": self._rows})

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        loaded._often = read_matrix(folder / "often.safetensors")
        loaded._like = read_matrix(folder / "like.safetensors")
        arrays = read_arrays(folder / "users.safetensors")
        loaded._rarity, loaded._rows = arrays["rarity"], arrays["rows"]
        return loaded

    def dense(self, queries: Queries) -> Floats:
        """float32 [B, n]: the frequency, above 0."""
        width = int(queries.history.items.max(initial=-1)) + 1
        often = self._frequency(queries.history, max(width, len(self._rarity)))
        found = often.toarray()
        if len(self._rarity):
            found *= np.float32(1 - self.config.share)
            near = self._near(often, queries.users)
            found[:, : len(self._rarity)] += np.float32(self.config.share) * near
        return np.where(found > 0, found, np.nan).astype(np.float32)

    def because(self, queries: Queries, numbers: Numbers) -> Numbers:
        """The item itself where the user took it before."""
        rows = np.repeat(np.arange(len(numbers))[:, None], numbers.shape[1], axis=1)
        width = max(int(numbers.max(initial=0)), int(queries.history.items.max(initial=0))) + 1
        own = np.zeros((len(numbers), width), np.bool_)
        own[queries.history.rows, queries.history.items] = True
        there = (numbers >= 0) & own[rows, np.maximum(numbers, 0)]
        return np.where(there, numbers, ABSENT).astype(np.int32)

    def _frequency(self, history: History, width: int) -> Bag:
        """Each history as a row over `width` items; an item taken often counts each time."""
        told, back = self.config, history.baskets_back
        size = max(told.group, 1) if told.group else int(back.max(initial=0)) + 1
        faded = np.float32(told.decay) ** (back % size).astype(np.float32)
        if told.group:
            faded = faded * np.float32(told.group_decay) ** (back // size).astype(np.float32)
        weights = (history.weights * faded).astype(np.float32)
        whole = Bag(history.offsets, history.items, weights, width)
        return whole.where(back < told.longest) if told.longest else whole

    def _near(self, often: Bag, users: Numbers) -> Floats:
        """float32 [B, n]: the mean frequency of the nearest users, each weighed by likeness."""
        known = often.where(often.columns < len(self._rarity))
        mine = Bag(known.offsets, known.columns, known.weights, len(self._rarity))
        mine = _rare(mine, self._rarity).unit()
        inside = (users >= 0) & (users < len(self._rows))
        own = np.append(self._rows, -1)[np.where(inside, users, -1)]
        found = np.zeros((len(mine), self._often.shape[1]), np.float32)
        size = batch_size(self._often.shape[0])  # a batch is cut by items, and users may be more
        for start in range(0, len(mine), size):
            part = slice(start, start + size)
            like = _part(mine, start, start + size).times(self._like)
            fitted = np.flatnonzero(own[part] >= 0)
            like[fitted, own[part][fitted]] = 0
            found[part] = _nearest(like, self.config.neighbours).times(self._often)
        return found


def _part(rows: Bag, start: int, stop: int) -> Bag:
    """The rows from `start` to before `stop`."""
    offsets = rows.offsets[start : stop + 1]
    within = slice(offsets[0], offsets[-1])
    return Bag(offsets - offsets[0], rows.columns[within], rows.weights[within], rows.width)


def _nearest(like: Floats, count: int) -> Bag:
    """The `count` largest of each row, and whatever equals the last of them; rows sum to 1."""
    if count < like.shape[1]:
        place = like.shape[1] - count
        least = np.partition(like, place, axis=1)[:, place]
    else:
        least = np.zeros(len(like), np.float32)
    rows, columns = np.nonzero((like >= least[:, None] * _SAME) & (like > 0))
    weights = like[rows, columns]
    totals = np.bincount(rows, weights, minlength=len(like))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(like)))])
    shares = (weights / totals[rows]).astype(np.float32)
    return Bag(offsets.astype(np.int64), columns.astype(np.int32), shares, like.shape[1])


def _rarity(dataset: Dataset) -> Floats:
    """float32 [n_items]: the logarithm of all users by the users of each item, 0 for one of all."""
    found = dataset.interactions
    pairs = np.unique(found.users.astype(np.int64) * dataset.n_items + found.items)
    counts = np.bincount(pairs % max(dataset.n_items, 1), minlength=dataset.n_items)
    rarity: Floats = np.log((2 + dataset.n_users) / (1 + counts)).astype(np.float32)
    return rarity


def _rare(often: Bag, rarity: Floats) -> Bag:
    weights = (often.weights * rarity[often.columns]).astype(np.float32)
    return replace(often, weights=weights)


def _last_here(dataset: Dataset, most: int) -> Longs:
    """The users with events, at most `most`: those whose last one is newest."""
    found = dataset.interactions
    users = np.unique(found.users).astype(np.int64)
    if len(users) <= most:
        return users
    last = found.times[np.searchsorted(found.users, users, side="right") - 1]
    order = np.lexsort((dataset.users.tiebreak[users], -last))
    kept: Longs = np.sort(users[order[:most]])
    return kept
