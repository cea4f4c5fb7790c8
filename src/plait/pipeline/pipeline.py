"""Wires the stages of a recipe: limit, retrieve, unite, score, then one step after another.

The same road answers one request and evaluates a hundred thousand users.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import ABSENT, CandidateLists, Dataset, Int32Array, QueryBatch, Triples
from plait.errors import RecipeError
from plait.pipeline.candidate_union import unite
from plait.pipeline.fit_context import FitContext
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.stage import (
    CandidateFilter,
    Explainer,
    Fittable,
    Reranker,
    Retriever,
    Scorer,
    Stage,
    Trainable,
)

__all__ = ["PINS", "HasLearnedWeights", "OnStageTimed", "Pipeline", "SelfTuning"]

PINS = "pins"
"""Stands as a strand's name for what the rules put among the candidates: `pins.rank`."""

OnStageTimed = Callable[[str, float], None]
"""Told the name of every stage and the seconds it took."""


@runtime_checkable
class HasLearnedWeights(Protocol):
    """A step with a few scalars that are learned from held-out targets, fusion above all."""

    def learn_weights(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        """A new step, learned from scored candidates [B, K] and the items that came true."""


@runtime_checkable
class SelfTuning(Protocol):
    """A fitted strand with a setting that held-out targets may choose."""

    def select_setting(self, dataset: Dataset, queries: QueryBatch, targets: Ragged) -> Self:
        """The strand with the best setting, fitted on the same `dataset`; later fits keep it."""


def _nobody(_name: str, _seconds: float) -> None:
    """Watches nothing."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A recipe's stages, wired; fitted once `version` (the offset it was fitted at) is set.

    Which stage can do what is asked once: looking at protocols costs more than many a stage.
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
        """Make the stages and check that each finds what it reads; RecipeError otherwise.

        A recipe that was `stored` with a bundle was once accepted: names in it that are no strand
        are passed over, as they were.
        """
        strands = tuple(build_stage(name, one) for name, one in recipe.models.items())
        steps = tuple(build_stage(name, one) for name, one in recipe.steps.items())
        _check(strands, steps)
        pipeline = Pipeline(recipe, strands, steps)
        for step in () if stored else steps:
            _check_names(step, [one.name for one in strands])
        return pipeline

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Strands, then steps."""
        return (*self.models, *self.steps)

    def fit(
        self,
        dataset: Dataset,
        *,
        seed: int = 0,
        watch: OnStageTimed = _nobody,
        context: FitContext | None = None,
    ) -> Pipeline:
        """Every stage fitted on `dataset`, weighed by the recipe's kinds; learned scalars stay.

        No stage sees the facts that the recipe excludes. `context` is for stages that train by
        gradient; its seed holds for all.
        """
        prepared = self._prepared(dataset)
        told = FitContext(seed) if context is None else context
        strands = tuple(_fitted(one, prepared, told, watch) for one in self.models)
        steps = tuple(_fitted(one, prepared, told, watch) for one in self.steps)
        return replace(self, models=strands, steps=steps, version=dataset.version)

    def tune(self, dataset: Dataset, queries: QueryBatch, targets: Ragged) -> Pipeline:
        """Strands that were fitted on `dataset` choose settings by what came true behind it."""
        prepared = self._prepared(dataset)
        strands = tuple(
            one.select_setting(prepared, queries, targets) if isinstance(one, SelfTuning) else one
            for one in self.models
        )
        return replace(self, models=strands)

    def learn_weights(
        self, queries: QueryBatch, items: CandidateLists, targets: Ragged
    ) -> Pipeline:
        """The same strands; steps that learn from held-out `targets` do so on scored `items`."""
        steps = tuple(
            one.learn_weights(queries, items, targets)
            if isinstance(one, HasLearnedWeights)
            else one
            for one in self.steps
        )
        return replace(self, steps=steps)

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """What must not be brought, said before anything is retrieved."""
        for step in self._limiters:
            queries = step.limit(queries)
        return queries

    def retrieve_and_score(
        self, queries: QueryBatch, watch: OnStageTimed = _nobody
    ) -> CandidateLists:
        """The union of what all strands bring, scored by each of them."""
        items = self._candidates(queries, watch)
        scores: dict[str, Any] = {}
        for name, strand in self._scorers:
            start = time.perf_counter()
            scores[f"{name}.score"] = strand.score(queries, items.item_numbers)
            watch(f"{name}.score", time.perf_counter() - start)
        return items.with_columns(**scores)

    def rerank(
        self, queries: QueryBatch, items: CandidateLists, watch: OnStageTimed = _nobody
    ) -> CandidateLists:
        """The steps in their order: fusion, rules, the slate, explanations."""
        for name, reads, step in self._appliers:
            if "*.because" in reads:
                items = self._evidence(queries, items)
            start = time.perf_counter()
            items = step.apply(queries, items)
            watch(name, time.perf_counter() - start)
        return items

    def run(self, queries: QueryBatch, watch: OnStageTimed = _nobody) -> CandidateLists:
        """From question to ordered candidates; `Items.columns["order"]` is the answer."""
        limited = self.limit(queries)
        return self.rerank(limited, self.retrieve_and_score(limited, watch), watch)

    def without(self, *steps: str) -> Pipeline:
        """The same pipeline less some steps: evaluation explains nothing."""
        return replace(self, steps=tuple(one for one in self.steps if one.name not in steps))

    def _prepared(self, dataset: Dataset) -> Dataset:
        prepared = dataset.weighted(self.recipe.event_weights)
        return replace(prepared, triples=_without(prepared.triples, self.recipe.excluded_relations))

    @cached_property
    def _limiters(self) -> tuple[CandidateFilter, ...]:
        return tuple(one for one in self.steps if isinstance(one, CandidateFilter))

    @cached_property
    def _retrievers(self) -> tuple[tuple[str, Retriever], ...]:
        return tuple((one.name, one) for one in self.models if isinstance(one, Retriever))

    @cached_property
    def _scorers(self) -> tuple[tuple[str, Scorer], ...]:
        return tuple((one.name, one) for one in self.models if isinstance(one, Scorer))

    @cached_property
    def _explainers(self) -> tuple[tuple[str, Explainer], ...]:
        return tuple((one.name, one) for one in self.models if isinstance(one, Explainer))

    @cached_property
    def _appliers(self) -> tuple[tuple[str, tuple[str, ...], Reranker], ...]:
        return tuple((one.name, one.reads, one) for one in self.steps if isinstance(one, Reranker))

    def _candidates(self, queries: QueryBatch, watch: OnStageTimed) -> CandidateLists:
        if queries.candidates is not None:
            return CandidateLists(queries.candidates.to_padded())
        brought: dict[str, Int32Array] = {}
        for name, strand in self._retrievers:
            start = time.perf_counter()
            retrieved = strand.retrieve(queries, self.recipe.candidates_per_model)
            watch(f"{name}.retrieve", time.perf_counter() - start)
            brought[name] = retrieved.item_numbers
        if queries.pinned is not None:
            brought[PINS] = queries.pinned.to_padded()
        return unite(brought, len(queries.users))

    def _evidence(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """`<model>.because` for what is shown, -1 for every other candidate."""
        order = items.columns["order"]
        rows, columns = np.nonzero(order >= 0)
        places = order[rows, columns]
        shown = np.full((len(order), int(order.max(initial=-1)) + 1), ABSENT, np.int32)
        shown[rows, places] = items.item_numbers[rows, columns]
        evidence: dict[str, Any] = {}
        for name, model in self._explainers:
            because = np.full(order.shape, ABSENT, np.int32)
            because[rows, columns] = model.explain(queries, shown)[rows, places]
            evidence[f"{name}.because"] = because
        return items.with_columns(**evidence)


def _check(strands: tuple[Stage, ...], steps: tuple[Stage, ...]) -> None:
    for strand in strands:
        if not isinstance(strand, Scorer):
            raise RecipeError(
                f"{strand.name} scores nothing, so it is no strand", field=strand.name
            )
    if not any(isinstance(strand, Retriever) for strand in strands):
        raise RecipeError("no strand retrieves", hint="add [strands.popular]")
    names = [one.name for one in (*strands, *steps)]
    for name in names:
        if names.count(name) > 1 or name == PINS:
            raise RecipeError(
                f"the name {name!r} is taken", hint="two stages cannot share one", field=name
            )
    written = {"*.score", "*.rank", "*.because"}
    for step in steps:
        if not isinstance(step, Reranker):
            raise RecipeError(f"{step.name} adds no column, so it is no step", field=step.name)
        for column in step.reads:
            if column not in written:
                raise RecipeError(
                    f"step {step.name} reads the column {column!r}, which no step before it writes",
                    hint=f"written so far: {', '.join(sorted(written))}",
                    field=step.name,
                )
        written.update(step.writes)


def _check_names(step: Stage, strands: Sequence[str]) -> None:
    """A setting for a strand that is not there would be ignored, and nobody would notice."""
    for setting, named in step.referenced_models.items():
        for name in named:
            if name not in strands:
                raise RecipeError(
                    f"{setting} of step {step.name} names {name!r}, which is no strand here",
                    hint=f"the strands are {', '.join(strands)}; take the name out, or mend it",
                    field=f"{step.name}.{setting}",
                )


def _fitted(stage: Stage, dataset: Dataset, context: FitContext, watch: OnStageTimed) -> Stage:
    fitted: Any = stage
    start = time.perf_counter()
    if isinstance(stage, Trainable):
        fitted = stage.train(dataset, context.for_stage(stage.name))
    elif isinstance(stage, Fittable):
        fitted = stage.fit(dataset, seed=context.seed)
    else:
        return stage
    watch(stage.name, time.perf_counter() - start)
    return fitted  # type: ignore[no-any-return]


def _without(facts: Triples, relations: tuple[str, ...]) -> Triples:
    if not relations or not len(facts):
        return facts
    banned = frozenset(relations)
    kept = np.array([one not in banned for one in facts.relations], np.bool_)
    places = np.nonzero(kept)[0]
    return Triples(
        facts.heads[kept],
        tuple(facts.relations[one] for one in places),
        tuple(facts.tails[one] for one in places),
        facts.tail_items[kept],
        tuple(facts.head_ids[one] for one in places) if facts.head_ids else (),
    )
