"""The head of every scored list as groups of tied items: what all ranking metrics are made from.

Items of one score stand in a random order, so a list is a row of groups, and each position within
a group is equally likely for each of its items. Nothing below the group at the border matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.data.types import BoolArray, Float32Array, Int64Array

__all__ = ["Doubles", "TieGroups", "quantize_scores", "tie_groups"]

Doubles = npt.NDArray[np.float64]

NOISE = 1 << 6
"""Units in the last place of a float32 that are no difference: six bits, four in a million."""


@dataclass(frozen=True, slots=True, eq=False)
class TieGroups:
    """The groups that reach into the first `depth` places of B lists, row by row, best first.

    By group, G of them: `rows` int64, the list; `starts` int64, how many items stand above it;
    `sizes` int64. By member, E of them, in the order of the groups: `members` int64, the group;
    `cells` int64, the place in the flattened matrix of candidates.
    """

    batch: int
    depth: int
    rows: Int64Array
    starts: Int64Array
    sizes: Int64Array
    members: Int64Array
    cells: Int64Array

    def hits(self, relevant: BoolArray) -> Int64Array:
        """How many members of each group are `relevant` (bool [B, K]), int64 [G]."""
        found = relevant.ravel()[self.cells]
        return np.bincount(self.members[found], minlength=len(self.rows))

    def above(self, hits: Int64Array) -> Int64Array:
        """By group the sum of `hits` over the groups above it in its list, int64 [G]."""
        total = np.cumsum(hits) - hits
        first = self.starts == 0
        opening = np.zeros(self.batch, np.int64)
        opening[self.rows[first]] = total[first]
        return total - opening[self.rows]

    def inside(self, k: int) -> Int64Array:
        """How many of each group's positions lie in the first k, int64 [G]."""
        return np.clip(k - self.starts, 0, self.sizes)

    def summed(self, worth: Doubles) -> Doubles:
        """`worth` by group added up by list, float64 [B]."""
        total: Doubles = np.bincount(self.rows, worth, self.batch).astype(np.float64)
        return total


def tie_groups(scores: Float32Array, valid: BoolArray, depth: int) -> TieGroups:
    """The head of B lists, from scores float [B, K] and which candidates are `valid`, bool [B, K].

    A NaN score and minus infinity mean that an item is not in the list at all.
    """
    batch, width = scores.shape
    clean = np.where(valid & ~np.isnan(scores), quantize_scores(scores), -np.inf)
    kept = clean > -np.inf
    if 0 < depth < width:
        border = np.partition(clean, width - depth, axis=1)[:, width - depth]
        kept &= clean >= border[:, None]
    cells = np.flatnonzero(kept)
    rows, values = cells // max(width, 1), clean.ravel()[cells]
    order = np.lexsort((-values, rows))
    cells, rows, values = cells[order], rows[order], values[order]
    opens = np.ones(len(cells), np.bool_)
    opens[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    places = np.flatnonzero(opens)
    sizes = np.diff(np.append(places, len(cells)))
    heads = np.searchsorted(rows, np.arange(batch))
    starts = places - heads[rows[places]]
    members = np.cumsum(opens) - 1
    return TieGroups(batch, depth, rows[places], starts, sizes, members, cells)


def quantize_scores(scores: Float32Array) -> Float32Array:
    """Scores float [B, K] without their last bits, which the order of a sum decides.

    Items that are alike have equal scores in theory; in float32 the place where an item stands in
    an array decides which one is larger by a bit. That is chance, not knowledge: it is a tie.
    """
    if scores.dtype != np.float32:
        return scores
    bits = np.ascontiguousarray(scores).view(np.int32)
    return ((bits + NOISE // 2) & ~np.int32(NOISE - 1)).view(np.float32)
