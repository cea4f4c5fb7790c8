"""A whole recipe as a single model for experiments, fitted on one's own split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.evaluation.ranking.rank_queries import (
    require_final_score,
    state_view_of,
    without_explanations,
)
from plait.evaluation.tuning.search import with_settings
from plait.experiments.data.dataset import Dataset
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fit_data import validation_set
from plait.experiments.models.fit_options import reported_progress, run_name, trackers_of
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.models.pipeline_stage import PipelineStage
from plait.pipeline.fit_context import FitContext, Progress
from plait.pipeline.pipeline import FALLBACK, Pipeline
from plait.pipeline.recipe import Recipe, RecipeLike, recipe_from
from plait.pipeline.stage import Stage
from plait.ranking.exclusion_rules import Rules
from plait.splitting.splits import Split
from plait.training.callbacks import callbacks_of
from plait.training.pipeline_fit import fit_recipe

__all__ = ["FromRecipe"]


class FromRecipe(Estimator):
    """A recipe as a model: what it fuses is fitted on `train` and weighed on `validation`.

    The settings of stages are settings of the model by the name "stage.setting":
    `FromRecipe("default").set_params(**{"linear.l2": 50.0})`.

    Args:
        source: A recipe, its mapping, its file, or the name of one that comes with Plait.
    """

    def __init__(self, source: RecipeLike = "default") -> None:
        self.source = recipe_from(source)
        require_final_score(Pipeline.build(self.source))

    def recipe(self) -> Recipe:
        """Return the recipe with its settings."""
        return self.source

    def recipe_table(self) -> dict[str, Any]:
        """Refuse: a recipe has many tables.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"the recipe {self.source.name!r} cannot be a model of another recipe",
            hint="fuse its models themselves, or extend the recipe",
        )

    def set_params(self, **settings: Any) -> Self:
        """Change settings.

        Args:
            settings: The source, or values by "stage.setting".

        Returns:
            This model.

        Raises:
            InputError: If there is no such stage.
            RecipeError: If there is no such setting, or a value is not allowed.
        """
        recipe = recipe_from(settings.pop("source", self.source))
        for name in settings:
            stage = name.partition(".")[0]
            if stage not in {**recipe.models, **recipe.steps}:
                known = ", ".join([*recipe.models, *recipe.steps])
                message = f"the recipe {recipe.name!r} has no stage for the setting {name!r}"
                raise InputError(message, hint=f"its stages are {known}", field=name)
        changed = with_settings(recipe, settings)
        Pipeline.build(changed)
        self.source = changed
        return self

    def clone(self) -> Self:
        """Return a model of the same recipe."""
        return type(self)(self.source)

    def stage(self, *, weight: str | None = None) -> Stage:
        """Return all models of the recipe as one stage, not fitted.

        Args:
            weight: None; recipes do not weigh interactions by value.

        Raises:
            InputError: If there is a weight.
        """
        _check_options(weight, None)
        return _stage_of(_measured(Pipeline.build(self.source)))

    def fit(
        self,
        train: arrays.Dataset,
        *,
        validation: arrays.Dataset | None = None,
        seed: int = 0,
        weight: str | None = None,
        event_weights: Mapping[str, float] | None = None,
        device: str | None = None,
        progress: Progress | bool | None = None,
        trackers: Any = (),
        callbacks: Any = (),
        folder: str | Path | None = None,
    ) -> FittedModel[Self]:
        """Fit the models of the recipe on `train`, and learn its fusion on `validation`.

        Args:
            train: The training data.
            validation: Interactions to predict from those of `train`: weights of the fusion are
                learned on them, and training by gradient stops when it no longer improves on them.
                None: the weights are those of the recipe.
            seed: The seed of random choices.
            weight: None; recipes do not weigh interactions by value.
            event_weights: Weights by event type; None: those of the recipe.
            device: None; the settings `training.device` of the recipe name devices.
            progress: As for other models.
            trackers: As for other models.
            callbacks: As for other models.
            folder: Where an interrupted training is resumed from; None: nowhere.

        Returns:
            The fitted model; its lists are those of the recipe without the items that fill lists
            which the models leave short. Its `scores` are those among the candidates without seen
            items; with them if the recipe has no rule of seen items, or `seen = "off"`.

        Raises:
            InputError: If `validation` has other users or items, or there is a weight or device.
        """
        _check_options(weight, device)
        weights = dict(self.source.event_weights if event_weights is None else event_weights)
        recipe = replace(self.source, event_weights=weights)
        context = FitContext(
            folder=None if folder is None else Path(folder),
            trackers=trackers_of(trackers, folder),
            callbacks=callbacks_of(callbacks),
            name=run_name(recipe.name),
        )
        with reported_progress(progress) as report:
            pipeline = fit_recipe(
                _measured(Pipeline.build(recipe)),
                train,
                None if validation is None else _split(train, validation, weights),
                refit=False,
                seed=int(seed),
                live=state_view_of,
                progress=report,
                context=context,
            )
        return FittedModel(self.clone(), _stage_of(pipeline), Dataset.from_snapshot(train), weights)

    def __repr__(self) -> str:
        return f"FromRecipe({self.source.name!r})"


def _check_options(weight: str | None, device: str | None) -> None:
    """Raise InputError for options that recipes do not have."""
    if weight is not None:
        hint = "set use_weights or confidence of its models"
        raise InputError("recipes have no weight of rows", hint=hint, field="weight")
    if device is not None:
        hint = "set training.device of its models"
        raise InputError("recipes name their devices", hint=hint, field="device")


def _stage_of(pipeline: Pipeline) -> PipelineStage:
    """The pipeline as one stage; seen items are candidates unless a rule of it removes them."""
    removes = any(isinstance(step, Rules) and step.config.seen != "off" for step in pipeline.steps)
    return PipelineStage(pipeline, without_seen=removes)


def _measured(pipeline: Pipeline) -> Pipeline:
    """The pipeline without explanations and the step that fills lists."""
    return without_explanations(pipeline).without(FALLBACK)


def _split(train: arrays.Dataset, validation: arrays.Dataset, weights: dict[str, float]) -> Split:
    """The users of the validation data with their targets, as fits of recipes learn from them."""
    held = validation_set(train, validation, weights)
    has_events = np.bincount(train.interactions.items, minlength=train.n_items) > 0
    return Split(
        train=train,
        query_time_data=train,
        queries=held.queries,
        targets=held.targets,
        users=held.queries.users,
        excluded=0,
        new=~has_events,
    )
