"""Searches the settings of a recipe on validation targets. Needs optuna (the extra `tune`)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.data.types import Dataset
from plait.errors import InputError, MissingExtraError, ProtocolError, StorageError
from plait.evaluation.evaluate import evaluate, tested
from plait.evaluation.pointwise.ratings import predicting
from plait.evaluation.protocol import Protocol, digest
from plait.evaluation.results.evaluation_log import recipe_hash
from plait.evaluation.results.fingerprint import whole_fingerprint
from plait.evaluation.results.per_query import better
from plait.evaluation.results.report import FUSED
from plait.evaluation.tuning.validation_data import some_users, without_test
from plait.metrics.ranking import METRICS
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.search_space import Choice, Range, get_setting, recipe_search_space
from plait.training.recipe_fit import Progress
from plait.utils.interrupts import DeferredInterrupt

if TYPE_CHECKING:
    import optuna

__all__ = ["Trial", "Tuned", "tune", "with_settings"]

PREDICTED = {"ratings": ("rmse", "mae", "r2"), "clicks": ("auc", "gauc", "log_loss", "ece")}
"""The metrics of the protocols that do not rank."""

SHARE = 0.25
"""The share of the users that a trial is tried on first: a poor one is given up there."""

STARTERS = 4
"""Trials that nothing is compared with, and that none is given up among."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One attempt: `value` is None for one that was given up early."""

    number: int
    settings: Mapping[str, Any]
    value: float | None


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best recipe of all `trials`, what it reached, and what the recipe as given reached."""

    recipe: Recipe
    metric: str
    value: float
    start: float | None
    trials: Sequence[Trial]


@dataclass(frozen=True, slots=True, eq=False)
class _TuningTask:
    recipe: Recipe
    space: Mapping[str, Range | Choice]
    metric: str
    protocol: Protocol
    dataset: Dataset
    few: Dataset
    progress: Progress
    interrupts: DeferredInterrupt


def tune(
    dataset: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    *,
    metric: str,
    trials: int,
    folder: Path,
    only: Sequence[str] = (),
    test: Dataset | None = None,
    progress: Progress,
    told: Callable[[Trial, Tuned | None], None],
) -> Tuned:
    """Try settings until there are `trials` of them, those of earlier calls included.

    The settings are those that stages declare as `tunable` and that have a say under the protocol,
    or of these the ones whose name begins with one of `only`; the first trial is the recipe as it
    is. Tuning never sees a test target: the test is taken out of `dataset` before anything else.
    `folder` keeps the study, by recipe, protocol, metric, data and `test`. `told` hears every
    trial, and the best so far; an interrupt leaves all finished trials in place: it is heard
    while a trial is fitted and asked, elsewhere it waits until the study is written. Raises
    MissingExtraError without optuna, InputError for a metric or a setting that does not exist.
    """
    if find_spec("optuna") is None:
        raise MissingExtraError("plait tune", "tune")
    if trials < 1:
        raise InputError(f"{trials} trials", hint="give 1 or more", field="trials")
    _check_metric(protocol, metric)
    settled = tested(protocol.resolved(dataset, recipe), test)
    inner, validation = without_test(dataset, settled, recipe.event_weights, test)
    few = some_users(inner, SHARE, settled.seed)
    space, data = _space(recipe, only, settled), whole_fingerprint(dataset)
    with DeferredInterrupt() as interrupts:
        task = _TuningTask(recipe, space, metric, validation, inner, few, progress, interrupts)
        with _study(task, folder, data, settled) as study:
            _search(study, task, trials, told)
            found = _tuned(study, task)
    if found is None:
        raise InputError("no trial came to its end", hint="try more", field="trials")
    return found


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with other settings, given as "stage.setting" or "stage.table.setting"."""
    strands = {name: dict(one) for name, one in recipe.models.items()}
    steps = {name: dict(one) for name, one in recipe.steps.items()}
    for key, value in settings.items():
        stage, *tables, field = key.split(".")
        inner = (strands if stage in strands else steps)[stage]
        for one in tables:
            inner[one] = dict(inner.get(one, {}))
            inner = inner[one]
        inner[field] = value
    return replace(recipe, models=strands, steps=steps)


def _check_metric(protocol: Protocol, metric: str) -> None:
    """InputError unless the protocol has the metric; before anything is fitted."""
    if protocol.ranks:
        names = (*METRICS, "coverage", "novelty")
        known = [f"{name}@{k}" for name in names for k in protocol.k]
        if (deepest := max(protocol.k)) > 1:
            known.append(f"diversity@{deepest}")
    else:
        known = list(PREDICTED[protocol.name])
    if metric not in known:
        raise InputError(
            f"there is no metric {metric!r}",
            hint=f"there are {', '.join(known)}" + " (--k gives others)" * protocol.ranks,
            field="metric",
        )


def _space(recipe: Recipe, only: Sequence[str], protocol: Protocol) -> dict[str, Range | Choice]:
    """What is searched: settings that have a say under the protocol and beside the others."""
    space = _counting(recipe, protocol)
    for one in only:
        if not any(name.startswith(one) for name in space):
            raise InputError(
                f"the recipe {recipe.name!r} has nothing to search called {one!r}",
                hint=f"there are {', '.join(space) or 'none'}",
                field="only",
            )
    found = {name: one for name, one in space.items() if not only or name.startswith(tuple(only))}
    if not found:
        raise InputError(
            f"no setting of the recipe {recipe.name!r} can be searched",
            hint="a stage declares them with plait.pipeline.search_space.tunable",
            field="recipe",
        )
    return found


