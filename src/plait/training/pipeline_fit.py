"""Fits a recipe: the models, then the weights of its fusion on held-out targets.

No model is fitted on those targets; only early stopping of gradient training looks at them. A
ranker, which learns many numbers, learns from the same targets or, where the models are not fitted
again, from the last event of each user in the training part, with models fitted without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, QueryBatch, StateView
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.pipeline.fit_context import FitContext, Progress, ValidationSet
from plait.pipeline.learned_steps import HasLearnedRanker, HasLearnedWeights, SelfTuning
from plait.pipeline.pipeline import OnStageTimed, Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Trainable
from plait.splitting.splits import MIN_QUERIES, Split
from plait.training.item_eligibility import allowed_targets, with_limits
from plait.utils.no_op_callbacks import ignore

__all__ = [
    "Lesson",
    "MakeSplit",
    "MakeStateView",
    "OnLearned",
    "Progress",
    "Reduce",
    "fit_recipe",
    "ignore_lesson",
]

MakeStateView = Callable[[Pipeline, Dataset], StateView]
"""Returns what a fitted pipeline sees beside its bundle when the log stands as in a data set."""

MakeSplit = Callable[[], Split]
"""Makes a split when it is needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Held-out queries with the candidates of a fitted pipeline.

    Attributes:
        pipeline: The pipeline, whose models did not see the targets.
        queries: B queries.
        items: Their candidates [B, K], scored by every model.
        targets: The relevant items of each query.
        train: The data that the models were fitted on.
    """

    pipeline: Pipeline
    queries: QueryBatch
    items: CandidateLists
    targets: Ragged
    train: Dataset


Reduce = Callable[[Pipeline, Lesson], tuple[Pipeline, Lesson]]
"""Returns a pipeline with fewer models, and the lesson without their scores."""

OnLearned = Callable[[Pipeline, Lesson, Lesson | None], None]
"""Called with the pipeline that learned, what its weights learned from, and what a ranker may learn
from instead; None: from the same."""


def ignore_lesson(_pipeline: Pipeline, _lesson: Lesson, _inner: Lesson | None) -> None:
    """Keep nothing of what was learned from.

    Args:
        _pipeline: The pipeline that learned.
        _lesson: What its weights learned from.
        _inner: What a ranker may learn from instead.
    """


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
    ranker_split: MakeSplit | None = None,
    on_learned: OnLearned = ignore_lesson,
    reduce: Reduce | None = None,
) -> Pipeline:
    """Fit the models on the training part of a split, then learn settings and fusion weights.

    With fewer than 20 queries, or without a split, nothing is learned and the fusion keeps its
    default weights. If no step learns and no model trains or chooses a setting, the first of two
    fits is left out; a single model has no weight to learn.

    Args:
        recipe: The recipe, or a pipeline built from it.
        dataset: All data.
        split: Training part and held-out targets; None to fit on all data only.
        refit: Whether to fit the models again on all data, with the learned weights frozen.
        seed: The seed of every model.
        live: Makes the state view that the queries of the split see.
        watch: Called with every stage and its seconds in each fit.
        progress: Called with the name of a step, what is done of it and the total.
        context: A folder in which an interrupted fit resumes, trackers, and a cache of fitted
            models; its seed, progress and validation set are set here.
        ranker_split: Makes the split that a ranker learns from, in the place of `split`, with
            models fitted once more on its training part.
        on_learned: Called with what the fusion, and a ranker, learned from.
        reduce: Leaves out models once the weights are learned, before they are fitted again.

    Returns:
        The fitted pipeline.
    """
    pipeline = Pipeline.build(recipe) if isinstance(recipe, Recipe) else recipe
    context = replace(context or FitContext(), seed=seed, progress=progress)
    if context.cache is not None and isinstance(recipe, Recipe):
        context.cache.register(pipeline.models)
    is_fitted = False
    if split is not None:
        learns = len(split) >= MIN_QUERIES and (
            any(isinstance(model, SelfTuning) for model in pipeline.models)
            or _has_learned_weights(pipeline)
            or _is_trainable(pipeline)
        )
        if learns or not refit:
            pipeline = _HeldOutFit(
                split, live, watch, context, ranker_split, on_learned, reduce
            ).fit(pipeline, learns=learns)
            is_fitted = True
    if refit or split is None:
        work = "fit again" if is_fitted else "fit"
        pipeline = _fit(pipeline, dataset, watch, context.for_part("again"), work)
    return pipeline


@dataclass(frozen=True, slots=True)
class _HeldOutFit:
    """The first fit, on the training part of a split."""

    split: Split
    live: MakeStateView | None
    watch: OnStageTimed
    context: FitContext
    ranker_split: MakeSplit | None
    on_learned: OnLearned
    reduce: Reduce | None

    def fit(self, pipeline: Pipeline, *, learns: bool) -> Pipeline:
        """Fit the models and, if anything `learns`, select settings and learn the fusion."""
        split = self.split
        validation = self._validation_set(pipeline) if learns and _is_trainable(pipeline) else None
        context = replace(self.context.for_part("first"), held=validation)
        pipeline = _fit(pipeline, split.train, self.watch, context)
        if learns:
            queries = with_limits(pipeline, split.queries)
            pipeline = pipeline.tune(split.train, queries, split.targets, self.context.cache)
        if learns and _has_learned_weights(pipeline):
            pipeline = self._learn_fusion(pipeline)
        return pipeline

    def _validation_set(self, pipeline: Pipeline) -> ValidationSet | None:
        """The queries of the split and the targets that the rules allow; None if too few.

        Rules that read the live catalogue read that of the split. Nothing is fitted yet, so the
        state view has nothing else.
        """
        unfitted = replace(pipeline, models=(), steps=())
        queries = replace(with_limits(pipeline, self._queries(unfitted, self.split)), live=None)
        targets = allowed_targets(queries, self.split.targets)
        n_queries = int((targets.lengths > 0).sum())
        return ValidationSet(queries, targets) if n_queries >= MIN_QUERIES else None

    def _learn_fusion(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline with fusion weights, and a ranker, learned from held-out targets."""
        lesson = self._lesson(pipeline, self.split)
        pipeline = pipeline.learn_weights(lesson.queries, lesson.items, lesson.targets)
        if self.reduce is not None:
            pipeline, lesson = self.reduce(pipeline, lesson)
        if self.ranker_split is None:
            pipeline = _with_rankers(pipeline, lesson, pipeline)
            self.on_learned(pipeline, lesson, None)
            return pipeline
        needs_inner = self.on_learned is not ignore_lesson or any(
            isinstance(step, HasLearnedRanker) and step.has_ranker for step in pipeline.steps
        )
        inner = self._lesson_of_train(pipeline) if needs_inner else None
        if inner is not None:
            pipeline = _with_rankers(pipeline, inner, inner.pipeline)
        self.on_learned(pipeline, lesson, inner)
        return pipeline

    def _lesson_of_train(self, pipeline: Pipeline) -> Lesson | None:
        """Candidates for the last events of the training part, by models fitted without them."""
        assert self.ranker_split is not None
        split = self.ranker_split()
        if len(split) < MIN_QUERIES:
            return None
        context = self.context.for_part("inner")
        fitted = _fit(pipeline, split.train, self.watch, context, "fit for the ranker")
        return self._lesson(fitted, split)

    def _lesson(self, pipeline: Pipeline, split: Split) -> Lesson:
        """The candidates of a fitted pipeline for the queries of a split."""
        queries, progress = self._queries(pipeline, split), self.context.progress
        size = batch_size(split.train.n_items)

        def retrieve(_start: int, batch: QueryBatch) -> CandidateLists:
            return pipeline.retrieve_and_score(with_limits(pipeline, batch))

        batches: list[CandidateLists] = []
        for start, candidates in in_batches(queries, retrieve, size=size):
            batches.append(candidates)
            progress("learn", min(start + size, len(queries)), len(queries))
        items = concat_candidates(batches)
        return Lesson(pipeline, queries, items, split.targets, split.train)

    def _queries(self, pipeline: Pipeline, split: Split) -> QueryBatch:
        """The queries of a split, with the state view that `pipeline` has."""
        if self.live is None:
            return split.queries
        return replace(split.queries, live=self.live(pipeline, split.query_time_data))


