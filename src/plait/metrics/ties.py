"""The head of scored lists as groups of tied items, from which all ranking metrics are computed.

Items of equal score stand in random order: a list is a sequence of groups, and each position within
a group is equally likely for each of its items. Groups below the cut-off do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Float64Array, Int64Array

__all__ = ["TieGroups", "quantize_scores", "tie_groups"]

_NOISE = 1 << 6
"""Units in the last place of a float32 that count as equal: six bits, four in a million."""


@dataclass(frozen=True, slots=True, eq=False)
class TieGroups:
    """The groups that reach into the first `depth` positions of lists, best first.

    Attributes:
        batch: the number of lists, B.
        depth: how many positions the groups cover.
        rows: int64 [G], the list of each group; ascending.
        starts: int64 [G], how many items of the list are above the group.
        sizes: int64 [G], the items of each group.
        members: int64 [E], the group of each member, in the order of the groups.
        cells: int64 [E], the position of each member in the flattened matrix of candidates.
    """

    batch: int
    depth: int
    rows: Int64Array
    starts: Int64Array
    sizes: Int64Array
    members: Int64Array
    cells: Int64Array

    def hits(self, relevant: BoolArray) -> Int64Array:
        """Count the relevant members of each group.

        Args:
            relevant: bool [B, K], by candidate.

        Returns:
            int64 [G].
        """
        is_hit = relevant.ravel()[self.cells]
        return np.bincount(self.members[is_hit], minlength=len(self.rows))

    def above(self, hits: Int64Array) -> Int64Array:
        """Add up a count over the groups above each group in its list.

        Args:
            hits: int64 [G].

        Returns:
            int64 [G].
        """
        total = np.cumsum(hits) - hits
        is_first = self.starts == 0
        list_totals = np.zeros(self.batch, np.int64)
        list_totals[self.rows[is_first]] = total[is_first]
        return total - list_totals[self.rows]

    def inside(self, k: int) -> Int64Array:
        """Count the positions of each group that are among the first of its list.

        Args:
            k: the cut-off.

        Returns:
            int64 [G].
        """
        return np.clip(k - self.starts, 0, self.sizes)

    def summed(self, values: Float64Array) -> Float64Array:
        """Add up values of groups by list.

        Args:
            values: float64 [G].

        Returns:
            float64 [B].
        """
        totals: Float64Array = np.bincount(self.rows, values, self.batch).astype(np.float64)
        return totals


def tie_groups(scores: npt.NDArray[np.floating], valid: BoolArray, depth: int) -> TieGroups:
    """Group the best candidates of each list by score.

    Args:
        scores: floats [B, K]; candidates with NaN or minus infinity are not in the list.
        valid: bool [B, K], which candidates are in the list.
        depth: how many positions of each list to cover.

    Returns:
        The groups, the last of which may reach beyond `depth`.
    """
    batch, width = scores.shape
    clean = np.where(valid & ~np.isnan(scores), quantize_scores(scores), -np.inf)
    in_head = clean > -np.inf
    if 0 < depth < width:
        threshold = np.partition(clean, width - depth, axis=1)[:, width - depth]
        in_head &= clean >= threshold[:, None]
    cells = np.flatnonzero(in_head)
    rows, values = cells // max(width, 1), clean.ravel()[cells]
    order = np.lexsort((-values, rows))
    cells, rows, values = cells[order], rows[order], values[order]
    is_first = np.ones(len(cells), np.bool_)
    is_first[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    first = np.flatnonzero(is_first)
    sizes = np.diff(np.append(first, len(cells)))
    list_starts = np.searchsorted(rows, np.arange(batch))
    starts = first - list_starts[rows[first]]
    members = np.cumsum(is_first) - 1
    return TieGroups(batch, depth, rows[first], starts, sizes, members, cells)


def quantize_scores(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Drop the last bits of scores, which depend on the order of summation.

    The scores of identical items are equal in theory; in float32 the position of an item in an
    array can decide which one is larger by a bit. That is a tie.

    Args:
        scores: floats [B, K]; only float32 is changed.

    Returns:
        Scores of the same shape and dtype.
    """
    if scores.dtype != np.float32:
        return scores
    bits = np.ascontiguousarray(scores).view(np.int32)
    return ((bits + _NOISE // 2) & ~np.int32(_NOISE - 1)).view(np.float32)
