"""The pipeline of a fusion: fitted models, and the step whose weights are learned or fixed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plait.data import dataset as arrays
from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.data.state_view import StateView
from plait.errors import InputError
from plait.experiments.fusion.fusion_inputs import recipe_names, settings_of_models
from plait.experiments.fusion.value_histories import ValueHistories
from plait.experiments.models.fit_data import validation_set
from plait.experiments.models.fitted_model import FittedModel
from plait.pipeline.batch_inference import batch_size, concat_candidates, in_batches
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.stage import Stage
from plait.ranking.fusion.fuse import Fuse
from plait.state import DatasetState
from plait.utils.plain_arguments import without_numpy

__all__ = ["fuse_step", "fusion_pipeline", "learned_pipeline", "with_fixed_weights"]


def fusion_pipeline(
    fitted: Mapping[str, FittedModel[Any]], table: Mapping[str, Any], seen: str, depth: int
) -> Pipeline:
    """Make a pipeline of fitted models; its step has the fixed weights that `table` may have.

    Args:
        fitted: Checked models by name.
        table: Checked settings of the step `fuse`, in which models go by the names in `fitted`.
        seen: "remove" or "keep": whether seen items are no candidates.
        depth: How many items each model retrieves for a user.

    Returns:
        The pipeline.

    Raises:
        RecipeError: If `depth` is no whole number from 1 on.
    """
    first = next(iter(fitted.values()))
    names = recipe_names(fitted)
    settings = settings_of_models(table, dict(zip(fitted, names, strict=True)))
    recipe = Recipe.of(
        {
            "name": "fusion",
            "candidates_per_model": without_numpy(depth),
            "event_weights": first.event_weights,
            "models": {
                name: model.model.recipe_table()
                for name, model in zip(names, fitted.values(), strict=True)
            },
            "steps": {
                "fuse": settings,
                "rules": {"seen": "once" if seen == "remove" else "off"},
                "policy": {},
                "explain": {},
            },
        }
    )
    step = build_stage("fuse", settings)
    assert isinstance(step, Fuse)
    stages = [_member(model, name) for name, model in zip(names, fitted.values(), strict=True)]
    step = step.fit(first.dataset.weighted(first.event_weights))
    return Pipeline(recipe, tuple(stages), (step,), first.dataset.version)


def learned_pipeline(
    pipeline: Pipeline, first: FittedModel[Any], validation: arrays.Dataset, seen: str
) -> Pipeline:
    """Learn weights, and a ranker if the method has one, on the users of validation data.

    Args:
        pipeline: The pipeline of a fusion.
        first: One of its models.
        validation: Interactions that no model was fitted on.
        seen: "remove" or "keep": whether seen items are no candidates.

    Returns:
        The pipeline with what was learned.

    Raises:
        InputError: If there is nothing to learn from.
    """
    held = validation_set(first.dataset, validation, first.event_weights)
    if not len(held.queries):
        raise InputError(
            "validation has no interaction to learn weights from",
            hint="hold some out: train, validation, test = data.split_last(2)",
            field="validation",
        )
    queries = replace(
        held.queries,
        live=StateView(DatasetState.of(first.dataset), {}),
        mask=first.dataset.catalogue.alive[None],
        blocked=held.queries.seen if seen == "remove" else None,
    )

    def retrieve(_start: int, batch: QueryBatch) -> CandidateLists:
        return pipeline.retrieve_and_score(batch)

    size = batch_size(first.dataset.n_items)
    lists = [part for _, part in in_batches(queries, retrieve, size=size)]
    items = concat_candidates(lists)
    learned = pipeline.learn_weights(queries, items, held.targets)
    step = fuse_step(learned)
    if step.learned is None:
        raise InputError(
            "no weight can be learned: no model retrieves what the users of validation took",
            hint="pass more validation data, more candidates_per_model, or weights=",
            field="validation",
        )
    return replace(learned, steps=(step.learn_ranker(queries, items, held.targets),))


def fuse_step(pipeline: Pipeline) -> Fuse:
    """Return the only step of the pipeline of a fusion.

    Args:
        pipeline: The pipeline.
    """
    return next(step for step in pipeline.steps if isinstance(step, Fuse))


def with_fixed_weights(pipeline: Pipeline) -> Recipe:
    """Return the recipe of a pipeline with its learned weights as fixed ones.

    Args:
        pipeline: The pipeline of a fusion.
    """
    recipe, learned = pipeline.recipe, fuse_step(pipeline).learned
    if learned is None:
        return recipe
    fixed = {
        "history_from": learned.lower.tolist(),
        "weights": {
            model: [float(weight) for weight in learned.weights[:, place]]
            for place, model in enumerate(learned.models)
        },
        "margin": learned.margin,
    }
    steps = {**recipe.steps, "fuse": {**recipe.steps["fuse"], "fixed": fixed}}
    return replace(recipe, steps=steps)


def _member(model: FittedModel[Any], name: str) -> Stage:
    """The fitted stage of a model under the name that it has in the fusion; arrays are shared."""
    renamed = copy.copy(model.stage)
    renamed.name = name
    if model.weight is None:
        return renamed
    weights, weight = model.event_weights, model.weight
    return ValueHistories(renamed, model.dataset, weights, weight=weight, name=name)
