"""Asks a fitted pipeline everything in a split, by the road that serves: one pass for all rows.

The row of a strand ranks what that strand brought, by its own score, as the strand alone would
answer; `fused` ranks the union by the final score. Whatever the rules took out is in neither.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import replace

import numpy as np

from plait.data.types import BoolArray, CandidateLists, Dataset, Float32Array, QueryBatch, StateView
from plait.errors import RecipeError
from plait.evaluation.ranking.per_user import BatchMetrics, ModelResult, Scorer
from plait.evaluation.results.report import FUSED
from plait.pipeline.batch_inference import batch_size, in_batches, n_active_threads
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import Retriever, Stage
from plait.splitting.splits import Split
from plait.state import DatasetState, deltas
from plait.training.recipe_fit import Progress, with_limits

__all__ = ["answered", "final_scores", "state_view_of"]


class _Seconds:
    """Seconds by stage, told by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, float] = defaultdict(float)

    def __call__(self, name: str, seconds: float) -> None:
        with self._lock:
            self._spent[name] += seconds

    def of(self, strand: str, threads: int) -> float:
        """What retrieving and scoring took of the clock on the wall, so many threads working."""
        spent = sum(self._spent[f"{strand}.{part}"] for part in ("retrieve", "score"))
        return spent / threads


def state_view_of(pipeline: Pipeline, dataset: Dataset) -> StateView:
    """What a pipeline sees beside its bundle when the log stands as in `dataset`."""
    state = DatasetState.of(dataset)
    return StateView(state, deltas(pipeline, state))


def answered(
    pipeline: Pipeline, split: Split, scorer: Scorer, deepest: int, seed: int, progress: Progress
) -> list[ModelResult]:
    """`fused` and a row for every strand, with their seconds of evaluation.

    `deepest`: the longest list that is looked at. Nothing is explained.
    """
    quiet = pipeline.without(*(one.name for one in pipeline.steps if "*.because" in one.reads))
    live = state_view_of(pipeline, split.asked)
    queries = replace(split.queries, live=live, k=deepest, seed=seed)
    seconds = _Seconds()
    rows = {name: scorer.row(name) for name in (FUSED, *(one.name for one in quiet.models))}

    def work(start: int, piece: QueryBatch) -> dict[str, BatchMetrics]:
        asked_now = with_limits(quiet, piece)
        items = quiet.rerank(asked_now, quiet.retrieve_and_score(asked_now, seconds), seconds)
        asked = scorer.asked(start, items.item_numbers)
        allowed = items.present & _unseen(piece, items)
        found = {FUSED: scorer.piece(asked, final_scores(items, quiet), allowed)}
        for strand in quiet.models:
            scores = items.column(f"{strand.name}.score")
            found[strand.name] = scorer.piece(asked, scores, allowed & _brought(items, strand))
        return found

    began = time.perf_counter()
    size = batch_size(split.train.n_items)
    for start, found in in_batches(queries, work, size=size):
        for name, one in found.items():
            rows[name].add(one)
        progress("ask", min(start + size, len(queries)), len(queries))
    rows[FUSED].evaluate_seconds = time.perf_counter() - began
    for strand in quiet.models:
        rows[strand.name].evaluate_seconds = seconds.of(
            strand.name, n_active_threads(len(queries), size)
        )
    return [row.close() for row in rows.values()]


def _unseen(queries: QueryBatch, items: CandidateLists) -> BoolArray:
    """What the protocol's seen rule leaves, whatever the recipe's rules say."""
    if queries.keep_seen is None or queries.keep_seen.all():
        return np.ones(items.shape, np.bool_)
    return queries.keep_seen[:, None] | ~queries.seen.isin(items.item_numbers)


def _brought(items: CandidateLists, strand: Stage) -> BoolArray:
    """The list of one strand alone: to score what another one brought is no answer of its own."""
    if not isinstance(strand, Retriever):
        return items.item_numbers >= 0
    brought: BoolArray = items.column(f"{strand.name}.rank") >= 0
    return brought


def final_scores(items: CandidateLists, pipeline: Pipeline) -> Float32Array:
    """The final score; that of the only strand where nothing fuses."""
    if "score" in items.columns:
        return np.asarray(items.columns["score"])
    if len(pipeline.models) > 1:
        raise RecipeError(
            f"the recipe {pipeline.recipe.name!r} has {len(pipeline.models)} strands and no step "
            "that writes score",
            hint="add [steps.fuse]",
        )
    return np.asarray(items.column(f"{pipeline.models[0].name}.score"))
