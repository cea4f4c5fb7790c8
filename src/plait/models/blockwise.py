"""What comes with what, and what announces what, counted a block of items at a time.

So that no matrix of items squared is ever whole in memory: whoever reads a block keeps little of
it. A block is so small that what is met on the way to it is bounded too, and blocks do not depend
on each other, so that threads may share them: nothing in them goes by how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.core.types import Bools, Dataset, Floats, Longs, Numbers
from plait.models.cooccurrence import PairConfig, weighed_baskets

__all__ = ["Announced", "blocks", "foremost", "only", "rows_of", "shared", "together"]

Unsigned = npt.NDArray[np.unsignedinteger]

_ITEMS = 512
_EVENTS = 1 << 17
"""So many items at most in a block, and so many events, where it is not a single item's."""


def blocks(events: Longs) -> list[slice]:
    """The items cut into ranges, `events` [n] being how many each has."""
    ends = np.cumsum(events)
    found: list[slice] = []
    start = 0
    while start < len(ends):
        room = int(ends[start] - events[start]) + _EVENTS
        full = int(np.searchsorted(ends, room, side="right"))
        stop = min(max(full, start + 1), start + _ITEMS, len(ends))
        found.append(slice(start, stop))
        start = stop
    return found


def shared(
    work: Callable[[slice], sparse.csr_matrix], parts: Sequence[slice], threads: int
) -> sparse.csr_matrix:
    """The rows that `work` makes of every block, below each other; [0, 0] without a block."""
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(work, parts))
    return sparse.vstack(found).tocsr() if found else sparse.csr_matrix((0, 0), dtype=np.float32)


def together(taken: sparse.csr_matrix, held: int, *, threads: int = 1) -> sparse.csr_matrix:
    """float32 CSR [n, n]: X'X of zeros and ones `taken` [users, n], symmetric; about the `held`
    largest entries of every row, and the diagonal.
    """
    turned = taken.T.tocsr()

    def rows(block: slice) -> sparse.csr_matrix:
        counts = (turned[block] @ taken).tocsr()
        kept = foremost(counts, held)
        kept |= counts.indices == rows_of(counts) + block.start
        return only(counts, kept)

    found = shared(rows, blocks(np.diff(turned.indptr)), threads)
    mirrored = found.T.tocsr()  # turning a matrix also sorts its rows, and in linear time
    return mirrored.T.tocsr().maximum(mirrored)


@dataclass(frozen=True, slots=True, eq=False)
class Announced:
    """`pairs` of `plait.models.cooccurrence`, turned: rows are announced, columns announce.

    `whose` CSR [n, baskets] and `scaled` CSR [baskets, n]: the two sides of a pair. `before` and
    `behind` int32 [baskets]: how many baskets of the same user are near enough on either side.
    `worth` float32 [2 * window + 1]: what a basket counts that lies so far behind, from -window on.
    """

    whose: sparse.csr_matrix
    scaled: sparse.csr_matrix
    before: Numbers
    behind: Numbers
    worth: Floats

    @staticmethod
    def of(dataset: Dataset, config: PairConfig) -> Announced:
        """Ready to count; nothing is counted yet."""
        weighted, scaled, users = weighed_baskets(dataset, config)
        whose = weighted.T.tocsr()
        return Announced(whose, scaled, *_near(users, config.window), _worth(config))

    def rows(self, block: slice) -> sparse.csr_matrix:
        """float32 CSR [block, n], rows not sorted: one block of items, by what announces them."""
        mine = self.whose[block]
        within = (mine @ self.scaled).tocsr()
        within = only(within, within.indices != rows_of(within) + block.start)
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


def _near(users: Longs, window: int) -> tuple[Numbers, Numbers]:
    """For every basket how many of its user come before it and after it, `window` at most."""
    places = np.arange(len(users))
    first = np.searchsorted(users, users)
    last = np.searchsorted(users, users, side="right") - 1
    before, behind = np.minimum(places - first, window), np.minimum(last - places, window)
    return before.astype(np.int32), behind.astype(np.int32)


def _worth(config: PairConfig) -> Floats:
    """What the baskets from `window` before to `window` after count; 0 in the middle."""
    distances = np.arange(1, config.window + 1)
    forward = np.float64(config.discount) ** (distances - 1)
    return np.concatenate([forward[::-1], [0], config.backward * forward]).astype(np.float32)


def foremost(matrix: sparse.csr_matrix, count: int, among_equals: Unsigned | None = None) -> Bools:
    """Which entries are the `count` largest of their row, bool [nnz].

    With `among_equals` [columns], unsigned, the smallest there are taken of what equals the last of
    them. Without, all of those, or where they are more than as many again, none: rows stay bounded,
    and which entries stay does not go by how columns are numbered.
    """
    if count < 1:
        return np.zeros(matrix.nnz, np.bool_)
    kept = np.ones(matrix.nnz, np.bool_)
    for row in np.flatnonzero(np.diff(matrix.indptr) > count).tolist():
        part = slice(matrix.indptr[row], matrix.indptr[row + 1])
        values = matrix.data[part]
        border = np.partition(values, len(values) - count)[len(values) - count]
        found = values >= border
        spare = np.count_nonzero(found) - count
        if spare and among_equals is not None:
            equal = np.flatnonzero(values == border)
            order = np.argsort(among_equals[matrix.indices[part][equal]], kind="stable")
            found[equal[order[-spare:]]] = False
        elif spare > count:
            found = values > border
        kept[part] = found
    return kept


def only(matrix: sparse.csr_matrix, kept: Bools) -> sparse.csr_matrix:
    """The entries of a matrix that are `kept` [nnz], in the same order."""
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = (matrix.data[kept], matrix.indices[kept], before[matrix.indptr])
    return sparse.csr_matrix(parts, shape=matrix.shape)


def rows_of(matrix: sparse.csr_matrix) -> Numbers:
    """The row of every entry, int32 [nnz]."""
    return np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
