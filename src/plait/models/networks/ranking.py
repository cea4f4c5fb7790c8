"""How well held-out items are ranked while a network trains: NDCG@10 over all items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from plait.core.context import Held
from plait.core.ragged import Ragged
from plait.core.types import Longs, Numbers
from plait.learn.sequences import PADDING, Sequences
from plait.models.networks.reading import pieces

__all__ = ["METRIC", "HeldOut"]

METRIC = "ndcg@10"
_DEPTH = 10


class HeldOut:
    """Held-out questions in rows of items, made once and asked after every epoch.

    `rows` int32 [n_items]: the row of each item from 1, `PADDING` for those without. What cannot be
    asked or found counts as a miss.
    """

    def __init__(self, held: Held, rows: Numbers, longest: int) -> None:
        queries = held.queries
        self._count = len(queries)
        self.histories = Sequences.of(queries.history, rows, longest, least=1)
        blocked = queries.blocked if queries.blocked is not None else Ragged.empty(self._count)
        self._blocked = _in_rows(blocked, rows, self._count)
        self._targets = _in_rows(held.targets, rows, self._count)
        self._ideal = _ideal(held.targets.lengths)

    def ndcg(self, states: Callable[[Longs], Tensor], items: Tensor) -> float:
        """NDCG@10; `states(rows of the histories)` gives float32 [B, D], `items` is [n, D]."""
        gained = np.zeros(self._count)
        for chosen in pieces(self.histories.lengths):
            asked = self.histories.sources[chosen]
            scores = states(chosen) @ items.T
            gained[asked] = self._gain(scores, asked)
        return float((gained / self._ideal).mean()) if self._count else 0.0

    def _gain(self, scores: Tensor, asked: Longs) -> Longs:
        """The discounted gain of each row of `scores` [B, n]."""
        row, target = _flat(self._targets, asked)
        blocked_row, blocked = _flat(self._blocked, asked)
        kept = scores[row, target]
        scores[blocked_row, blocked] = -torch.inf
        above = (scores[row] > kept[:, None]).sum(1).numpy()
        worth = np.where(above < _DEPTH, 1 / np.log2(above + 2.0), 0.0)
        return np.bincount(row.numpy(), worth, len(asked))


def _in_rows(ragged: Ragged, rows: Numbers, count: int) -> Ragged:
    inside = ragged.values < len(rows)
    found = np.where(inside, rows[np.where(inside, ragged.values, 0)], PADDING)
    kept = found != PADDING
    counts = np.bincount(ragged.rows[kept], minlength=count)
    return Ragged.of_counts(found[kept] - 1, counts)


def _flat(ragged: Ragged, chosen: Longs) -> tuple[Tensor, Tensor]:
    """The values of the chosen rows, each with the place of its row among them."""
    starts, lengths = ragged.offsets[chosen], ragged.lengths[chosen]
    before = np.cumsum(lengths) - lengths
    flat = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    row = np.repeat(np.arange(len(chosen)), lengths)
    return torch.from_numpy(row), torch.from_numpy(ragged.values[flat].astype(np.int64))


def _ideal(counts: Longs) -> Longs:
    """The gain of a perfect list for so many targets; 1 where there are none."""
    gains = np.concatenate([[1.0], np.cumsum(1 / np.log2(np.arange(_DEPTH) + 2.0))])
    return gains[np.minimum(counts, _DEPTH)]
