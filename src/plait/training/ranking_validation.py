"""Ranking quality on held-out queries while a network trains: NDCG@10 over all items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.data.ragged import Ragged
from plait.metrics.dcg import ideal_dcg
from plait.pipeline.fit_context import ValidationSet
from plait.training.sequence_batches import PADDING, Sequences, length_buckets

__all__ = ["METRIC", "RankingValidation"]

METRIC = "ndcg@10"
_DEPTH = 10

_CELLS = 1 << 22
"""Scores held at a time."""

_GAINS = ideal_dcg(_DEPTH)
"""Entry n is the sum of the discounts of the first n ranks."""


class RankingValidation:
    """NDCG@10 on a validation set, whose queries are prepared once and used after every epoch.

    A query that no network can answer counts as 0, and so does a target whose score is not finite.
    Ties are resolved in expectation over a random order (McSherry & Najork, ECIR 2008), so that a
    network that gives all items the same score is no better than chance. Blocked and masked items
    do not compete. Queries without a target do not count.

    Args:
        validation: Held-out queries and targets.
        rows: int32 [n_items], the table row of each item from 1; `PADDING` for items without one.
        max_length: Events read from a history at most.
        max_queries: Queries evaluated at most, evenly spaced; 0: all.
    """

    def __init__(
        self, validation: ValidationSet, rows: Int32Array, max_length: int, max_queries: int = 0
    ) -> None:
        queries, targets = validation.queries, validation.targets
        self._count = len(queries)
        self.histories = Sequences.of(queries.history, rows, max_length, min_length=1)
        blocked = queries.blocked if queries.blocked is not None else Ragged.empty(self._count)
        self._blocked = _as_columns(blocked, rows, self._count)
        self._targets = _as_columns(targets, rows, self._count)
        self._masked = _masked_columns(queries.mask, rows)
        self._evaluated = _subsample(targets.lengths > 0, max_queries)
        ideal = _GAINS[np.minimum(targets.lengths, _DEPTH)]
        self._ideal: Float64Array = np.maximum(ideal, 1.0)

    def ndcg(self, states: Callable[[Int64Array], Tensor], items: Tensor) -> float:
        """Compute NDCG@10 of a network that maps histories to vectors.

        Args:
            states: Maps numbers of histories int64 [b] to vectors float32 [b, D].
            items: float32 [n, D], the vectors of the items, by table row less 1.
        """
        size = _rows_at_once(len(items))

        def scored() -> Iterator[tuple[Int64Array, Tensor]]:
            for chosen in length_buckets(self.histories.lengths):
                vectors, sources = states(chosen), self.histories.sources[chosen]
                for start in range(0, len(chosen), size):
                    block = slice(start, start + size)
                    yield sources[block], vectors[block] @ items.T

        return self.ndcg_of_scores(scored())

    def batches(self, width: int) -> Iterator[Int64Array]:
        """Yield numbers of queries that can be answered, as many as may be scored together.

        Args:
            width: Items that are scored for each query.
        """
        size = _rows_at_once(width)
        queries = self.histories.sources[self._evaluated[self.histories.sources]]
        for start in range(0, len(queries), size):
            yield queries[start : start + size]

    def ndcg_of_scores(self, scored: Iterable[tuple[Int64Array, Tensor]]) -> float:
        """Compute NDCG@10 from scores.

        Args:
            scored: Batches: numbers of queries int64 [b] and their scores float32 [b, n], which are
                overwritten. Queries in no batch count as 0.
        """
        gains = np.zeros(self._count)
        for query_numbers, scores in scored:
            gains[query_numbers] = self._gains(scores, query_numbers)
        ndcg = (gains / self._ideal)[self._evaluated]
        return float(ndcg.mean()) if len(ndcg) else 0.0

    def _gains(self, scores: Tensor, query_numbers: Int64Array) -> Float64Array:
        """The discounted gain of each row of `scores` [b, n], a block of targets at a time."""
        rows, targets = _flatten(self._targets, query_numbers)
        blocked_rows, blocked = _flatten(self._blocked, query_numbers)
        target_scores = scores[rows, targets]
        scores[blocked_rows, blocked] = -torch.inf
        if self._masked is not None:
            masked = self._masked if len(self._masked) == 1 else self._masked[query_numbers]
            scores.masked_fill_(torch.from_numpy(masked).to(scores.device), -torch.inf)
        size = _rows_at_once(scores.shape[1])
        target_gains = np.zeros(len(rows))
        for start in range(0, len(rows), size):
            block = slice(start, start + size)
            target_gains[block] = _expected_gains(
                scores[rows[block]], targets[block], target_scores[block]
            )
        gains = np.zeros(len(query_numbers))
        np.add.at(gains, rows.numpy(), target_gains)
        return gains


def _rows_at_once(width: int) -> int:
    """How many rows of `width` scores are held at a time."""
    return max(_CELLS // max(width, 1), 1)


def _expected_gains(scores: Tensor, targets: Tensor, target_scores: Tensor) -> Float64Array:
    """The expected gain of each target over random orders of ties, float64 [P].

    `scores` [P, n] are those of the target's row, overwritten; `target_scores` [P] its own.
    """
    scores[torch.arange(len(scores)), targets] = -torch.inf
    n_above = (scores > target_scores[:, None]).sum(1)
    reachable = torch.nonzero((n_above < _DEPTH) & target_scores.isfinite()).squeeze(1)
    tied = (scores[reachable] == target_scores[reachable, None]).sum(1).cpu().numpy() + 1
    first = n_above[reachable].cpu().numpy()
    gains = np.zeros(len(target_scores))
    tied_gains = _GAINS[np.minimum(first + tied, _DEPTH)] - _GAINS[first]
    gains[reachable.cpu().numpy()] = tied_gains / tied
    return gains


def _subsample(mask: BoolArray, count: int) -> BoolArray:
    """At most `count` of the true entries of `mask` (0: all), evenly spaced."""
    positions = np.flatnonzero(mask)
    if not count or len(positions) <= count:
        return mask
    subsample = np.zeros_like(mask)
    subsample[positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]] = True
    return subsample


def _as_columns(items: Ragged, rows: Int32Array, count: int) -> Ragged:
    """Item numbers as columns of scores, table row less 1; items without a row are dropped."""
    is_fitted = items.values < len(rows)
    table_rows = np.where(is_fitted, rows[np.where(is_fitted, items.values, 0)], PADDING)
    has_row = table_rows != PADDING
    counts = np.bincount(items.rows[has_row], minlength=count)
    return Ragged.from_lengths(table_rows[has_row] - 1, counts)


def _masked_columns(mask: BoolArray | None, rows: Int32Array) -> BoolArray | None:
    """bool [1 or B, n]: the columns that `mask` rules out; None where it rules out none."""
    if mask is None:
        return None
    items = np.flatnonzero(rows != PADDING)
    allowed = np.zeros((len(mask), max(len(rows), mask.shape[1])), np.bool_)
    allowed[:, : mask.shape[1]] = mask
    masked = np.zeros((len(mask), len(items)), np.bool_)
    masked[:, rows[items] - 1] = ~allowed[:, items]
    return masked if masked.any() else None


def _flatten(ragged: Ragged, chosen: Int64Array) -> tuple[Tensor, Tensor]:
    """The chosen rows, flat: for each value the position of its row in `chosen`, and the value."""
    starts, lengths = ragged.offsets[chosen], ragged.lengths[chosen]
    before = np.cumsum(lengths) - lengths
    flat = np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
    rows = np.repeat(np.arange(len(chosen)), lengths)
    return torch.from_numpy(rows), torch.from_numpy(ragged.values[flat].astype(np.int64))
