"""Runs the stages of a recipe: limit, retrieve, unite, score, then one step after another.

One request and an evaluation of a hundred thousand users take the same code path.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import ABSENT, CandidateLists, Dataset, Int32Array, QueryBatch, State
from plait.pipeline.candidate_depth import with_enough_groups
from plait.pipeline.candidate_union import COMPANIONS, SHOWN, unite
from plait.pipeline.fit_cache import FitCache
from plait.pipeline.fit_context import FitContext
from plait.pipeline.learned_steps import HasLearnedWeights, SelfTuning
from plait.pipeline.model_failures import ModelFailures, RaisedFailures
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.stage import (
    CandidateFilter,
    Fittable,
    FollowingStage,
    Reranker,
    Stage,
    Trainable,
)
from plait.pipeline.stage_calls import StageCalls, changed_stage, fit_stage, noted
from plait.pipeline.stage_checks import (
    check_models,
    check_referenced_models,
    check_steps,
    check_unique_names,
)

__all__ = ["FALLBACK", "PINS", "OnStageTimed", "Pipeline"]

PINS = "pins"
"""The source of candidates that the rules pin, in place of a model: `pins.rank`."""

FALLBACK = "fallback"
"""The step that fills lists; each recipe has it unless it says `fallback = "none"`."""

_FALLBACK_CLASS = "plait.ranking.fallback:Fallback"

OnStageTimed = Callable[[str, float], None]
"""Called with the name of a stage and the seconds that it took."""


def _ignore(_name: str, _seconds: float) -> None:
    """Record no time."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """The stages of a recipe.

    Attributes:
        recipe: The recipe.
        models: Its models, in order.
        steps: Its steps, in order; each has what it takes from the models.
        version: The log offset that the stages were fitted at; -1: not fitted.
    """

    recipe: Recipe
    models: tuple[Stage, ...]
    steps: tuple[Stage, ...]
    version: int = -1

    def __post_init__(self) -> None:
        steps = tuple(step.with_models(self.models) for step in self.steps)
        object.__setattr__(self, "steps", steps)

    @staticmethod
    def build(recipe: Recipe, *, stored: bool = False) -> Pipeline:
        """Construct the stages of a recipe, not yet fitted.

        Args:
            recipe: The recipe.
            stored: Whether the recipe comes from a bundle: names in its settings that are no model
                were accepted when it was made, and are ignored.

        Raises:
            RecipeError: A setting is not allowed, a stage lacks an ability, or a step reads a
                column that no stage before it writes.
        """
        models = tuple(build_stage(name, settings) for name, settings in recipe.models.items())
        steps = tuple(build_stage(name, settings) for name, settings in recipe.steps.items())
        steps = _with_fallback(steps, recipe.fallback)
        check_models(models)
        check_unique_names((*models, *steps), reserved=(PINS, COMPANIONS))
        check_steps(steps)
        pipeline = Pipeline(recipe, models, steps)
        for step in () if stored else steps:
            check_referenced_models(step, [model.name for model in models])
        return pipeline

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Models, then steps."""
        return (*self.models, *self.steps)

    def follow(self, state: State) -> None:
        """Let the models prepare for queries about a newer state.

        Args:
            state: The state of the log.
        """
        for model in self.models:
            if isinstance(model, FollowingStage):
                model.follow(state)

    def fit(
        self,
        dataset: Dataset,
        *,
        seed: int = 0,
        watch: OnStageTimed = _ignore,
        context: FitContext | None = None,
    ) -> Pipeline:
        """Fit every stage; learned fusion weights stay.

        Args:
            dataset: The data set; the recipe's event weights apply, and no stage sees the triples
                that the recipe excludes.
            seed: The seed of the fit.
            watch: Called with the seconds that each stage took.
            context: What stages that train by gradient need; its seed holds for all stages.

        Returns:
            A new pipeline.
        """
        prepared = self._prepared(dataset)
        context = FitContext(seed) if context is None else context
        models = tuple(_fitted(stage, prepared, context, watch) for stage in self.models)
        uncached = replace(context, cache=None)  # steps are cheap and depend on their models
        steps = tuple(_fitted(stage, prepared, uncached, watch) for stage in self.steps)
        return replace(self, models=models, steps=steps, version=dataset.version)

    def tune(
        self,
        dataset: Dataset,
        queries: QueryBatch,
        targets: Ragged,
        cache: FitCache | None = None,
    ) -> Pipeline:
        """Let models choose settings by held-out targets.

        Args:
            dataset: The data set that the models were fitted on.
            queries: B queries.
            targets: The relevant items of each query, from behind the data set.
            cache: Models that chose by the same targets before; None: every model chooses.

        Returns:
            A new pipeline.
        """
        prepared = self._prepared(dataset)
        inputs = {"data": prepared, "queries": queries, "targets": targets}

        def select(model: Stage) -> Any:
            if not isinstance(model, SelfTuning):
                return model
            select_setting = partial(changed_stage, model, "select_setting")
            compute = partial(_timed, partial(select_setting, prepared, queries, targets))
            return compute()[0] if cache is None else cache.result(model, inputs, compute)[0]

        return replace(self, models=tuple(map(select, self.models)))

    def learn_weights(
        self, queries: QueryBatch, items: CandidateLists, targets: Ragged
    ) -> Pipeline:
        """Let steps learn from held-out targets.

        Args:
            queries: B queries.
            items: Their candidates [B, K], scored by every model.
            targets: The relevant items of each query.

        Returns:
            A new pipeline with the same models.
        """
        steps = tuple(
            changed_stage(step, "learn_weights", queries, items, targets)
            if isinstance(step, HasLearnedWeights)
            else step
            for step in self.steps
        )
        return replace(self, steps=steps)

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """Set what must not be retrieved.

        Args:
            queries: B queries.

        Returns:
            The queries with `blocked` and `mask`.
        """
        for step in self._limiters:
            queries = step.limit(queries)
        return queries

    def retrieve_and_score(
        self,
        queries: QueryBatch,
        watch: OnStageTimed = _ignore,
        failures: ModelFailures | None = None,
    ) -> CandidateLists:
        """Unite the candidates of all models and let each model score them.

        Args:
            queries: B queries, limited.
            watch: Called with the seconds that each stage took.
            failures: Collects models that fail; the others go on. None: a failure is raised.
        """
        failures = failures or RaisedFailures()
        items = self._candidates(queries, watch, failures)
        scores: dict[str, Any] = {}
        for model, score in self._calls.scorers:
            name, start = model.name, time.perf_counter()
            if name in failures.errors:
                continue
            try:
                scores[f"{name}.score"] = score(queries, items.item_numbers)
            except Exception as problem:  # noqa: BLE001  the other models answer
                failures.collect(name, noted(problem, model, "score"))
            seconds = time.perf_counter() - start
            if failures.budget < math.inf and failures.is_late(name, seconds):
                scores.pop(f"{name}.score", None)
            watch(f"{name}.score", seconds)
        if failures.errors:
            failures.require_any(tuple(model.name for model, _ in self._calls.scorers))
        return items.with_columns(**scores)

    def rerank(
        self,
        queries: QueryBatch,
        items: CandidateLists,
        watch: OnStageTimed = _ignore,
        failures: ModelFailures | None = None,
    ) -> CandidateLists:
        """Apply the steps in their order: fusion, rules, policy, explanations.

        Args:
            queries: B queries, limited.
            items: Their scored candidates.
            watch: Called with the seconds that each stage took.
            failures: Collects models that fail to explain; None: a failure is raised.
        """
        failures = failures or RaisedFailures()
        for step, apply in self._calls.steps:
            if "*.because" in step.reads:
                items = self._with_explanations(queries, items, failures)
            start, before = time.perf_counter(), items
            try:
                items = apply(queries, items)
            except Exception as problem:
                noted(problem, step, "apply" if isinstance(step, Reranker) else "fill")
                raise
            if items is not before:  # a list that is long enough needs no fallback
                watch(step.name, time.perf_counter() - start)
        return items

    def run(
        self,
        queries: QueryBatch,
        watch: OnStageTimed = _ignore,
        failures: ModelFailures | None = None,
    ) -> CandidateLists:
        """Answer queries.

        Args:
            queries: B queries.
            watch: Called with the seconds that each stage took.
            failures: Collects models that fail; the others answer. None: a failure is raised.

        Returns:
            The candidates; their column `order` is the ranking.
        """
        limited = self.limit(queries)
        items = self.retrieve_and_score(limited, watch, failures)
        return self.rerank(limited, items, watch, failures)

    def without(self, *steps: str) -> Pipeline:
        """The same pipeline without some steps.

        Args:
            steps: The names of steps.
        """
        return replace(self, steps=tuple(step for step in self.steps if step.name not in steps))

    def _prepared(self, dataset: Dataset) -> Dataset:
        prepared = dataset.weighted(self.recipe.event_weights)
        triples = prepared.triples.without_relations(self.recipe.excluded_relations)
        return replace(prepared, triples=triples)

    @cached_property
    def _limiters(self) -> tuple[CandidateFilter, ...]:
        return tuple(step for step in self.steps if isinstance(step, CandidateFilter))

    @cached_property
    def _calls(self) -> StageCalls:
        return StageCalls.of(self.models, self.steps)

    def _candidates(
        self, queries: QueryBatch, watch: OnStageTimed, failures: ModelFailures
    ) -> CandidateLists:
        if queries.candidates is not None:
            return CandidateLists(queries.candidates.to_padded())
        retrieved: dict[str, Int32Array] = {}
        depth = self.recipe.candidates_per_model
        for model, retrieve in self._calls.retrievers:
            name, start = model.name, time.perf_counter()
            try:
                retrieved[name] = retrieve(queries, depth).item_numbers
                if queries.groups is not None:  # where products are shown once, enough of them
                    retrieved[name] = with_enough_groups(retrieve, queries, retrieved[name], depth)
            except Exception as problem:  # noqa: BLE001  the other models answer
                failures.collect(name, noted(problem, model, "retrieve"))
            seconds = time.perf_counter() - start
            if failures.budget < math.inf and failures.is_late(name, seconds):
                retrieved.pop(name, None)
            watch(f"{name}.retrieve", seconds)
        if queries.pinned is not None:
            retrieved[PINS] = queries.pinned.to_padded()
        if queries.companions is not None:
            retrieved[COMPANIONS] = queries.companions.to_padded()
        if queries.shown is not None and queries.boosts is not None:
            retrieved[SHOWN] = queries.shown.to_padded()
        return unite(retrieved, len(queries.users))

    def _with_explanations(
        self, queries: QueryBatch, items: CandidateLists, failures: ModelFailures
    ) -> CandidateLists:
        """Adds `<model>.because` for shown candidates, -1 for all others."""
        order = items.columns["order"]
        rows, columns = np.nonzero(order >= 0)
        ranks = order[rows, columns]
        shown = np.full((len(order), int(order.max(initial=-1)) + 1), ABSENT, np.int32)
        shown[rows, ranks] = items.item_numbers[rows, columns]
        explanations: dict[str, Any] = {}
        for model, explain in self._calls.explainers:
            name = model.name
            because = explanations[f"{name}.because"] = np.full(order.shape, ABSENT, np.int32)
            if name in failures.errors:
                continue
            try:
                because[rows, columns] = explain(queries, shown)[rows, ranks]
            except Exception as problem:  # noqa: BLE001  the answer has fewer reasons
                failures.collect(name, noted(problem, model, "explain"))
        return items.with_columns(**explanations)


def _with_fallback(steps: tuple[Stage, ...], ladder: tuple[str, ...]) -> tuple[Stage, ...]:
    """The steps with the one that fills lists, before the order is made."""
    at = next((index for index, step in enumerate(steps) if "order" in step.writes), None)
    if at is None or not ladder:
        return steps
    fallback = build_stage(FALLBACK, {"stage": _FALLBACK_CLASS, "ladder": ladder})
    return (*steps[:at], fallback, *steps[at:])


def _fitted(stage: Stage, dataset: Dataset, context: FitContext, watch: OnStageTimed) -> Any:
    if not isinstance(stage, Trainable | Fittable):
        return stage
    fit = partial(_timed, partial(fit_stage, stage, dataset, context))
    if context.cache is None or context.callbacks:  # callbacks may stop a fit anywhere
        fitted, seconds = fit()
    else:
        inputs = {"data": dataset, "seed": context.seed, "validation": context.held}
        fitted, seconds = context.cache.result(stage, inputs, fit)
    watch(stage.name, seconds)
    return fitted


def _timed(compute: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the seconds that it took."""
    start = time.perf_counter()
    return compute(), time.perf_counter() - start