def _counting(recipe: Recipe, protocol: Protocol) -> dict[str, Range | Choice]:
    """By "stage.setting" the settings that change a number; ranges hold what the recipe says.

    Under ratings only strands that predict are asked. A config may name settings that others of
    its own leave without effect, in `idle`.
    """
    rating = protocol.name == "ratings"
    asked = {one.name for one in predicting(recipe).models} if rating else None
    configs = {
        name: build_stage(name, settings).config
        for name, settings in {**recipe.models, **recipe.steps}.items()
        if asked is None or name in asked
    }
    found = {}
    for key, space in recipe_search_space(recipe).items():
        name, _, field = key.partition(".")
        if name in configs and field not in getattr(configs[name], "inactive_settings", ()):
            found[key] = space.including(get_setting(configs[name], field))
    return found


@contextmanager
def _study(
    task: _TuningTask, folder: Path, data: str, protocol: Protocol
) -> Iterator[optuna.study.Study]:
    """The study of this recipe, protocol, metric and data: a new one, or the one begun earlier."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # a trial that fails is told by its error
    key = {"recipe": recipe_hash(task.recipe), "protocol": protocol.hash, "data": data}
    space = {name: repr(one) for name, one in task.space.items()}
    name = digest({**key, "metric": task.metric, "space": space})
    path = folder / "studies.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StorageError(f"{folder} cannot be written: {problem}") from problem
    with _readable(path):
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize" if better(task.metric, 1.0) else "minimize",
                load_if_exists=True,
            )
            done = len(study.get_trials(deepcopy=False))
            study.sampler = optuna.samplers.TPESampler(seed=protocol.seed + done)
            study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTERS)
            if not _ended(study):
                study.enqueue_trial(_as_given(task))
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """StorageError where the file of studies is damaged, locked or cannot be written."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as problem:
        said = str(getattr(problem, "orig", None) or problem.__cause__ or problem)
        raise StorageError(
            f"the studies in {path} cannot be read or written: {said.splitlines()[0]}",
            hint="if it is damaged, move it away: what was tried so far is lost, and nothing else",
        ) from problem


def _as_given(task: _TuningTask) -> dict[str, Any]:
    """What the recipe says, or its stages' defaults, as far as the space holds it."""
    found = {}
    stages = {**task.recipe.models, **task.recipe.steps}
    for key, space in task.space.items():
        stage, _, field = key.partition(".")
        value = get_setting(build_stage(stage, stages[stage]).config, field)
        if space.holds(value):
            found[key] = value
    return found


def _search(
    study: optuna.study.Study,
    task: _TuningTask,
    trials: int,
    told: Callable[[Trial, Tuned | None], None],
) -> None:
    from optuna.trial import TrialState

    def tell(study: optuna.study.Study, trial: optuna.trial.FrozenTrial) -> None:
        value = trial.value if trial.state == TrialState.COMPLETE else None
        told(Trial(trial.number, trial.params, value), _tuned(study, task))

    while (done := len(_ended(study))) < trials:
        task.progress("trials", done, trials)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            study.optimize(lambda trial: _attempt(task, trial), n_trials=1, callbacks=[tell])
        task.interrupts.deliver()
    task.progress("trials", trials, trials)


def _ended(study: optuna.study.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that were finished or given up; an interrupted one counts for nothing."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _attempt(task: _TuningTask, trial: optuna.trial.Trial) -> float:
    """Draw settings, try them on some of the users, then on all."""
    import optuna

    settings = {name: _drawn(trial, name, space) for name, space in task.space.items()}
    recipe = with_settings(task.recipe, settings)
    try:
        early = _reached(task, recipe, task.few)
    except ProtocolError:
        early = math.nan
    if not math.isnan(early):  # else there are too few users to ask, and nothing to give up by
        trial.report(early, step=0)
        if trial.should_prune():
            raise optuna.TrialPruned
    value = _reached(task, recipe, task.dataset)
    if math.isnan(value):
        raise ProtocolError(
            f"what may be looked at has nothing to measure {task.metric} on",
            hint="name another --metric, or another --test-days",
            field="metric",
        )
    return value


def _drawn(trial: optuna.trial.Trial, name: str, space: Range | Choice) -> Any:
    if isinstance(space, Choice):
        return trial.suggest_categorical(name, space.values)
    if space.whole:
        return trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _reached(task: _TuningTask, recipe: Recipe, dataset: Dataset) -> float:
    """What `fused` reaches by the metric."""
    with task.interrupts.allow():
        report = evaluate(dataset, [recipe], task.protocol)
    return float(report.result(FUSED).metrics[task.metric].value)


def _tuned(study: optuna.study.Study, task: _TuningTask) -> Tuned | None:
    """The best so far; None before a trial came to its end."""
    ended = _ended(study)
    found = [Trial(one.number, one.params, _value(one)) for one in ended]
    whole = [one for one in found if one.value is not None]
    if not whole:
        return None
    sign = 1 if better(task.metric, 1.0) else -1
    best = max(whole, key=lambda one: sign * float(one.value or 0.0))
    start = found[0].value  # the first to end is the recipe as it is
    recipe = with_settings(task.recipe, best.settings)
    if best.settings:  # beside its start it needs a name of its own
        recipe = replace(recipe, name=f"{recipe.name.removesuffix('-tuned')}-tuned")
    return Tuned(recipe, task.metric, float(best.value or 0.0), start, found)


def _value(trial: optuna.trial.FrozenTrial) -> float | None:
    from optuna.trial import TrialState

    return trial.value if trial.state == TrialState.COMPLETE else None
