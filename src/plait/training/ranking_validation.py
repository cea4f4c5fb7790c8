"""How well held-out items are ranked while a network trains: NDCG@10 over all items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from plait.data.ragged import Ragged
from plait.data.types import BoolArray, Int32Array, Int64Array
from plait.pipeline.fit_context import ValidationSet
from plait.training.sequence_batches import PADDING, Sequences, length_buckets

__all__ = ["METRIC", "RankingValidation"]

METRIC = "ndcg@10"
_DEPTH = 10

_Gains = npt.NDArray[np.float64]

_CELLS = 1 << 22
"""How many scores there may be at once."""

_GAINS: _Gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(_DEPTH) + 2.0))])
"""What the first so many places are worth together."""


class RankingValidation:
    """Held-out questions in rows of items, made once and asked after every epoch.

    `rows` int32 [n_items]: the row of each item from 1, `PADDING` for those without. What cannot be
    asked or found counts as a miss, and so does a target whose score is not finite. Equal scores
    count as in an order drawn by lot: a network that tells nothing apart is no better than chance.
    What a question blocks or masks is no rival, and a question without a target is none. Of more
    than `most` questions so many count, evenly spaced; 0: all.
    """

    def __init__(self, held: ValidationSet, rows: Int32Array, longest: int, most: int = 0) -> None:
        queries = held.queries
        self._count = len(queries)
        self.histories = Sequences.of(queries.history, rows, longest, least=1)
        blocked = queries.blocked if queries.blocked is not None else Ragged.empty(self._count)
        self._blocked = _in_rows(blocked, rows, self._count)
        self._targets = _in_rows(held.targets, rows, self._count)
        self._barred = _barred(queries.mask, rows)
        self._counted = _spaced(held.targets.lengths > 0, most)
        self._ideal = _ideal(held.targets.lengths)

    def ndcg(self, states: Callable[[Int64Array], Tensor], items: Tensor) -> float:
        """NDCG@10; `states(rows of the histories)` gives float32 [B, D], `items` is [n, D]."""
        most = _at_once(len(items))

        def scored() -> Iterator[tuple[Int64Array, Tensor]]:
            for chosen in length_buckets(self.histories.lengths):
                found, sources = states(chosen), self.histories.sources[chosen]
                for start in range(0, len(chosen), most):
                    yield sources[start : start + most], found[start : start + most] @ items.T

        return self.judged(scored())

    def batches(self, width: int) -> Iterator[Int64Array]:
        """The questions that can be asked, as many together as may be scored over `width` items."""
        most = _at_once(width)
        found = self.histories.sources[self._counted[self.histories.sources]]
        for start in range(0, len(found), most):
            yield found[start : start + most]

    def judged(self, scored: Iterable[tuple[Int64Array, Tensor]]) -> float:
        """NDCG@10 from pieces: some questions, and float32 [B, n] what they give each item."""
        gained = np.zeros(self._count)
        for asked, scores in scored:
            gained[asked] = self._gain(scores, asked, _at_once(scores.shape[1]))
        found = (gained / self._ideal)[self._counted]
        return float(found.mean()) if len(found) else 0.0

    def _gain(self, scores: Tensor, asked: Int64Array, most: int) -> _Gains:
        """The discounted gain of each row of `scores` [B, n], `most` targets at a time."""
        row, target = _flat(self._targets, asked)
        blocked_row, blocked = _flat(self._blocked, asked)
        kept = scores[row, target]
        scores[blocked_row, blocked] = -torch.inf
        if self._barred is not None:
            mine = self._barred if len(self._barred) == 1 else self._barred[asked]
            scores.masked_fill_(torch.from_numpy(mine).to(scores.device), -torch.inf)
        worth = np.zeros(len(row))
        for start in range(0, len(row), most):
            part = slice(start, start + most)
            worth[part] = _worth(scores[row[part]], target[part], kept[part])
        gained = np.zeros(len(asked))
        np.add.at(gained, row.numpy(), worth)
        return gained


def _at_once(width: int) -> int:
    """How many rows of `width` scores there may be at once."""
    return max(_CELLS // max(width, 1), 1)


def _worth(rivals: Tensor, target: Tensor, kept: Tensor) -> _Gains:
    """What each target gains on average over the orders of its equals, float64 [P].

    `rivals` [P, n] are the scores of its row, written to, and `kept` [P] its own.
    """
    rivals[torch.arange(len(rivals)), target] = -torch.inf
    above = (rivals > kept[:, None]).sum(1)
    near = torch.nonzero((above < _DEPTH) & kept.isfinite()).squeeze(1)
    equal = (rivals[near] == kept[near, None]).sum(1).cpu().numpy() + 1
    first = above[near].cpu().numpy()
    found = np.zeros(len(kept))
    gains = _GAINS[np.minimum(first + equal, _DEPTH)] - _GAINS[first]
    found[near.cpu().numpy()] = gains / equal
    return found


def _spaced(counted: BoolArray, most: int) -> BoolArray:
    """At most `most` of those that count (0: all), evenly spaced."""
    there = np.flatnonzero(counted)
    if not most or len(there) <= most:
        return counted
    found = np.zeros_like(counted)
    found[there[np.linspace(0, len(there) - 1, most).astype(np.int64)]] = True
    return found


def _in_rows(ragged: Ragged, rows: Int32Array, count: int) -> Ragged:
    inside = ragged.values < len(rows)
    found = np.where(inside, rows[np.where(inside, ragged.values, 0)], PADDING)
    kept = found != PADDING
    counts = np.bincount(ragged.rows[kept], minlength=count)
    return Ragged.from_lengths(found[kept] - 1, counts)


def _barred(mask: BoolArray | None, rows: Int32Array) -> BoolArray | None:
    """bool [1 or B, n]: the rows of items that `mask` rules out; None where it rules out none."""
    if mask is None:
        return None
    items = np.flatnonzero(rows != PADDING)
    wide = np.zeros((len(mask), max(len(rows), mask.shape[1])), np.bool_)
    wide[:, : mask.shape[1]] = mask
    found = np.zeros((len(mask), len(items)), np.bool_)
    found[:, rows[items] - 1] = ~wide[:, items]
    return found if found.any() else None


def _flat(ragged: Ragged, chosen: Int64Array) -> tuple[Tensor, Tensor]:
    """The values of the chosen rows, each with the place of its row among them."""
    starts, lengths = ragged.offsets[chosen], ragged.lengths[chosen]
    before = np.cumsum(lengths) - lengths
    flat = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    row = np.repeat(np.arange(len(chosen)), lengths)
    return torch.from_numpy(row), torch.from_numpy(ragged.values[flat].astype(np.int64))


def _ideal(counts: Int64Array) -> _Gains:
    """The gain of a perfect list for so many targets; 1 where there are none."""
    found: _Gains = np.maximum(_GAINS[np.minimum(counts, _DEPTH)], 1.0)
    return found
