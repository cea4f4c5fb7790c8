"""Which items follow which: counts that know order, distance and basket.

Items that a user took at one moment are a basket. Pairs in one basket count fully, pairs `d`
baskets apart `discount` to the power of d - 1, and against the order of time only in part. Large
baskets say less about each pair, long histories less about each basket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from plait.data.types import Dataset, Float32Array, Int32Array, Int64Array
from plait.features.blockwise import blocks, filter_entries, map_blocks, rows_of, sample_items
from plait.pipeline.constraints import Limit
from plait.pipeline.search_space import Range, tunable

__all__ = ["CooccurrenceCounts", "PairConfig", "pairs"]


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How pairs are counted."""

    window: int = tunable(20, Range(1, 50, log=True), Limit(least=0))
    """How many baskets apart two items may lie; 0: only in one basket."""
    discount: float = tunable(0.9, Range(0.5, 1.0), Limit(least=0, most=1))
    """What a pair counts against one a basket closer."""
    backward: float = tunable(0.4, Range(0.0, 1.0), Limit(least=0))
    """What the earlier item counts for the later one, against the other way round."""
    basket_norm: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0))
    """Each basket is divided by its size to this power."""
    damp_long_histories: bool = True
    """Whether a user's baskets are divided by the logarithm of how many events the user has."""


def _baskets(dataset: Dataset) -> tuple[sparse.csr_matrix, Int64Array]:
    """CSR [n_baskets, n_items] of zeros and ones, and the user of every basket, in order."""
    found = dataset.interactions
    new = np.ones(len(found), np.bool_)
    same_user = found.users[1:] == found.users[:-1]
    new[1:] = ~(same_user & (found.times[1:] == found.times[:-1]))
    place = np.cumsum(new) - 1
    count = int(place[-1]) + 1 if len(place) else 0
    ones = np.ones(len(found), np.float32)
    matrix = sparse.csr_matrix((ones, (place, found.items)), shape=(count, dataset.n_items))
    matrix.data[:] = 1
    return matrix, found.users[new].astype(np.int64)


def _weighed(
    dataset: Dataset, config: PairConfig
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, Int64Array]:
    """The two sides of a pair, float32 CSR [n_baskets, n_items], and the user of every basket.

    Both are divided by the size of the basket, the first also by the length of the history.
    """
    rows, users = _baskets(dataset)
    sizes = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1)
    scaled = _scale(rows, sizes**-config.basket_norm)
    weights = np.ones(len(users), np.float32)
    if config.damp_long_histories:
        lengths = np.bincount(dataset.interactions.users, minlength=dataset.n_users)
        weights = (1 / np.log1p(lengths[users])).astype(np.float32)
    return _scale(scaled, weights), scaled, users


@dataclass(frozen=True, slots=True, eq=False)
class CooccurrenceCounts:
    """How strongly one item announces another, to be counted a block of items at a time.

    `whose` CSR [n, baskets] and `scaled` CSR [baskets, n]: the two sides of a pair. `before` and
    `behind` int32 [baskets]: how many baskets of the same user are near enough on either side.
    `worth` float32 [2 * window + 1]: what a basket counts that lies so far behind, from -window on.
    `events` int64 [n]: how many each item has.
    """

    whose: sparse.csr_matrix
    scaled: sparse.csr_matrix
    before: Int32Array
    behind: Int32Array
    worth: Float32Array
    events: Int64Array

    @staticmethod
    def of(dataset: Dataset, config: PairConfig) -> CooccurrenceCounts:
        """Rows announce columns. Nothing is counted yet."""
        weighted, scaled, users = _weighed(dataset, config)
        events = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        whose = weighted.T.tocsr()
        return CooccurrenceCounts(
            whose, scaled, *_near(users, config.window), _worth(config), events
        )

    @property
    def turned(self) -> CooccurrenceCounts:
        """Rows are announced by columns: both sides of a pair are of one user and weigh alike."""
        return replace(self, worth=self.worth[::-1])

    @property
    def blocks(self) -> list[slice]:
        """The items cut so that a block is counted in bounded memory."""
        return blocks(self.events)

    def entries(self, most: int) -> float:
        """How many entries a row has on average, `most` at most: asked of a few."""
        some = sample_items(self.events)
        met = [self.rows(slice(one, one + 1)).nnz for one in some.tolist()]
        share = np.count_nonzero(self.events) / max(len(self.events), 1)
        return float(share * np.minimum(met, most).mean()) if met else 0.0

    def rows(self, block: slice) -> sparse.csr_matrix:
        """float32 CSR [block, n], rows not sorted. The diagonal: what is taken again later."""
        mine = self.whose[block]
        within = (mine @ self.scaled).tocsr()
        within = filter_entries(within, within.indices != rows_of(within) + block.start)
        return (within + self._around(mine) @ self.scaled).tocsr()

    def _around(self, mine: sparse.csr_matrix) -> sparse.csr_matrix:
        """CSR [block, baskets]: what the baskets before and after count for the items of `mine`."""
        before = self.before[mine.indices]
        lengths = before + self.behind[mine.indices]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        steps = np.arange(ends[-1], dtype=np.int32)
        steps -= np.repeat((ends[:-1] + before).astype(np.int32), lengths)
        steps += steps >= 0  # the basket itself is left out
        values = np.repeat(mine.data, lengths) * self.worth[steps + len(self.worth) // 2]
        steps += np.repeat(mine.indices, lengths)
        return sparse.csr_matrix((values, steps, ends[mine.indptr]), shape=mine.shape)


def pairs(dataset: Dataset, config: PairConfig) -> sparse.csr_matrix:
    """float32 CSR [n_items, n_items], rows sorted: all of `Pairs` at once."""
    counted = CooccurrenceCounts.of(dataset, config)
    found = map_blocks(counted.rows, counted.blocks, 1)
    found.sort_indices()
    return found


def _near(users: Int64Array, window: int) -> tuple[Int32Array, Int32Array]:
    """For every basket how many of its user come before it and after it, `window` at most."""
    places = np.arange(len(users))
    first = np.searchsorted(users, users)
    last = np.searchsorted(users, users, side="right") - 1
    before, behind = np.minimum(places - first, window), np.minimum(last - places, window)
    return before.astype(np.int32), behind.astype(np.int32)


def _worth(config: PairConfig) -> Float32Array:
    """What the baskets from `window` before to `window` behind count; 0 in the middle."""
    distances = np.arange(1, config.window + 1)
    forward = np.float64(config.discount) ** (distances - 1)
    backward = config.backward * forward[::-1]
    return np.concatenate([backward, [0], forward]).astype(np.float32)


def _scale(matrix: sparse.csr_matrix, by: np.ndarray) -> sparse.csr_matrix:
    return (sparse.diags_array(by.astype(np.float32)) @ matrix).tocsr()
