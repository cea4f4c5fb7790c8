"""What a search for settings repeats: fit a model, recommend, measure; and its settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.evaluation.results.evaluation_log import recipe_hash
from plait.evaluation.results.fingerprint import dataset_fingerprint
from plait.experiments.argument_checks import check_dataset
from plait.experiments.data.dataset import Dataset
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.models.recipe_model import FromRecipe
from plait.experiments.scores.metric_definitions import METRIC_NAMES
from plait.experiments.scores.score import score
from plait.experiments.search.trial_log import Trial, TrialLog, settings_key
from plait.pipeline.recipe import RecipeLike, build_stage, recipe_from
from plait.pipeline.search_space import (
    Choice,
    Range,
    get_setting,
    recipe_search_space,
    search_space,
)
from plait.pipeline.stage import RatingPredictor, Stage
from plait.utils.number_arguments import whole_number

__all__ = [
    "RATING_ERRORS",
    "ListMetric",
    "Objective",
    "SearchTask",
    "Searched",
    "best_of",
    "declared_space",
    "own_settings",
    "with_model_settings",
]

ListMetric = str | Callable[[Any, Any], float]
"""A metric of `plait.score` with its cut-off, such as "ndcg@10"; "rmse" or "mae" of predicted
ratings; or a function of the lists (a frame of user, item, rank and score) and the validation data
that returns a number."""

RATING_ERRORS = ("rmse", "mae")
"""Metrics of predicted ratings; the smallest is the best."""

Searched = type[Estimator] | Estimator | RecipeLike
"""What is searched: a class of `plait.models`, a model with settings of its own, or a recipe."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What trials are compared by.

    Attributes:
        metric: A metric with its cut-off, or a function of lists and validation data.
        minimize: Whether smaller values are better.
        k: The length of the lists that a function gets.
        seen: As for `FittedModel.recommend`.

    Raises:
        InputError: If there is no such metric, or another value is wrong.
    """

    metric: ListMetric
    minimize: bool
    k: int
    seen: str

    def __post_init__(self) -> None:
        whole_number(self.k, "k", least=1)
        if self.seen not in ("remove", "keep"):
            message = f"seen is {self.seen!r}, expected 'remove' or 'keep'"
            raise InputError(message, field="seen")
        metric: Any = self.metric
        if isinstance(metric, str) and metric not in RATING_ERRORS:
            name, _, cutoff = metric.rpartition("@")
            if name not in METRIC_NAMES or not cutoff.isdecimal() or int(cutoff) < 1:
                known = ", ".join(METRIC_NAMES)
                hint = (
                    f"name one of {known} with a cut-off: ndcg@10; or {' or '.join(RATING_ERRORS)}"
                )
                message = f"no metric {metric!r}"
                if metric in METRIC_NAMES:
                    message, hint = f"metric {metric!r} has no cut-off", f"such as '{metric}@10'"
                raise InputError(message, hint=hint, field="metric")
        elif not isinstance(metric, str) and not callable(metric):
            message = f"metric is {metric!r}, expected a name such as 'ndcg@10' or a function"
            raise InputError(message, field="metric")

    @property
    def name(self) -> str:
        """The name of the metric."""
        if isinstance(self.metric, str):
            return self.metric
        return str(getattr(self.metric, "__name__", type(self.metric).__name__))

    def value(
        self, fitted: FittedModel[Any], train: arrays.Dataset, validation: arrays.Dataset
    ) -> float | None:
        """Measure a fitted model.

        Args:
            fitted: The model.
            train: What it was fitted on.
            validation: The targets.

        Returns:
            The value; None if it is no finite number.

        Raises:
            InputError: If a function returns no number.
        """
        users = Dataset.from_snapshot(validation)
        result: Any
        if self.metric in RATING_ERRORS:
            result = _rating_error(fitted, users, self.name)
        elif isinstance(self.metric, str):
            name, _, cutoff = self.metric.rpartition("@")
            k = int(cutoff)
            past = train if self.seen == "remove" else None
            lists = {"trial": fitted.recommend(users, k, seen=self.seen)}
            table = score(lists, validation, k=k, metrics=name, seen=past)
            result = table.rows["trial"].values[self.metric].mean()
        else:
            result = self.metric(fitted.recommend(users, self.k, seen=self.seen), validation)
        try:
            value = float(result)
        except (TypeError, ValueError) as problem:
            message = f"{self.name} returned {result!r}, expected a number"
            raise InputError(message, field="metric") from problem
        return value if math.isfinite(value) else None


def _rating_error(fitted: FittedModel[Any], validation: Dataset, metric: str) -> float:
    """The error of the predicted ratings of pairs with a value; NaN if none is predicted."""
    frame = validation.to_frame()
    errors = (fitted.scores(frame)["rating"] - frame["value"]).drop_nulls().drop_nans().to_numpy()
    if not len(errors):
        return math.nan
    return float(np.sqrt(np.mean(errors**2)) if metric == "rmse" else np.mean(np.abs(errors)))


def _check_ratings(model: Estimator, validation: arrays.Dataset, metric: str) -> None:
    """Check that a model predicts ratings, and that there are ratings to compare with."""
    if isinstance(model, FromRecipe) or not _predicts_ratings(model.stage()):
        hint = "SVDpp predicts ratings; lists are measured by ndcg@10"
        raise InputError(f"{model!r} predicts no ratings for {metric}", hint=hint, field="metric")
    if np.isnan(validation.interactions.values).all():
        message = f"no interaction of validation has a value to compare with, as {metric} needs"
        raise InputError(message, hint="name a column rating or value", field="validation")


def _predicts_ratings(stage: Stage) -> bool:
    return isinstance(stage, RatingPredictor) and stage.can_predict_ratings


@dataclass(eq=False)
class SearchTask:
    """One search: the model, the data, the objective, and the trials so far.

    Attributes:
        model: The model with its own settings.
        train: The data that each trial is fitted on.
        validation: The data that it is measured on.
        objective: What trials are compared by.
        seed: The seed of each fit.
        log: The finished trials.
        best: The best trial of this process and its fitted model.
    """

    model: Estimator
    train: arrays.Dataset
    validation: arrays.Dataset
    objective: Objective
    seed: int
    log: TrialLog
    best: tuple[Trial | None, FittedModel[Any] | None] = (None, None)

    @classmethod
    def of(
        cls,
        searched: Searched,
        train: arrays.Dataset,
        validation: arrays.Dataset,
        objective: Objective,
        seed: int,
        storage: str | Path | None,
    ) -> SearchTask:
        """Prepare a search, and read its earlier trials.

        Args:
            searched: A class of models, a model, or a recipe.
            train: The data that each trial is fitted on.
            validation: The data that it is measured on.
            objective: What trials are compared by.
            seed: The seed of each fit.
            storage: The folder of finished trials.

        Raises:
            InputError: If `searched` is no model, the data are no data sets, the validation data
                are empty, or there are no ratings to measure.
        """
        model = _as_model(searched)
        check_dataset(train, "train")
        check_dataset(validation, "validation")
        seed = whole_number(seed, "seed", least=0)
        if not len(validation.interactions):
            raise InputError("validation has no interaction to measure by", field="validation")
        if objective.metric in RATING_ERRORS:
            _check_ratings(model, validation, objective.name)
        if isinstance(model, FromRecipe):
            description: dict[str, Any] = {"recipe": recipe_hash(model.source)}
        else:
            settings = settings_key(model.get_params())
            description = {"class": type(model).__name__, "settings": settings}
        identity = {
            "model": description,
            "metric": objective.name,
            "k": int(objective.k),
            "seen": objective.seen,
            "seed": seed,
            "train": dataset_fingerprint(train),
            "validation": dataset_fingerprint(validation),
        }
        log = TrialLog(storage, identity)
        return cls(model, train, validation, objective, seed, log)

    def fit(self, model: Estimator) -> FittedModel[Any]:
        """Fit a model as a trial does.

        Args:
            model: The model with its settings.
        """
        return model.fit(self.train, validation=self.validation, seed=self.seed)

    def earlier(self, settings: Mapping[str, Any]) -> Trial | None:
        """Return the finished trial of settings; None if they were not tried.

        Args:
            settings: Values by name.
        """
        key = settings_key(settings)
        tried = (trial for trial in self.log.trials if settings_key(trial.settings) == key)
        return next(tried, None)

    def run(self, settings: Mapping[str, Any]) -> Trial:
        """Fit and measure settings, and keep the trial.

        Args:
            settings: Values by name.
        """
        start = time.perf_counter()
        fitted = self.fit(with_model_settings(self.model, settings))
        value = self.objective.value(fitted, self.train, self.validation)
        trial = Trial(dict(settings), value, round(time.perf_counter() - start, 3))
        before = [] if self.best[0] is None else [self.best[0]]
        if best_of([*before, trial], self.objective.minimize) is trial:
            self.best = (trial, fitted)
        self.log.add(trial)
        return trial


def best_of(trials: Sequence[Trial], minimize: bool) -> Trial | None:
    """Return the best trial, of equal ones the first; None if no trial has a value.

    Args:
        trials: Finished trials.
        minimize: Whether smaller values are better.
    """
    sign = -1 if minimize else 1
    measured = [trial for trial in trials if trial.value is not None]
    return max(measured, key=lambda trial: sign * (trial.value or 0.0), default=None)


def with_model_settings(model: Estimator, settings: Mapping[str, Any]) -> Estimator:
    """Return a copy of a model with other settings.

    Args:
        model: The model.
        settings: New values by name.

    Raises:
        InputError: If there is no such setting.
        RecipeError: If a value is not allowed.
    """
    return model.clone().set_params(**settings)


def own_settings(model: Estimator, names: Iterable[str]) -> dict[str, Any]:
    """Return the settings that a model has.

    Args:
        model: The model.
        names: Names of settings.
    """
    if not isinstance(model, FromRecipe):
        return {name: model.get_params()[name] for name in names}
    stages = {**model.source.models, **model.source.steps}
    values = {}
    for name in names:
        stage, _, setting = name.partition(".")
        values[name] = get_setting(build_stage(stage, stages[stage]).config, setting)
    return values


def declared_space(model: Estimator) -> dict[str, Range | Choice]:
    """Return where the settings of a model are searched if nothing else is asked for.

    Args:
        model: The model; what its stages declare is widened to the settings that it has.
    """
    if isinstance(model, FromRecipe):
        stages = {**model.source.models, **model.source.steps}
        configs = {name: build_stage(name, table).config for name, table in stages.items()}
        spaces = {
            name: space
            for name, space in recipe_search_space(model.source).items()
            if name.partition(".")[2]
            not in getattr(configs[name.partition(".")[0]], "inactive_settings", ())
        }
    else:
        settings = model.get_params()
        declared = search_space(type(model.stage().config))
        spaces = {name: space for name, space in declared.items() if name in settings}
    own = own_settings(model, spaces)
    return {name: space.including(own[name]) for name, space in spaces.items()}


def _as_model(searched: Any) -> Estimator:
    if isinstance(searched, Estimator):
        return searched.clone()
    if isinstance(searched, type) and issubclass(searched, Estimator):
        return searched()
    return FromRecipe(recipe_from(searched))