def _has_learned_weights(pipeline: Pipeline) -> bool:
    return any(
        isinstance(step, HasLearnedWeights) and step.learns_weights(pipeline.models)
        for step in pipeline.steps
    )


def _with_rankers(pipeline: Pipeline, lesson: Lesson, learner: Pipeline) -> Pipeline:
    """The pipeline with the rankers that the steps of `learner` learn from a lesson."""
    pairs = zip(pipeline.steps, learner.steps, strict=True)
    steps = tuple(
        step.with_ranker_of(learning.learn_ranker(lesson.queries, lesson.items, lesson.targets))
        if isinstance(learning, HasLearnedRanker) and isinstance(step, HasLearnedRanker)
        else step
        for step, learning in pairs
    )
    return replace(pipeline, steps=steps)


def _is_trainable(pipeline: Pipeline) -> bool:
    return any(isinstance(stage, Trainable) for stage in pipeline.stages)


def _fit(
    pipeline: Pipeline,
    dataset: Dataset,
    watch: OnStageTimed,
    context: FitContext,
    work: str = "fit",
) -> Pipeline:
    """The pipeline fitted on `dataset`; reports progress after each model."""
    progress = context.progress
    total, done = len(pipeline.models), 0
    models = {model.name for model in pipeline.models}
    progress(work, 0, total)

    def on_stage_timed(name: str, seconds: float) -> None:
        nonlocal done
        done += name in models
        watch(name, seconds)
        progress(work, done, total)

    fitted = pipeline.fit(dataset, watch=on_stage_timed, context=context)
    progress(work, total, total)
    return fitted
