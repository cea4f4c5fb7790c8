"""Runs a fitted pipeline on all queries of a split, through the code that serves answers.

The row of a model ranks what that model retrieved, by its own score, as the model alone would;
`fused` ranks the union by the final score. Items that the rules removed are in neither.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from plait.data.array_types import BoolArray, Float32Array
from plait.data.types import CandidateLists, Dataset, QueryBatch, StateView
from plait.errors import RecipeError
from plait.evaluation.ranking.fusion_rows import FusionRow
from plait.evaluation.ranking.query_metrics import BatchMetrics, ModelResult, Scorer
from plait.evaluation.results.report import FUSED
from plait.pipeline.batch_inference import batch_size, in_batches, n_active_threads
from plait.pipeline.pipeline import FALLBACK, Pipeline
from plait.pipeline.stage import Retriever, Stage
from plait.splitting.splits import Split
from plait.state import DatasetState, deltas
from plait.training.item_eligibility import with_limits
from plait.training.pipeline_fit import Progress

__all__ = [
    "final_scores",
    "rank_split",
    "require_final_score",
    "state_view_of",
    "without_explanations",
]


class _StageSeconds:
    """Seconds by stage, reported by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = defaultdict(float)

    def __call__(self, name: str, seconds: float) -> None:
        with self._lock:
            self._seconds[name] += seconds

    def of_model(self, model: str, n_threads: int) -> float:
        """Wall-clock seconds that a model took to retrieve and score with `n_threads` threads."""
        return (self._seconds[f"{model}.retrieve"] + self._seconds[f"{model}.score"]) / n_threads


def state_view_of(pipeline: Pipeline, dataset: Dataset) -> StateView:
    """Build the live state that a pipeline sees when the log stands as in `dataset`.

    Args:
        pipeline: A fitted pipeline.
        dataset: The data set.

    Returns:
        The state, and what the stages derive from it.
    """
    state = DatasetState.of(dataset)
    return StateView(state, deltas(pipeline, state))


def without_explanations(pipeline: Pipeline) -> Pipeline:
    """Remove the steps that explain answers, which do not affect scores.

    Args:
        pipeline: The pipeline.

    Returns:
        The pipeline without these steps.
    """
    return pipeline.without(*(step.name for step in pipeline.steps if "*.because" in step.reads))


def rank_split(
    pipeline: Pipeline,
    split: Split,
    scorer: Scorer,
    deepest: int,
    progress: Progress,
    fusion_rows: Sequence[FusionRow] = (),
) -> list[ModelResult]:
    """Rank the candidates of all queries.

    Args:
        pipeline: A fitted pipeline.
        split: The split to evaluate.
        scorer: Computes the metrics of the split.
        deepest: Length of the longest list that is measured.
        progress: Called with "ask", the number of finished queries, and their total.
        fusion_rows: Other fusions of the same scores.

    Returns:
        `fused` if a step fuses the models, every model, and the other fusions, with their seconds.
    """
    pipeline = without_explanations(pipeline).without(FALLBACK)  # the models are measured
    live = state_view_of(pipeline, split.query_time_data)
    queries = replace(split.queries, live=live, k=deepest)
    seconds = _StageSeconds()
    fused = [FUSED] * _has_final_score(pipeline)
    variants = [(row, row.pipeline(pipeline, split.train)) for row in fusion_rows]
    names = [*fused, *(model.name for model in pipeline.models), *(row.name for row in fusion_rows)]
    rows = {name: scorer.new_result(name) for name in names}

    def evaluate(start: int, batch: QueryBatch) -> dict[str, BatchMetrics]:
        limited = with_limits(pipeline, batch)
        scored = pipeline.retrieve_and_score(limited, seconds)
        items = pipeline.rerank(limited, scored, seconds)
        outcomes = scorer.match_targets(start, items.item_numbers)
        allowed = items.present & _allowed_by_seen_rule(batch, items)
        metrics = {
            name: scorer.batch_metrics(outcomes, final_scores(items, pipeline), allowed)
            for name in fused
        }
        for model in pipeline.models:
            scores = items.column(f"{model.name}.score")
            valid = allowed & _retrieved_by(items, model)
            metrics[model.name] = scorer.batch_metrics(outcomes, scores, valid)
        for row, variant in variants:
            reranked = variant.rerank(limited, row.candidates(scored))
            metrics[row.name] = _score_metrics(start, batch, reranked, scorer)
        return metrics

    began = time.perf_counter()
    size = batch_size(split.train.n_items)
    for start, metrics in in_batches(queries, evaluate, size=size):
        for name, batch_metrics in metrics.items():
            rows[name].add(batch_metrics)
        progress("ask", min(start + size, len(queries)), len(queries))
    rows[names[0]].evaluate_seconds = time.perf_counter() - began  # `fused`, else overwritten
    n_threads = n_active_threads(len(queries), size)
    for model in pipeline.models:
        rows[model.name].evaluate_seconds = seconds.of_model(model.name, n_threads)
    return [row.close() for row in rows.values()]


def _allowed_by_seen_rule(queries: QueryBatch, items: CandidateLists) -> BoolArray:
    """Bool [B, K]: what the protocol's seen rule permits, regardless of the recipe's rules."""
    if queries.keep_seen is None or queries.keep_seen.all():
        return np.ones(items.shape, np.bool_)
    return queries.keep_seen[:, None] | ~queries.seen.isin(items.item_numbers)


def _retrieved_by(items: CandidateLists, model: Stage) -> BoolArray:
    """Bool [B, K]: the list of one model alone, without what it scored for others."""
    if not isinstance(model, Retriever) or f"{model.name}.rank" not in items.columns:
        return items.item_numbers >= 0
    retrieved: BoolArray = items.column(f"{model.name}.rank") >= 0
    return retrieved


def require_final_score(pipeline: Pipeline) -> None:
    """Check, before anything is fitted, that a pipeline gives each candidate one score.

    Args:
        pipeline: The pipeline.

    Raises:
        RecipeError: If there are several models and no step that fuses them.
    """
    if not _has_final_score(pipeline):
        raise RecipeError(
            f"the recipe {pipeline.recipe.name!r} has {len(pipeline.models)} models and no step "
            "that writes score",
            hint="add [steps.fuse]; plait evaluate measures each model without it",
            field="steps",
        )


def _has_final_score(pipeline: Pipeline) -> bool:
    """Whether each candidate gets one score: there is a single model, or a step that fuses."""
    return len(pipeline.models) == 1 or any("score" in step.writes for step in pipeline.steps)


def final_scores(items: CandidateLists, pipeline: Pipeline) -> Float32Array:
    """Return the final scores of candidates.

    Args:
        items: Candidates [B, K] with their columns.
        pipeline: The pipeline that scored them.

    Returns:
        float32 [B, K]: the fused score, or that of the only model.
    """
    if "score" in items.columns:
        return np.asarray(items.columns["score"])
    return np.asarray(items.column(f"{pipeline.models[0].name}.score"))


def _score_metrics(
    start: int, batch: QueryBatch, items: CandidateLists, scorer: Scorer
) -> BatchMetrics:
    """The metrics of another fusion, which ranks by its own score."""
    outcomes = scorer.match_targets(start, items.item_numbers)
    allowed = items.present & _allowed_by_seen_rule(batch, items)
    return scorer.batch_metrics(outcomes, items.column("score"), allowed)
