"""The base of single models: keyword settings, a fit on a data set, scikit-learn's habits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from plait.data import dataset as arrays
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.experiments.dataset import Dataset
from plait.experiments.fitted_model import FittedModel, queries_for
from plait.pipeline.fit_context import FitContext, Tracker, ValidationSet, no_progress
from plait.pipeline.recipe import Recipe, build_stage, load_recipe
from plait.pipeline.stage import Fittable, Stage, Trainable
from plait.utils.plain_arguments import without_numpy

__all__ = ["Estimator", "validation_set"]


class Estimator:
    """A model that can be fitted on a data set.

    A subclass names the stage that does the work and turns its keyword arguments into the settings
    of that stage. Arguments are attributes of the same name.
    """

    stage_name: ClassVar[str] = ""
    """The registered name of the stage."""
    data_names: ClassVar[tuple[str, ...]] = ()
    """The arguments of the constructor that are data and no settings."""

    def _settings(self) -> Mapping[str, Any]:
        """The settings of the stage, as a recipe gives them."""
        return self.settings

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the constructor, without those that are data."""
        params = self.get_params()
        return {name: value for name, value in params.items() if name not in self.data_names}

    def _store(self, arguments: Mapping[str, Any]) -> None:
        """Keep the arguments of the constructor, and check them."""
        for name, value in arguments.items():
            if name != "self" and not name.startswith("__"):
                is_data = name in self.data_names
                setattr(self, name, value if is_data else without_numpy(value))
        self.stage()

    def stage(self) -> Stage:
        """Return the stage, not fitted, as recipes use it.

        Raises:
            RecipeError: If a setting is not allowed.
        """
        return build_stage(type(self).__name__.lower(), self.recipe_table())

    def recipe_table(self) -> dict[str, Any]:
        """Return the table that a recipe has for this model: the stage and its settings."""
        return {"stage": self.stage_name, **self._settings()}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings by name.

        Args:
            deep: Ignored; scikit-learn passes it.
        """
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **settings: Any) -> Self:
        """Change settings.

        Args:
            settings: New values by name.

        Returns:
            This model.

        Raises:
            InputError: If there is no such setting, or a value is not allowed.
        """
        unknown = sorted(set(settings) - set(self.get_params()))
        if unknown:
            known = ", ".join(self.get_params())
            message = f"{type(self).__name__} has no setting {unknown[0]!r}"
            raise InputError(message, hint=f"settings are {known}", field=unknown[0])
        self.__dict__ = vars(type(self)(**{**self.get_params(), **settings}))
        return self

    def clone(self) -> Self:
        """Return a model of the same settings."""
        return type(self)(**self.get_params())

    def fit(
        self,
        train: arrays.Dataset,
        *,
        validation: arrays.Dataset | None = None,
        seed: int = 0,
        event_weights: Mapping[str, float] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        trackers: tuple[Tracker, ...] | list[Tracker] = (),
        folder: str | Path | None = None,
    ) -> FittedModel[Self]:
        """Fit the model. It stays as it is; the fitted model is another object.

        Args:
            train: The training data.
            validation: Interactions to predict from those of `train`: training by gradient stops
                when their NDCG@10 no longer improves. Other models do not read them.
            seed: The seed of random choices.
            event_weights: Weights by event type, "*" for all others; events of weight 0 or less
                are no evidence. None: those of the recipe `default`.
            progress: Called with the name of the work, how much is done and how much there is.
            trackers: Where the values of each epoch are recorded.
            folder: Where an interrupted training is resumed from; None: nowhere.

        Returns:
            The fitted model.

        Raises:
            InputError: If no interaction is evidence, or `validation` has other users or items.
        """
        recipe = load_recipe("default")
        weights = dict(recipe.event_weights if event_weights is None else event_weights)
        data = _evidence(train, weights, recipe)
        stage = self.stage()
        if isinstance(stage, Trainable):
            context = FitContext(
                seed=int(seed),
                held=None if validation is None else validation_set(train, validation, weights),
                folder=None if folder is None else Path(folder),
                progress=progress or no_progress,
                trackers=tuple(trackers),
                name=stage.name,
            )
            stage = stage.train(data, context)
        elif isinstance(stage, Fittable):
            stage = stage.fit(data, seed=int(seed))
        return FittedModel(self.clone(), stage, Dataset.from_snapshot(train), weights)

    def write_data(self, folder: Path) -> None:
        """Write the arguments that are data, for a saved model.

        Args:
            folder: The folder of the saved model.
        """

    @classmethod
    def read_data(cls, folder: Path) -> dict[str, Any]:
        """Read what `write_data` wrote.

        Args:
            folder: The folder of the saved model.

        Returns:
            Arguments of the constructor by name.
        """
        return {}

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.settings.items()
            if value != defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def _evidence(
    train: arrays.Dataset, weights: Mapping[str, float], recipe: Recipe
) -> arrays.Dataset:
    """The training data without the events of weight 0 or less and the leaking relations."""
    data = train.weighted(weights)
    if len(train.interactions) and not len(data.interactions):
        names = ", ".join(train.event_types)
        message = f"no interaction is evidence: all event types ({names}) have weight 0 or less"
        raise InputError(message, hint="pass event_weights", field="event_weights")
    return replace(data, triples=data.triples.without_relations(recipe.excluded_relations))


def validation_set(
    train: arrays.Dataset, validation: arrays.Dataset, weights: dict[str, float]
) -> ValidationSet:
    """Return the histories of the users of validation data, and what they did there.

    Args:
        train: The data set of the histories.
        validation: The interactions to predict.
        weights: Weights by event type; events of weight 0 or less are no targets.

    Raises:
        InputError: If `validation` has other users or items than `train`.
    """
    same_users = train.users.ids == validation.users.ids
    if not same_users or train.catalogue.ids != validation.catalogue.ids:
        raise InputError(
            "validation has other users or items than train",
            hint="split one data set, or pass both frames to Dataset.of together",
            field="validation",
        )
    later = validation.weighted(weights).interactions
    users, counts = np.unique(later.users, return_counts=True)
    targets = Ragged.from_lengths(later.items, counts.astype(np.int64))
    return ValidationSet(queries_for(train, users.astype(np.int32), weights), targets)
