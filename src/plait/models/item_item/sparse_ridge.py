"""Ridge regressions of few items each: linear item models for catalogues too large to invert.

In the line of SLIM (Ning & Karypis, ICDM 2011) and of the sparse approximation of EASE by Steck
(NeurIPS 2019): each item is predicted from the `among` items that come with it most, measured
against their popularity. Where `among` covers all items, and all of them come together, this is the
dense solution itself. Memory and time grow with the number of items, not with its square; events
are read block by block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.data.types import Dataset, Float32Array, Int32Array
from plait.errors import PlaitError
from plait.features.blockwise import (
    blocks,
    filter_entries,
    gram_top_entries,
    map_blocks,
    row_topk_mask,
    rows_of,
)
from plait.features.interactions import interaction_matrix
from plait.models.item_item.cooccurrence import CooccurrenceCounts, PairConfig

__all__ = ["HELD", "sparse_ridge"]

_CELLS = 1 << 19
"""How many entries of small matrices are solved at a time: few enough to stay in the cache."""

HELD = 400
"""So many entries of each row of X'X are held, the largest; the rest counts as zero."""

Places = npt.NDArray[np.int64]


def sparse_ridge(
    dataset: Dataset, config: PairConfig, *, l2: float, among: int, order: bool, threads: int = 2
) -> sparse.csr_matrix:
    """float32 CSR [n, n]: how strongly the row's item announces the column's.

    At most `among` entries a column, beside the item itself. With `order` the ordered pairs of
    `plait.models.item_item.cooccurrence` are predicted, else whether the item was taken (EASE: an
    item does not predict itself). The result does not depend on `threads`. Raises PlaitError where
    `l2` is too weak for a matrix to be inverted.
    """
    taken = interaction_matrix(dataset)
    gram = gram_top_entries(taken, HELD, threads=threads)
    wanted = CooccurrenceCounts.of(dataset, config).turned.rows if order else gram.__getitem__
    ridges = _Ridges.of(gram, dataset.catalogue.tiebreak, l2=l2, among=among, itself=order)

    def solved(block: slice) -> sparse.csr_matrix:
        return ridges.solved(wanted(block), block.start)

    parts = blocks(np.bincount(dataset.interactions.items, minlength=dataset.n_items))
    return map_blocks(solved, parts, threads).T.tocsr()


@dataclass(frozen=True, slots=True, eq=False)
class _Ridges:
    """The regressions of one X'X: `half` of it, with every pair of items once.

    `scale` float32 [n]: one over the root of how often an item was taken. `tiebreak` [n]: who is
    chosen among equals. `itself`: whether an item is also predicted from itself.
    """

    half: sparse.csr_matrix
    scale: Float32Array
    tiebreak: npt.NDArray[np.uint64]
    l2: float
    among: int
    itself: bool

    @staticmethod
    def of(
        gram: sparse.csr_matrix,
        tiebreak: npt.NDArray[np.uint64],
        *,
        l2: float,
        among: int,
        itself: bool,
    ) -> _Ridges:
        counts = gram.diagonal()
        scale = (1 / np.sqrt(np.maximum(counts, 1))).astype(np.float32)
        return _Ridges(_halved(gram, counts), scale, tiebreak, l2, among, itself)

    def solved(self, targets: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
        """CSR [block, n]: the weights from which `targets`, the items from `first` on, follow."""
        chosen = self._chosen(targets, first)
        order = np.argsort(np.diff(chosen.indptr), kind="stable")  # like lengths go together
        chosen = chosen[order]
        lengths = np.diff(chosen.indptr)
        found, stop = np.zeros(chosen.nnz, np.float32), len(order)
        while stop and lengths[stop - 1]:
            start = max(0, stop - _many(int(lengths[stop - 1]), chosen.shape[1]))
            weights = _weights(chosen[start:stop], self.half, self.l2)
            found[chosen.indptr[start] : chosen.indptr[stop]] = weights
            stop = start
        weighed = sparse.csr_matrix((found, chosen.indices, chosen.indptr), shape=chosen.shape)
        return weighed[np.argsort(order)]

    def _chosen(self, targets: sparse.csr_matrix, first: int) -> sparse.csr_matrix:
        """The entries of `targets` at the items that predict each row, sorted.

        An item takes part in what foretells it: who has it lately need not be told.
        """
        rows, columns = rows_of(targets), targets.indices
        own = columns == rows + first
        worth = np.where(own, 0, targets.data * self.scale[columns])
        ranked = sparse.csr_matrix((worth, columns, targets.indptr), shape=targets.shape)
        kept = row_topk_mask(ranked, self.among, self.tiebreak) & ~own
        rows, columns, values = rows[kept], columns[kept], targets.data[kept]
        if self.itself:
            inside = np.arange(targets.shape[0])
            rows = np.concatenate([rows, inside])
            columns = np.concatenate([columns, inside + first])
            values = np.concatenate([values, targets.diagonal(first)])
        return sparse.csr_matrix((values, (rows, columns)), shape=targets.shape)


def _halved(gram: sparse.csr_matrix, counts: Float32Array) -> sparse.csr_matrix:
    """A symmetric matrix with every pair once, in the row of the rarer item.

    Who comes often is met by more items than are held of a row, and its row is read often too.
    """
    place = np.empty(len(counts), np.int32)
    place[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    return filter_entries(gram, place[rows_of(gram)] <= place[gram.indices])


def _many(width: int, n_items: int) -> int:
    """How many systems of `width` unknowns are solved at a time."""
    return max(1, _CELLS // max(width**2, n_items // 16))


def _weights(chosen: sparse.csr_matrix, half: sparse.csr_matrix, l2: float) -> Float32Array:
    """float32 [nnz]: the ridge weights of the entries of `chosen`, each row a system of its own."""
    lengths = np.diff(chosen.indptr)
    inside = np.arange(lengths.max())
    rows = rows_of(chosen)
    places = np.arange(chosen.nnz) - chosen.indptr[rows]
    small = _systems(chosen, rows, places, half)
    small[:, inside, inside] += np.where(inside < lengths[:, None], l2, 1)  # 1: beyond a short row
    right = np.zeros(small.shape[:2], np.float32)
    right[rows, places] = chosen.data
    try:
        found = np.linalg.solve(small, right[:, :, None])[rows, places, 0]
    except np.linalg.LinAlgError as problem:
        raise PlaitError("linear: the ridge is too weak to invert", hint="raise l2") from problem
    weights: Float32Array = found
    return weights


def _systems(
    chosen: sparse.csr_matrix, rows: Int32Array, places: Places, half: sparse.csr_matrix
) -> Float32Array:
    """float32 [rows, width, width]: what is held of X'X among the items of each row of `chosen`.

    Whole rows of `half` are read, in one sweep each; a table says which of their items are among
    those of the row, and where. To look up the few that are is many times slower.
    """
    count, size = chosen.shape
    table = np.full(count * size, -1, np.int32)
    starts = rows * np.int64(size)
    table[starts + chosen.indices] = places
    near = half[chosen.indices]
    at = table.take(np.repeat(starts, np.diff(near.indptr)) + near.indices)
    hit = np.flatnonzero(at >= 0)
    owner = rows_of(near)[hit]
    row, one, other = rows[owner], places[owner], at[hit]
    width = int(places.max()) + 1
    small = np.zeros((count, width, width), np.float32)
    small[row, one, other] = small[row, other, one] = near.data[hit]
    return small
