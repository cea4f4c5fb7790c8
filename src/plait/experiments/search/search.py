"""`plait.grid` and `plait.search`: settings of a model or a recipe, tried on validation data."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.data import dataset as arrays
from plait.errors import InputError, MissingExtraError
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fit_options import reported_progress
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.search.search_task import (
    RATING_ERRORS,
    ListMetric,
    Objective,
    Searched,
    SearchTask,
    best_of,
    declared_space,
    own_settings,
    with_model_settings,
)
from plait.experiments.search.trial_log import Trial, settings_key
from plait.pipeline.fit_context import Progress
from plait.pipeline.search_space import Choice, Range
from plait.utils.number_arguments import whole_number
from plait.utils.plain_arguments import without_numpy

if TYPE_CHECKING:
    import polars as pl
    from optuna.distributions import BaseDistribution

__all__ = ["Search", "grid", "search"]

_MAX_TRIALS = 1_000_000


@dataclass(frozen=True, eq=False)
class Search:
    """The trials of a search.

    Attributes:
        model: What was searched, with its own settings.
        metric: The name of the metric.
        trials: The finished trials, in their order.
        minimize: Whether the smallest value is the best.
    """

    model: Estimator
    metric: str
    trials: list[Trial]
    minimize: bool
    _task: SearchTask

    @classmethod
    def of(cls, task: SearchTask, trials: list[Trial]) -> Search:
        """Return the result of a search.

        Args:
            task: The search.
            trials: Its finished trials.
        """
        objective = task.objective
        return cls(task.model, objective.name, trials, objective.minimize, task)

    @property
    def best_trial(self) -> Trial:
        """The trial with the best value, of equal ones the first.

        Raises:
            InputError: If no trial has a value.
        """
        best = best_of(self.trials, self.minimize)
        if best is None:
            raise InputError(f"no trial has a value of {self.metric}")
        return best

    @property
    def best(self) -> Estimator:
        """The model with the best settings, not fitted."""
        return with_model_settings(self.model, self.best_trial.settings)

    @cached_property
    def best_fitted(self) -> FittedModel[Any]:
        """The best model fitted on the training data; fitted again if an earlier call tried it."""
        best, fitted = self._task.best
        return fitted if best is self.best_trial and fitted else self._task.fit(self.best)

    @property
    def frame(self) -> pl.DataFrame:
        """The trials: the columns trial, one for each setting, the metric, and seconds."""
        import polars as pl

        names = list(dict.fromkeys(name for trial in self.trials for name in trial.settings))
        columns: dict[str, Any] = {"trial": list(range(1, len(self.trials) + 1))}
        for name in names:
            values = [trial.settings.get(name) for trial in self.trials]
            columns[name] = pl.Series(name, values, strict=False)
        columns[self.metric] = [trial.value for trial in self.trials]
        columns["seconds"] = [trial.seconds for trial in self.trials]
        return pl.DataFrame(columns)

    def __repr__(self) -> str:
        best = best_of(self.trials, self.minimize)
        result = "none has a value" if best is None else f"best {self.metric} {best.value:.4f}"
        return f"Search({self.model!r}, {len(self.trials)} trials, {result})"

    def _repr_html_(self) -> str:
        html: str = self.frame._repr_html_()
        return html


def grid(
    model: Searched,
    space: Mapping[str, Iterable[Any]],
    train: arrays.Dataset,
    validation: arrays.Dataset,
    *,
    metric: ListMetric = "ndcg@10",
    minimize: bool = False,
    k: int = 10,
    seen: str = "remove",
    seed: int = 0,
    storage: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> Search:
    """Try all combinations of settings; all of them are checked before the first is fitted.

    Args:
        model: A class of `plait.models`, a model whose other settings are kept, or a recipe.
        space: Values by setting; settings of a recipe are named "stage.setting".
        train: The data that each trial is fitted on.
        validation: The data that it is measured on; networks stop early by them, too.
        metric: A metric of `plait.score` with its cut-off; "rmse" or "mae" of predicted ratings,
            the smallest being best; or a function of the lists (user, item, rank, score) and
            `validation` that returns a number.
        minimize: Whether smaller values are better.
        k: The length of the lists that a function gets.
        seen: As for `recommend`; with "remove" seen items are no targets either.
        seed: The seed of each fit.
        storage: A folder that keeps finished trials: the same call, or one with more values, goes
            on after them. None: an interrupt loses them.
        progress: True draws a progress bar; or a function, as for `fit`.

    Returns:
        The trials and the best model.

    Raises:
        InputError: If there is no such setting or metric, or a setting has no values.
        RecipeError: If a value is not allowed.

    Example:
        >>> import plait
        >>> from plait import models
        >>> data = plait.Dataset.from_arrays("aaabbbcccddd", "xyzxyzxzyyxz")
        >>> train, validation = data.split_last()
        >>> plait.grid(models.EASE, {"l2": [1.0, 9.0]}, train, validation).frame.columns
        ['trial', 'l2', 'ndcg@10', 'seconds']
    """
    objective = Objective(metric, minimize or metric in RATING_ERRORS, k, seen)
    task = SearchTask.of(model, train, validation, objective, seed, storage)
    combinations = _combinations(task, space)
    with reported_progress(progress) as report:
        return Search.of(task, _run_all(task, combinations, report))


def search(
    model: Searched,
    space: Mapping[str, Any] | None,
    train: arrays.Dataset,
    validation: arrays.Dataset,
    *,
    trials: int = 20,
    metric: ListMetric = "ndcg@10",
    minimize: bool = False,
    k: int = 10,
    seen: str = "remove",
    seed: int = 0,
    storage: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> Search:
    """Search settings by optuna's TPE (Bergstra et al., 2011). Needs the extra `tune`.

    The first trial has the model's own settings, where they lie in the space. A search that is
    interrupted and goes on tries the same settings as one that is not.

    Args:
        model: As for `plait.grid`.
        space: By setting a list of values or a `plait.Range`; None: what the model declares.
        train: The data that each trial is fitted on.
        validation: The data that it is measured on; networks stop early by them, too.
        trials: How many trials there are in the end, those in `storage` included.
        metric: What is optimised, as for `plait.grid`.
        minimize: Whether smaller values are better.
        k: The length of the lists that a function gets.
        seen: As for `plait.grid`.
        seed: The seed of the search and of each fit.
        storage: A folder that keeps finished trials, as for `plait.grid`.
        progress: True draws a progress bar; or a function, as for `fit`.

    Returns:
        The trials and the best model.

    Raises:
        MissingExtraError: Without optuna.
        InputError: If there is no such setting or metric, or nothing to search.
        RecipeError: If a value is not allowed.

    Example:
        >>> import plait
        >>> from plait import models
        >>> data = plait.Dataset.from_arrays("aaabbbcccddd", "xyzxyzxzyyxz")
        >>> train, validation = data.split_last()
        >>> space = {"l2": plait.Range(1.0, 100.0, log=True)}
        >>> len(plait.search(models.EASE, space, train, validation, trials=2).frame)
        2
    """
    trials = whole_number(trials, "trials", least=1, greatest=_MAX_TRIALS)
    objective = Objective(metric, minimize or metric in RATING_ERRORS, k, seen)
    task = SearchTask.of(model, train, validation, objective, seed, storage)
    domains = _domains(task.model, space)
    with reported_progress(progress) as report:
        return Search.of(task, _run_drawn(task, domains, trials, report))


def _combinations(task: SearchTask, space: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """All combinations of values, each checked by the model."""
    _check_space(space, "plait.search(model, None, ...) takes the ranges that the model declares")
    values = {name: _values(name, choices) for name, choices in space.items()}
    combinations = [
        dict(zip(values, combination, strict=True))
        for combination in itertools.product(*values.values())
    ]
    for settings in combinations:
        with_model_settings(task.model, settings)
    return combinations


def _run_all(
    task: SearchTask, combinations: Sequence[Mapping[str, Any]], progress: Progress
) -> list[Trial]:
    """A trial for each of the settings."""
    trials = []
    for done, settings in enumerate(combinations):
        progress("trials", done, len(combinations))
        trials.append(task.earlier(settings) or task.run(settings))
    progress("trials", len(combinations), len(combinations))
    return trials


def _run_drawn(
    task: SearchTask, domains: Mapping[str, Range | Choice], count: int, progress: Progress
) -> list[Trial]:
    """Trials of settings that optuna draws.

    The sampler is seeded anew for each trial, so that what it draws depends on the seed and the
    results before alone: a search that goes on draws the same settings and looks their results up.
    """
    try:
        import optuna
    except ImportError as problem:
        raise MissingExtraError("plait.search", "tune") from problem
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {name: _distribution(domain) for name, domain in domains.items()}
    study = optuna.create_study(direction="minimize" if task.objective.minimize else "maximize")
    own = own_settings(task.model, domains)
    if all(domains[name].holds(value) for name, value in own.items()):
        study.enqueue_trial({name: _encoded(value, domains[name]) for name, value in own.items()})
    trials: list[Trial] = []
    for number in range(count):
        progress("trials", number, count)
        study.sampler = optuna.samplers.TPESampler(seed=task.seed + number)
        asked = study.ask(distributions)
        settings = dict(asked.params)
        for name, domain in domains.items():
            if isinstance(domain, Choice):
                codes = {_encoded(choice, domain): choice for choice in domain.values}
                settings[name] = codes[settings[name]]
        trial = task.earlier(settings) or task.run(settings)
        trials.append(trial)
        failed = optuna.trial.TrialState.FAIL if trial.value is None else None
        study.tell(asked, trial.value, state=failed)
    progress("trials", count, count)
    return trials


def _check_space(space: Any, hint: str) -> None:
    """Check that a space has values by setting."""
    if not isinstance(space, Mapping):
        message = f"space is {space!r}, expected values by setting, such as {{'l2': [50, 500]}}"
        raise InputError(message, hint=hint, field="space")


def _values(name: str, choices: Iterable[Any]) -> list[Any]:
    """The values of a setting; a single text is not read letter by letter."""
    if isinstance(choices, str | bytes | Mapping) or not isinstance(choices, Iterable):
        message = f"space.{name} is {choices!r}, expected a list of values"
        raise InputError(message, field=f"space.{name}")
    values = [without_numpy(value) for value in choices]
    if not values:
        raise InputError(f"space.{name} has no values", field=f"space.{name}")
    return values


def _domains(model: Estimator, space: Mapping[str, Any] | None) -> dict[str, Range | Choice]:
    """Where each setting is searched; one value of each is checked by the model."""
    if space is None:
        domains = declared_space(model)
    else:
        _check_space(space, "None takes the ranges that the model declares")
        domains = {
            name: domain
            if isinstance(domain, Range | Choice)
            else Choice(tuple(_values(name, domain)))
            for name, domain in space.items()
        }
    if not domains:
        hint = "pass a list of values or a plait.Range by setting"
        raise InputError(f"{model!r} has no setting to search", hint=hint, field="space")
    for name, domain in domains.items():
        tried = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in tried:
            with_model_settings(model, {name: value})
    return domains


def _distribution(domain: Range | Choice) -> BaseDistribution:
    """A domain as optuna knows it; the values of a choice are JSON texts."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(domain, Choice):
        return CategoricalDistribution([_encoded(value, domain) for value in domain.values])
    if domain.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _encoded(value: Any, domain: Range | Choice) -> Any:
    return settings_key({"value": value}) if isinstance(domain, Choice) else value
