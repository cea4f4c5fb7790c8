"""Cold and warm items ranked apart: what one ranking of all items costs either of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from plait.data.array_types import BoolArray, Int64Array
from plait.evaluation.ranking.query_metrics import ModelResult
from plait.splitting.splits import Split

__all__ = ["ALONE", "add_alone_metrics"]

ALONE = ("warm-alone", "cold-alone")
"""The slices of rankings that hold warm items only, and cold items only."""

_METRICS = ("recall", "ndcg")

_RankSplit = Callable[[Split], Sequence[ModelResult]]


def add_alone_metrics(rows: Sequence[ModelResult], test: Split, rank: _RankSplit) -> None:
    """Add the metrics of the rankings of warm items alone and of cold items alone.

    Nothing else differs from the ranking of all items: the same fitted models answer the same
    queries while the other items are out of the catalogue.

    Args:
        rows: The rows of `test`; their `list_metrics` get "recall@10|warm-alone" and so on, NaN
            for queries whose target is not of the kind.
        test: The test split with `cold`, one target a query.
        rank: Ranks the items that are alive in `query_time_data`.
    """
    for name, queries, part in _parts(test):
        ranked: Mapping[str, ModelResult] = {}
        if len(part):
            ranked = {row.model: row for row in rank(part)}
        for row in rows:
            for metric in row.user_metrics:
                if metric.partition("@")[0] in _METRICS:
                    values = np.full(len(test), np.nan)
                    if ranked:
                        values[queries] = ranked[row.model].user_metrics[metric]
                    row.list_metrics[f"{metric}|{name}"] = values


def _parts(test: Split) -> Iterator[tuple[str, Int64Array, Split]]:
    """The queries with warm targets among warm items, and those with cold targets among cold."""
    assert test.cold is not None
    is_cold = test.cold[test.targets.values]
    masks: tuple[tuple[BoolArray, BoolArray], ...] = (
        (~is_cold, ~test.cold),
        (is_cold, test.cold),
    )
    for name, (targets, items) in zip(ALONE, masks, strict=True):
        queries = test.targets.rows[targets]
        data = test.query_time_data
        catalogue = replace(data.catalogue, alive=data.catalogue.alive & items)
        part = test.take(queries)
        yield name, queries, replace(part, query_time_data=replace(data, catalogue=catalogue))
