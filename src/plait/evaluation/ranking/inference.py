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

from plait.data.types import Bools, Dataset, Floats, Items, Live, Queries
from plait.errors import RecipeError
from plait.evaluation.ranking.per_user import Piece, Row, Scorer
from plait.evaluation.results.report import FUSED
from plait.pipeline.batch_inference import batch_size, busy, in_batches
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import Retrieves, Stage
from plait.splitting.splits import Split
from plait.state import DatasetState, deltas
from plait.training.recipe_fit import Progress, limited

__all__ = ["answered", "final_scores", "live_of"]


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


def live_of(pipeline: Pipeline, dataset: Dataset) -> Live:
    """What a pipeline sees beside its bundle when the log stands as in `dataset`."""
    state = DatasetState.of(dataset)
    return Live(state, deltas(pipeline, state))


def answered(
    pipeline: Pipeline, split: Split, scorer: Scorer, deepest: int, seed: int, progress: Progress
) -> list[Row]:
    """`fused` and a row for every strand, with their seconds of evaluation.

    `deepest`: the longest list that is looked at. Nothing is explained.
    """
    quiet = pipeline.without(*(one.name for one in pipeline.steps if "*.because" in one.reads))
    live = live_of(pipeline, split.asked)
    queries = replace(split.queries, live=live, k=deepest, seed=seed)
    seconds = _Seconds()
    rows = {name: scorer.row(name) for name in (FUSED, *(one.name for one in quiet.strands))}

    def work(start: int, piece: Queries) -> dict[str, Piece]:
        asked_now = limited(quiet, piece)
        items = quiet.finish(asked_now, quiet.gather(asked_now, seconds), seconds)
        asked = scorer.asked(start, items.numbers)
        allowed = items.present & _unseen(piece, items)
        found = {FUSED: scorer.piece(asked, final_scores(items, quiet), allowed)}
        for strand in quiet.strands:
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
    for strand in quiet.strands:
        rows[strand.name].evaluate_seconds = seconds.of(strand.name, busy(len(queries), size))
    return [row.close() for row in rows.values()]


def _unseen(queries: Queries, items: Items) -> Bools:
    """What the protocol's seen rule leaves, whatever the recipe's rules say."""
    if queries.keep_seen is None or queries.keep_seen.all():
        return np.ones(items.shape, np.bool_)
    return queries.keep_seen[:, None] | ~queries.seen.isin(items.numbers)


def _brought(items: Items, strand: Stage) -> Bools:
    """The list of one strand alone: to score what another one brought is no answer of its own."""
    if not isinstance(strand, Retrieves):
        return items.numbers >= 0
    brought: Bools = items.column(f"{strand.name}.rank") >= 0
    return brought


def final_scores(items: Items, pipeline: Pipeline) -> Floats:
    """The final score; that of the only strand where nothing fuses."""
    if "score" in items.columns:
        return np.asarray(items.columns["score"])
    if len(pipeline.strands) > 1:
        raise RecipeError(
            f"the recipe {pipeline.recipe.name!r} has {len(pipeline.strands)} strands and no step "
            "that writes score",
            hint="add [steps.fuse]",
        )
    return np.asarray(items.column(f"{pipeline.strands[0].name}.score"))
