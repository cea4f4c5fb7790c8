"""Fits a recipe: the strands, then the few scalars of its fusion on targets that were held out.

No strand is fitted on those targets; early stopping of what is trained by gradient looks at them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, QueryBatch, StateView
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.pipeline.fit_context import FitContext, Progress, ValidationSet, no_progress
from plait.pipeline.pipeline import HasLearnedWeights, OnStageTimed, Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.splitting.splits import LEAST_QUERIES, Split

__all__ = ["MakeLive", "Progress", "allowed_targets", "fit_recipe", "with_limits"]

MakeLive = Callable[[Pipeline, Dataset], StateView]
"""What a fitted pipeline sees beside its bundle when the log stands as in a data set."""


def _unseen(_name: str, _seconds: float) -> None:
    """Watches nothing."""


def fit_recipe(
    recipe: Recipe | Pipeline,
    dataset: Dataset,
    split: Split | None,
    *,
    refit: bool,
    seed: int = 0,
    live: MakeLive | None = None,
    watch: OnStageTimed = _unseen,
    progress: Progress = no_progress,
    context: FitContext | None = None,
) -> Pipeline:
    """Fit the strands on `split.train`, learn settings and fusion from `split.targets`.

    With `refit` the strands are then fitted again on all of `dataset`, the learned scalars frozen.
    With fewer than 20 queries (or no split) nothing is learned, and the fusion's own defaults
    stand; without a step that learns or a strand that trains, the first fit is left out where a
    second follows. `watch` hears every stage and its seconds in each fit; `live` tells the queries
    what `split.asked` has. `context` may bring a folder, in which an interrupted fit is taken up,
    and trackers; what is held out, seed and progress are put into it here.
    """
    pipeline = Pipeline.build(recipe) if isinstance(recipe, Recipe) else recipe
    told = replace(context or FitContext(), seed=seed, progress=progress)
    enough = split is not None and len(split) >= LEAST_QUERIES
    taught = enough and (_learns(pipeline) or _trains(pipeline))
    if split is not None and (taught or not refit):
        held = _validation_set(pipeline, split, live) if enough else None
        first = replace(told.for_part("first"), held=held)
        pipeline = _fitted(pipeline, split.train, watch, first)
    if split is not None and taught:
        pipeline = pipeline.tune(split.train, with_limits(pipeline, split.queries), split.targets)
    if split is not None and taught and _learns(pipeline):
        pipeline = _learn_fusion(pipeline, split, live, progress)
    if refit or split is None:
        pipeline = _fitted(pipeline, dataset, watch, told.for_part("again"))
    return pipeline


def with_limits(pipeline: Pipeline, queries: QueryBatch) -> QueryBatch:
    """What the recipe's rules allow; without rules, what the protocol asks for itself.

    A recipe need not have rules, yet under `keep_seen` false nobody may bring what was seen.
    """
    found = pipeline.limit(queries)
    keep = queries.keep_seen
    if found.blocked is None and keep is not None:
        counts = np.where(keep, 0, queries.seen.lengths)
        values = queries.seen.values[~keep[queries.seen.rows]]
        found = replace(found, blocked=Ragged.from_lengths(values, counts))
    if found.mask is None and found.live is not None:
        found = replace(found, mask=found.live.state.catalogue.alive[None, :])
    return found


def _learns(pipeline: Pipeline) -> bool:
    return any(isinstance(step, HasLearnedWeights) for step in pipeline.steps)


def _trains(pipeline: Pipeline) -> bool:
    return any(isinstance(stage, Trainable) for stage in pipeline.stages)


def _validation_set(
    pipeline: Pipeline, split: Split, live: MakeLive | None
) -> ValidationSet | None:
    """What early stopping may look at: the split's questions, and what the rules let come true.

    None where that is too little to say anything. What rules ask of the live catalogue is asked of
    the split's: nothing is fitted yet, so nothing else of `live` can be had.
    """
    if not _trains(pipeline):
        return None
    queries = split.queries
    if live is not None:
        queries = replace(queries, live=live(replace(pipeline, models=(), steps=()), split.asked))
    queries = replace(with_limits(pipeline, queries), live=None)
    targets = allowed_targets(queries, split.targets)
    return ValidationSet(queries, targets) if (targets.lengths > 0).sum() >= LEAST_QUERIES else None


def allowed_targets(queries: QueryBatch, targets: Ragged) -> Ragged:
    """The targets that limited queries neither block nor mask: no answer could hold another.

    All rows stay; one whose targets are all out of reach is empty, and asks for nothing.
    """
    rows, values = targets.rows, targets.values.astype(np.int64)
    kept = np.ones(len(values), np.bool_)
    if queries.mask is not None:
        width = queries.mask.shape[1]
        inside = values < width
        own = rows if len(queries.mask) > 1 else np.zeros_like(rows)
        kept[inside] = queries.mask[own[inside], values[inside]]
        kept &= inside
    if queries.blocked is not None and len(queries.blocked.values):
        width = int(max(values.max(initial=0), queries.blocked.values.max())) + 1
        kept &= ~np.isin(
            rows * width + values, queries.blocked.rows * width + queries.blocked.values
        )
    counts = np.bincount(rows[kept], minlength=len(targets))
    return Ragged.from_lengths(targets.values[kept], counts)


def _fitted(
    pipeline: Pipeline, dataset: Dataset, watch: OnStageTimed, context: FitContext
) -> Pipeline:
    """The pipeline fitted on `dataset`, with a word after each stage."""
    progress = context.progress
    total, done = len(pipeline.models), 0
    strands = {one.name for one in pipeline.models}
    progress("fit", 0, total)

    def heard(name: str, seconds: float) -> None:
        nonlocal done
        done += name in strands
        watch(name, seconds)
        progress("fit", done, total)

    fitted = pipeline.fit(dataset, watch=heard, context=context)
    progress("fit", total, total)
    return fitted


def _learn_fusion(
    pipeline: Pipeline, split: Split, live: MakeLive | None, progress: Progress
) -> Pipeline:
    """The pipeline with its scalars learned from the split's targets."""
    queries = split.queries
    if live is not None:
        queries = replace(queries, live=live(pipeline, split.asked))
    parts: list[CandidateLists] = []
    size = batch_size(split.train.n_items)

    def gathered(_start: int, piece: QueryBatch) -> CandidateLists:
        return pipeline.retrieve_and_score(with_limits(pipeline, piece))

    for start, items in in_batches(queries, gathered, size=size):
        parts.append(items)
        progress("learn", min(start + size, len(queries)), len(queries))
    return pipeline.learn_weights(queries, concat_candidates(parts), split.targets)
