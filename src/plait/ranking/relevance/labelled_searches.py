"""Searches whose items have labels, and the candidates of a fitted pipeline for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plait.data.array_types import Float64Array, Int32Array, Int64Array, UInt64Array
from plait.data.candidates import CandidateLists
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.data.state_view import StateView
from plait.pipeline.pipeline import Pipeline
from plait.ranking.relevance.relevance import Relevance
from plait.ranking.relevance.relevance_trees import (
    LabelledItems,
    LearnedRelevance,
    ListedItems,
    learn_relevance,
    query_hash,
)

__all__ = [
    "LabelledSearches",
    "holding_out",
    "learn_from_searches",
    "relevance_step",
    "with_learned",
]

_BATCH = 64
_MOST_LISTS = 600
"""For how many queries the whole catalogue is ranked."""

OnProgress = Callable[[str, int, int], Any]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSearches:
    """Labelled items by query.

    Attributes:
        texts: The texts of Q queries.
        offsets: Where the items of each query begin, int64 [Q + 1].
        items: Item numbers, int32 [N].
        relevance: How relevant each is, larger is better, float64 [N].
        weights: How much each counts, float64 [N].
        source: "judgements" or "log".
        unlabelled_is_irrelevant: Whether an item without a label counts as irrelevant, as for
            judgements, or as unknown, as what was never shown.
    """

    texts: tuple[str, ...]
    offsets: Int64Array
    items: Int32Array
    relevance: Float64Array
    weights: Float64Array
    source: str
    unlabelled_is_irrelevant: bool = True


def relevance_step(pipeline: Pipeline) -> Relevance | None:
    """Return the step of a pipeline that learns from labelled searches; None without any.

    Args:
        pipeline: The pipeline.
    """
    return next((step for step in pipeline.steps if isinstance(step, Relevance)), None)


def learn_from_searches(
    pipeline: Pipeline,
    searches: LabelledSearches,
    live: StateView,
    *,
    time: int,
    seed: int,
    progress: OnProgress,
) -> Pipeline:
    """Let the step `relevance` of a fitted pipeline learn from labelled searches.

    Args:
        pipeline: The fitted pipeline.
        searches: The labelled searches.
        live: What its stages see beside their bundle.
        time: When the queries are made, microseconds since 1970 UTC.
        seed: The seed of the fits.
        progress: Called with the step, how much of it is done, and how much there is.

    Returns:
        The pipeline with a step that learned; with one that did not, if there are too few queries
        or it would gain nothing.
    """
    step = relevance_step(pipeline)
    if step is None:
        return pipeline
    learned = _learned(_Candidates(pipeline, step, live, time), searches, seed, progress)
    return with_learned(pipeline, learned)


def with_learned(pipeline: Pipeline, learned: LearnedRelevance | None) -> Pipeline:
    """Return a pipeline whose step `relevance` knows something.

    Args:
        pipeline: The pipeline; one without the step stays as it is.
        learned: What the step learned; None: nothing.
    """
    step = relevance_step(pipeline)
    return pipeline if step is None else _with_step(pipeline, step, step.with_learned(learned))


def holding_out(pipeline: Pipeline, fold: int) -> Pipeline:
    """Return a pipeline whose step `relevance` has not seen the queries of a fold.

    Args:
        pipeline: A pipeline with such a step, which learned.
        fold: The fold.
    """
    step = relevance_step(pipeline)
    return pipeline if step is None else _with_step(pipeline, step, step.holding_out(fold))


def _with_step(pipeline: Pipeline, old: Relevance, new: Relevance) -> Pipeline:
    steps = tuple(new if step is old else step for step in pipeline.steps)
    return replace(pipeline, steps=steps)


def _learned(
    candidates: _Candidates, searches: LabelledSearches, seed: int, progress: OnProgress
) -> LearnedRelevance | None:
    hashes = np.array([query_hash(text) for text in searches.texts], np.uint64)
    labelled = candidates.of_labels(searches, hashes, progress)
    listed = candidates.of_catalogue(searches, hashes, progress)
    return learn_relevance(
        candidates.names,
        labelled,
        listed,
        source=searches.source,
        max_trees=candidates.step.config.max_trees,
        seed=seed,
    )


class _Candidates:
    """Candidates of a pipeline with their features, as the step will see them.

    Args:
        pipeline: The fitted pipeline.
        step: Its step.
        live: What its stages see beside their bundle.
        time: When the queries are made.
    """

    def __init__(self, pipeline: Pipeline, step: Relevance, live: StateView, time: int) -> None:
        self.step = step
        self.names: tuple[str, ...] = ()
        self._pipeline, self._live, self._time = pipeline, live, time
        self._before = replace(pipeline, steps=pipeline.steps[: pipeline.steps.index(step)])

    def of_labels(
        self, searches: LabelledSearches, hashes: UInt64Array, progress: OnProgress
    ) -> LabelledItems:
        """The labelled items of all queries."""
        features, sums = [], []
        labelled = Ragged(searches.items, searches.offsets)
        for start in range(0, len(searches.texts), _BATCH):
            progress("read labelled searches", start, len(searches.texts))
            rows = labelled.slice(start, min(start + _BATCH, len(searches.texts)))
            queries, items = self._scored(searches.texts[start : start + len(rows)], rows)
            columns = np.tile(np.arange(items.shape[1]), (len(rows), 1))
            is_item = columns < rows.lengths[:, None]
            features.append(self.step.features(queries, items, columns)[is_item])
            sums.append(items.columns["score"][is_item])
            self.names = self.step.feature_names(items)
        return LabelledItems(
            hashes,
            searches.offsets,
            np.concatenate(features),
            np.concatenate(sums),
            searches.relevance,
            searches.weights,
        )

    def of_catalogue(
        self, searches: LabelledSearches, hashes: UInt64Array, progress: OnProgress
    ) -> ListedItems:
        """The best candidates of the catalogue for an even sample of the queries."""
        rows = np.arange(0, len(searches.texts), max(1, -(-len(searches.texts) // _MOST_LISTS)))
        shape = (len(rows), self.step.config.depth)
        features = np.zeros((*shape, len(self.names)), np.float32)
        sums, gains = np.full(shape, np.nan, np.float32), np.zeros(shape)
        for at, row in enumerate(rows.tolist()):
            if at % 20 == 0:
                progress("rank the catalogue", at, len(rows))
            queries, items = self._scored(searches.texts[row : row + 1], None)
            score = np.where(items.present, items.columns["score"], np.float32(np.nan))
            columns = np.argsort(-np.nan_to_num(score, nan=-np.inf), axis=1, kind="stable")
            columns = columns[:, : shape[1]]
            width = columns.shape[1]
            numbers = np.take_along_axis(items.item_numbers, columns, axis=1)[0]
            features[at, :width] = self.step.features(queries, items, columns)[0]
            sums[at, :width] = np.take_along_axis(score, columns, axis=1)[0]
            gains[at, :width] = _gains(searches, row, numbers)
        if not searches.unlabelled_is_irrelevant:
            sums[np.isnan(gains)] = np.nan
        gains = np.nan_to_num(gains)
        return ListedItems(hashes[rows], features, sums, gains)

    def _scored(
        self, texts: Sequence[str], rows: Ragged | None
    ) -> tuple[QueryBatch, CandidateLists]:
        """Queries with their candidates after the steps before this one.

        The candidates are `rows`; None: those that the models retrieve.
        """
        batch = len(texts)
        queries = replace(
            QueryBatch.of_histories(
                History.empty(batch), times=np.full(batch, self._time, np.int64)
            ),
            texts=tuple(texts),
            candidates=rows,
            keep_seen=np.ones(batch, np.bool_),
            live=self._live,
        )
        limited = self._pipeline.limit(queries)
        items = self._before.retrieve_and_score(limited)
        return limited, self._before.rerank(limited, items)


def _gains(searches: LabelledSearches, row: int, numbers: Int32Array) -> Float64Array:
    """The relevance of items to a query, from 0 to 1, NaN without a label, float64 [K]."""
    start, end = searches.offsets[row : row + 2].tolist()
    low, high = float(searches.relevance.min()), float(searches.relevance.max())
    grades = (searches.relevance[start:end] - low) / max(high - low, 1e-9)
    by_item = dict(zip(searches.items[start:end].tolist(), grades.tolist(), strict=True))
    return np.array([by_item.get(number, np.nan) for number in numbers.tolist()])
