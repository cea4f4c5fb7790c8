"""Evaluation queries: users, the part of their history that may be known, and their targets.

A user's history is a range of the data set's interactions, ordered by time. Nothing behind the end
of the range reaches a query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plait.data.array_types import ABSENT, Int32Array, Int64Array
from plait.data.dataset import Dataset, event_type_weights
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged, index_ranges, offsets_of

__all__ = ["EvalQueries", "queries_of"]


@dataclass(frozen=True, slots=True, eq=False)
class EvalQueries:
    """B evaluation queries.

    Attributes:
        users: int32 [B], user numbers.
        starts: int64 [B], the first interaction of each history.
        stops: int64 [B], the interaction after the last.
        times: int64 [B], microseconds, when each query is made.
        targets: the relevant items of each.
    """

    users: Int32Array
    starts: Int64Array
    stops: Int64Array
    times: Int64Array
    targets: Ragged

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Int64Array) -> EvalQueries:
        """Select queries.

        Args:
            rows: int64, the queries, in any order.

        Returns:
            The queries in the order of `rows`.
        """
        return EvalQueries(
            self.users[rows],
            self.starts[rows],
            self.stops[rows],
            self.times[rows],
            self.targets.take(rows),
        )

    def sampled(self, max_queries: int, seed: int) -> EvalQueries:
        """Draw queries without replacement.

        Args:
            max_queries: how many to draw; 0: all.
            seed: seeds the draw.

        Returns:
            The drawn queries, in their order.
        """
        if not max_queries or len(self) <= max_queries:
            return self
        drawn = np.random.default_rng(seed).permutation(len(self))[:max_queries]
        return self.take(np.sort(drawn))


def queries_of(
    dataset: Dataset,
    eval_queries: EvalQueries,
    event_weights: Mapping[str, float],
    keep_seen: bool | None,
) -> QueryBatch:
    """Turn evaluation queries into the input of a pipeline.

    Args:
        dataset: the data set that the queries refer to.
        eval_queries: B queries.
        event_weights: weights by event type; histories hold the events of positive weight.
        keep_seen: whether seen items may be recommended; None leaves it to the recipe.

    Returns:
        The batch, without the targets.
    """
    counts = eval_queries.stops - eval_queries.starts
    events = dataset.interactions.take(index_ranges(eval_queries.starts, counts))
    weights = event_type_weights(dataset.event_types, event_weights)[events.event_types]
    history = History(offsets_of(counts), events.items, events.times, weights, events.event_types)
    batch = len(eval_queries)
    nothing = Ragged.empty(batch)
    contexts: tuple[Mapping[str, Any], ...] = ({},) * batch
    if dataset.users.columns:
        contexts = tuple(
            {} if user == ABSENT else {"user": dataset.users.fields(user)}
            for user in eval_queries.users.tolist()
        )
    return QueryBatch(
        users=np.where(counts > 0, eval_queries.users, ABSENT).astype(np.int32),
        history=history.filter(weights > 0),
        seen=history.ragged,
        rejected=history.filter(weights < 0).ragged,
        items=nothing,
        texts=(None,) * batch,
        contexts=contexts,
        filters=(None,) * batch,
        exclude=nothing,
        times=eval_queries.times,
        keep_seen=None if keep_seen is None else np.full(batch, keep_seen),
        events=history,
        is_replayed=True,
    )
