"""Fits a recipe: the models, then the weights of its fusion on held-out targets.

No model is fitted on those targets; only early stopping of gradient training looks at them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from plait.data.types import CandidateLists, Dataset, QueryBatch, StateView
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.pipeline.fit_context import FitContext, Progress, ValidationSet
from plait.pipeline.pipeline import HasLearnedWeights, OnStageTimed, Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.splitting.splits import MIN_QUERIES, Split
from plait.training.item_eligibility import allowed_targets, with_limits
from plait.utils.no_op import ignore

__all__ = ["MakeStateView", "Progress", "fit_recipe"]

MakeStateView = Callable[[Pipeline, Dataset], StateView]
"""Returns what a fitted pipeline sees beside its bundle when the log stands as in a data set."""


def fit_recipe(
    recipe: Recipe | Pipeline,
    dataset: Dataset,
    split: Split | None,
    *,
    refit: bool,
    seed: int = 0,
    live: MakeStateView | None = None,
    watch: OnStageTimed = ignore,
    progress: Progress = ignore,
    context: FitContext | None = None,
) -> Pipeline:
    """Fit the models on the training part of a split, then learn settings and fusion weights.

    With fewer than 20 queries, or without a split, nothing is learned and the fusion keeps its
    default weights. If no step learns and no model trains, the first of two fits is left out.

    Args:
        recipe: The recipe, or a pipeline built from it.
        dataset: All data.
        split: Training part and held-out targets; None to fit on all data only.
        refit: Whether to fit the models again on all data, with the learned weights frozen.
        seed: The seed of every model.
        live: Makes the state view that the queries of the split see.
        watch: Called with every stage and its seconds in each fit.
        progress: Called with the name of a step, what is done of it and the total.
        context: A folder in which an interrupted fit resumes, and trackers; its seed, progress and
            validation set are set here.

    Returns:
        The fitted pipeline.
    """
    pipeline = Pipeline.build(recipe) if isinstance(recipe, Recipe) else recipe
    context = replace(context or FitContext(), seed=seed, progress=progress)
    if split is not None:
        queries_suffice = len(split) >= MIN_QUERIES
        learns = queries_suffice and (_has_learned_weights(pipeline) or _is_trainable(pipeline))
        if learns or not refit:
            pipeline = _HeldOutFit(split, live, watch, context).fit(pipeline, learns=learns)
    if refit or split is None:
        pipeline = _fit(pipeline, dataset, watch, context.for_part("again"))
    return pipeline


@dataclass(frozen=True, slots=True)
class _HeldOutFit:
    """The first fit, on the training part of a split."""

    split: Split
    live: MakeStateView | None
    watch: OnStageTimed
    context: FitContext

    def fit(self, pipeline: Pipeline, *, learns: bool) -> Pipeline:
        """Fit the models and, if anything `learns`, select settings and learn fusion weights."""
        split = self.split
        validation = self._validation_set(pipeline) if learns and _is_trainable(pipeline) else None
        context = replace(self.context.for_part("first"), held=validation)
        pipeline = _fit(pipeline, split.train, self.watch, context)
        if learns:
            queries = with_limits(pipeline, split.queries)
            pipeline = pipeline.tune(split.train, queries, split.targets)
        if learns and _has_learned_weights(pipeline):
            pipeline = self._learn_fusion(pipeline)
        return pipeline

    def _validation_set(self, pipeline: Pipeline) -> ValidationSet | None:
        """The queries of the split and the targets that the rules allow; None if too few.

        Rules that read the live catalogue read that of the split. Nothing is fitted yet, so the
        state view has nothing else.
        """
        unfitted = replace(pipeline, models=(), steps=())
        queries = replace(with_limits(pipeline, self._queries(unfitted)), live=None)
        targets = allowed_targets(queries, self.split.targets)
        n_queries = int((targets.lengths > 0).sum())
        return ValidationSet(queries, targets) if n_queries >= MIN_QUERIES else None

    def _learn_fusion(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with fusion weights learned from the targets of the split."""
        split, progress = self.split, self.context.progress
        queries = self._queries(pipeline)
        size = batch_size(split.train.n_items)

        def retrieve(_start: int, batch: QueryBatch) -> CandidateLists:
            return pipeline.retrieve_and_score(with_limits(pipeline, batch))

        batches: list[CandidateLists] = []
        for start, candidates in in_batches(queries, retrieve, size=size):
            batches.append(candidates)
            progress("learn", min(start + size, len(queries)), len(queries))
        return pipeline.learn_weights(queries, concat_candidates(batches), split.targets)

    def _queries(self, pipeline: Pipeline) -> QueryBatch:
        """The queries of the split, with the state view that `pipeline` has."""
        if self.live is None:
            return self.split.queries
        return replace(self.split.queries, live=self.live(pipeline, self.split.query_time_data))


def _has_learned_weights(pipeline: Pipeline) -> bool:
    return any(isinstance(step, HasLearnedWeights) for step in pipeline.steps)


def _is_trainable(pipeline: Pipeline) -> bool:
    return any(isinstance(stage, Trainable) for stage in pipeline.stages)


def _fit(
    pipeline: Pipeline, dataset: Dataset, watch: OnStageTimed, context: FitContext
) -> Pipeline:
    """The pipeline fitted on `dataset`; reports progress after each model."""
    progress = context.progress
    total, done = len(pipeline.models), 0
    models = {model.name for model in pipeline.models}
    progress("fit", 0, total)

    def on_stage_timed(name: str, seconds: float) -> None:
        nonlocal done
        done += name in models
        watch(name, seconds)
        progress("fit", done, total)

    fitted = pipeline.fit(dataset, watch=on_stage_timed, context=context)
    progress("fit", total, total)
    return fitted
