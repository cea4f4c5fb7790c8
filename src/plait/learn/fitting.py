"""Fits a recipe: the strands, then the few scalars of its fusion on targets no strand has seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from plait.core.pipeline import Learns, Pipeline, Watch
from plait.core.ragged import Ragged
from plait.core.recipe import Recipe
from plait.core.types import Dataset, Items, Live, Queries
from plait.learn.batches import batch_size, in_batches, stacked
from plait.measure.splits import LEAST_QUERIES, Split

__all__ = ["MakeLive", "Progress", "fit_recipe", "limited"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is."""

MakeLive = Callable[[Pipeline, Dataset], Live]
"""What a fitted pipeline sees beside its bundle when the log stands as in a data set."""


def _unseen(_name: str, _seconds: float) -> None:
    """Watches nothing."""


def _silent(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""


def fit_recipe(
    recipe: Recipe | Pipeline,
    dataset: Dataset,
    split: Split | None,
    *,
    refit: bool,
    seed: int = 0,
    live: MakeLive | None = None,
    watch: Watch = _unseen,
    progress: Progress = _silent,
) -> Pipeline:
    """Fit the strands on `split.train`, learn settings and fusion from `split.targets`.

    With `refit` the strands are then fitted again on all of `dataset`, the learned scalars frozen.
    With fewer than 20 queries (or no split) nothing is learned, and the fusion's own defaults
    stand; without a step that learns, the first fit is left out where a second follows. `watch`
    hears every stage and its seconds in each fit; `live` tells the queries what `split.asked` has.
    """
    pipeline = Pipeline.build(recipe) if isinstance(recipe, Recipe) else recipe
    taught = split is not None and len(split) >= LEAST_QUERIES and _learns(pipeline)
    if split is not None and (taught or not refit):
        pipeline = _fitted(pipeline, split.train, seed, watch, progress)
    if split is not None and taught:
        pipeline = pipeline.tune(split.train, limited(pipeline, split.queries), split.targets)
        pipeline = _taught(pipeline, split, live, progress)
    if refit or split is None:
        pipeline = _fitted(pipeline, dataset, seed, watch, progress)
    return pipeline


def limited(pipeline: Pipeline, queries: Queries) -> Queries:
    """What the recipe's rules allow; without rules, what the protocol asks for itself.

    A recipe need not have rules, yet under `keep_seen` false nobody may bring what was seen.
    """
    found = pipeline.limit(queries)
    keep = queries.keep_seen
    if found.blocked is None and keep is not None:
        counts = np.where(keep, 0, queries.seen.lengths)
        values = queries.seen.values[~keep[queries.seen.rows]]
        found = replace(found, blocked=Ragged.of_counts(values, counts))
    if found.mask is None and found.live is not None:
        found = replace(found, mask=found.live.state.catalogue.alive[None, :])
    return found


def _learns(pipeline: Pipeline) -> bool:
    return any(isinstance(step, Learns) for step in pipeline.steps)


def _fitted(
    pipeline: Pipeline, dataset: Dataset, seed: int, watch: Watch, progress: Progress
) -> Pipeline:
    """The pipeline fitted on `dataset`, with a word after each stage."""
    total, done = len(pipeline.strands), 0
    strands = {one.name for one in pipeline.strands}
    progress("fit", 0, total)

    def heard(name: str, seconds: float) -> None:
        nonlocal done
        done += name in strands
        watch(name, seconds)
        progress("fit", done, total)

    fitted = pipeline.fit(dataset, seed=seed, watch=heard)
    progress("fit", total, total)
    return fitted


def _taught(
    pipeline: Pipeline, split: Split, live: MakeLive | None, progress: Progress
) -> Pipeline:
    """The pipeline with its scalars learned from the split's targets."""
    queries = split.queries
    if live is not None:
        queries = replace(queries, live=live(pipeline, split.asked))
    parts: list[Items] = []
    size = batch_size(split.train.n_items)

    def gathered(_start: int, piece: Queries) -> Items:
        return pipeline.gather(limited(pipeline, piece))

    for start, items in in_batches(queries, gathered, size=size):
        parts.append(items)
        progress("learn", min(start + size, len(queries)), len(queries))
    return pipeline.learn(queries, stacked(parts), split.targets)
