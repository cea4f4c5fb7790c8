"""The base of single models: keyword settings, a fit on a data set, scikit-learn's habits."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from plait.data import dataset as arrays
from plait.errors import InputError, RecipeError
from plait.experiments.argument_checks import check_fit, checked_event_weights
from plait.experiments.data.dataset import Dataset
from plait.experiments.models.fit_data import FitData, fit_stage
from plait.experiments.models.fit_options import reported_progress, run_name, trackers_of
from plait.experiments.models.fitted_model import FittedModel
from plait.pipeline.fit_context import FitContext, Progress
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.stage import Stage
from plait.training.callbacks import callbacks_of
from plait.utils.plain_arguments import without_numpy

__all__ = ["Estimator"]


class Estimator:
    """A model that can be fitted on a data set.

    A subclass names the stage that does the work and turns its keyword arguments into the settings
    of that stage. Arguments are attributes of the same name.
    """

    stage_name: ClassVar[str] = ""
    """The registered name of the stage."""
    data_names: ClassVar[tuple[str, ...]] = ()
    """The arguments of the constructor that are data and no settings."""
    weight_settings: ClassVar[Mapping[str, Any] | None] = None
    """The settings under which the stage reads the weights of interactions; None: it cannot."""

    argument_names: ClassVar[Mapping[str, str]] = {}
    """By the name of a setting of the stage the argument that sets it, where they differ."""

    def __getattr__(self, name: str) -> Any:
        """Say where the methods of fitted models are; other names do not exist."""
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if not name.startswith("_") and hasattr(FittedModel, name):
            message = f"{type(self).__name__} is not fitted: fit returns the model that has {name}"
        raise AttributeError(message, name=name, obj=self)

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
        try:
            self.stage()
        except RecipeError as problem:
            raise self._about_argument(problem) from None

    def _about_argument(self, problem: RecipeError) -> RecipeError:
        """The error of a setting with the names of the arguments in place of those of settings."""
        arguments = self.argument_names
        if not arguments:
            return problem
        settings = re.compile(rf"\b({'|'.join(map(re.escape, arguments))})\b")
        message, hint, field = (
            settings.sub(lambda match: arguments[match[0]], text)
            for text in (problem.message, problem.hint, problem.field)
        )
        return RecipeError(message, hint=hint, field=field)

    def stage(self, *, weight: str | None = None) -> Stage:
        """Return the stage, not fitted, as recipes use it.

        Args:
            weight: As in `fit`.

        Raises:
            RecipeError: If a setting is not allowed.
            InputError: If the model has no such weights.
        """
        table = self.recipe_table()
        if weight is not None:
            table |= self._weight_settings(weight)
        return build_stage(type(self).__name__.lower(), table)

    def recipe_table(self) -> dict[str, Any]:
        """Return the table that a recipe has for this model: the stage and its settings."""
        return {"stage": self.stage_name, **self._settings()}

    def _weight_settings(self, weight: str) -> Mapping[str, Any]:
        """The settings of a stage that reads the weights of interactions."""
        if weight not in ("value", "log"):
            message = f"weight is {weight!r}, expected 'value', 'log' or None"
            raise InputError(message, hint="interactions have no other number", field="weight")
        if self.weight_settings is None:
            raise InputError(
                f"{type(self).__name__} cannot weigh interactions by their value",
                hint="EASE, IALS, ItemKNN, Popular, Content and Vectors can; or filter by value",
                field="weight",
            )
        return self.weight_settings

    def recipe(self) -> Recipe:
        """Return a recipe of this model alone, which every call that takes a recipe takes.

        Seen items do not come back, and lists that the model leaves short are filled, as in the
        recipe `default`.

        Raises:
            InputError: If the model holds data that no recipe can hold, such as `Given`.
        """
        name = type(self).__name__
        if self.data_names:
            raise InputError(
                f"{name} holds {self.data_names[0]}, which no recipe can hold",
                hint="write them to a file, and name it in a recipe (stages given, vectors)",
                field=self.data_names[0],
            )
        steps = {"fuse": {}, "rules": {"seen": "once"}, "policy": {}, "explain": {}}
        models = {name.lower(): self.recipe_table()}
        return Recipe.of({"name": name.lower(), "models": models, "steps": steps})

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

    def check_data(self, train: arrays.Dataset) -> None:
        """Check that data have what the model learns from.

        Args:
            train: The training data.

        Raises:
            InputError: If they lack it, so that nothing could be recommended.
        """
        if not len(train.interactions):
            message = f"train has no interaction for {type(self).__name__} to learn from"
            raise InputError(message, hint="see what filter and kcore leave", field="train")

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
        """Fit the model. It stays as it is; the fitted model is another object.

        Args:
            train: The training data.
            validation: Interactions to predict from those of `train`: training by gradient stops
                when their NDCG@10 no longer improves. Other models do not read them.
            seed: The seed of random choices.
            weight: "value": an interaction counts in proportion to its value (plays, hours,
                units), which must be above 0; "log": by log2(1 + value). EASE and ItemKNN take it
                as the entry of their matrix, IALS as confidence, Popular as the count, Content and
                Vectors as the weight of an item in its user; the others have no such weights.
            event_weights: Weights by event type, "*" for all others; events of weight 0 or less
                are no evidence. None: those of the recipe `default`.
            device: "cpu", "cuda", "cuda:1" or "mps" in place of the setting of the model. Models
                that are not trained by gradient have the CPU alone.
            progress: True draws a progress bar on stderr. A function is called with the name of
                the work, how much is done and how much there is.
            trackers: Where the values of each epoch are recorded: `plait.Curve`, objects with the
                methods of `plait.pipeline.fit_context.Tracker`, or the names "tensorboard",
                "mlflow" and "wandb", which write to `tracking` in `folder` or the current folder.
            callbacks: Functions of the number of finished epochs and their values, called after
                each epoch of training by gradient; "stop" as answer ends it there.
            folder: Where an interrupted training is resumed from; None: nowhere.

        Returns:
            The fitted model.

        Raises:
            InputError: If `train` lacks what the model learns from, or another argument is wrong.
        """
        check_fit(train, validation, seed)
        self.check_data(train)
        weights = checked_event_weights(event_weights)
        model = self._on_device(device)
        with reported_progress(progress) as report:
            context = FitContext(
                seed=int(seed),
                folder=None if folder is None else Path(folder),
                progress=report,
                trackers=trackers_of(trackers, folder),
                callbacks=callbacks_of(callbacks),
                name=run_name(type(self).__name__),
            )
            data = FitData(Dataset.from_snapshot(train), validation, weights, weight)
            stage = fit_stage(model.stage(weight=weight), data, context)
        return FittedModel(model, stage, data.train, weights, weight)

    def _on_device(self, device: str | None) -> Self:
        """A model of the same settings, but for the device."""
        if device is None or (device == "cpu" and "device" not in self.get_params()):
            return self.clone()
        if "device" not in self.get_params():
            message = f"{type(self).__name__} is fitted on the CPU, not on {device!r}"
            raise InputError(message, hint="leave device out", field="device")
        return type(self)(**{**self.get_params(), "device": device})

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

    def load_stage(self, folder: Path, *, weight: str | None = None) -> Stage:
        """Load the fitted stage of a saved model.

        Args:
            folder: The folder that `stage.save` wrote to.
            weight: As in `fit`.

        Returns:
            The fitted stage, which can be fitted again.

        Raises:
            BundleError: If a file is missing or damaged.
        """
        unfitted = self.stage(weight=weight)
        return type(unfitted).load(unfitted.config, unfitted.name, folder)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.settings.items()
            if value != defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"
