"""Searches the settings of a recipe on validation targets. Needs optuna (the extra `tune`)."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from plait.data.types import Dataset
from plait.errors import InputError, MissingExtraError, ProtocolError, StorageError
from plait.evaluation.evaluate import evaluate, with_test_file
from plait.evaluation.protocol import Protocol, digest
from plait.evaluation.ranking.own_metrics import OwnMetric, named_metrics
from plait.evaluation.ranking.rank_queries import require_final_score
from plait.evaluation.results.evaluation_log import recipe_hash
from plait.evaluation.results.fingerprint import dataset_fingerprint, split_fingerprint
from plait.evaluation.results.per_query_metrics import is_better
from plait.evaluation.results.report import FUSED
from plait.evaluation.tuning.settings_to_search import check_metric, search_space
from plait.evaluation.tuning.tuning_data import TuningData, cache_of_unsearched, tuning_data
from plait.pipeline.fit_cache import FitCache
from plait.pipeline.fit_context import Callback, Tracker
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.search_space import Choice, Range, get_setting
from plait.splitting.own_split import OwnSplit
from plait.training.pipeline_fit import Progress
from plait.utils.interrupts import DeferredInterrupt

if TYPE_CHECKING:
    import optuna

__all__ = ["Trial", "TuneOptions", "Tuned", "tune", "with_settings"]

STARTERS = 4
"""Number of first trials, which are never pruned."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial.

    Attributes:
        number: Number of the trial in its study.
        settings: The settings by "stage.setting".
        value: The metric, None for a pruned trial.
    """

    number: int
    settings: Mapping[str, Any]
    value: float | None


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best recipe of all trials.

    Attributes:
        recipe: The recipe with the best settings.
        metric: Name of the metric.
        value: What the best settings reach.
        start: What the original recipe reaches.
        trials: All finished trials.
    """

    recipe: Recipe
    metric: str
    value: float
    start: float | None
    trials: Sequence[Trial]


@dataclass(frozen=True, slots=True, eq=False)
class _TuningTask:
    """One search: the data without test targets, all of them and those of a few users."""

    recipe: Recipe
    space: Mapping[str, Range | Choice]
    metric: str
    protocol: Protocol
    data: TuningData
    few_users: TuningData
    progress: Progress
    interrupts: DeferredInterrupt
    objective: Sequence[OwnMetric]
    options: TuneOptions
    cache: FitCache

    def measure(self, recipe: Recipe, data: TuningData, trackers: Sequence[Tracker] = ()) -> float:
        """What `fused` reaches by the metric."""
        with self.interrupts.allow():
            report = evaluate(
                data.dataset,
                [recipe],
                self.protocol,
                split=data.split,
                metrics=self.objective,
                trackers=trackers,
                cache=self.cache,
                callbacks=self.options.get("callbacks", ()),
            )
        return float(report.result(FUSED).metrics[self.metric].value)


class TuneOptions(TypedDict, total=False):
    """What `tune` takes beside data, recipe, protocol and metric.

    Attributes:
        only: Beginnings of the names of settings to search; by default all tunable settings.
        test: Separate test ratings.
        split: For the protocol "split", where its test is the validation data: it is measured on.
        trackers: Where training is recorded, a run for each fit on all users.
        callbacks: Called after each epoch of a training; "stop" ends it there.
    """

    only: Sequence[str]
    test: Dataset | None
    split: OwnSplit | None
    trackers: Sequence[Tracker]
    callbacks: Sequence[Callback]


def tune(
    dataset: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    *,
    metric: str | OwnMetric,
    trials: int,
    folder: Path,
    progress: Progress,
    on_trial: Callable[[Trial, Tuned | None], object],
    **options: Unpack[TuneOptions],
) -> Tuned:
    """Search settings until a study has `trials` trials, those of earlier calls included.

    Test targets are removed first, the first trial is the recipe, and models without searched
    settings are fitted once. An interrupt keeps all finished trials.

    Args:
        dataset: The data set.
        recipe: The recipe to tune.
        protocol: The protocol whose test targets stay unseen.
        metric: Name of the metric to optimise, or a function of a list of ids and its targets.
        trials: Number of trials.
        folder: Folder of the study.
        progress: Called with "trials", the number of finished trials, and their total.
        on_trial: Called with each trial and the best so far; "stop" ends the search.
        options: See `TuneOptions`.

    Returns:
        The best recipe.

    Raises:
        MissingExtraError: Without optuna.
        InputError: If a metric or setting does not exist, or the data do not allow the protocol.
        StorageError: If the study cannot be read or written.
    """
    if find_spec("optuna") is None:
        raise MissingExtraError("plait tune", "tune")
    if trials < 1:
        raise InputError(
            f"invalid number of trials {trials}", hint="expected 1 or more", field="trials"
        )
    resolved = _resolved(dataset, recipe, protocol, metric, options)
    with DeferredInterrupt() as interrupts:
        task = _tuning_task(dataset, recipe, resolved, metric, options, progress, interrupts)
        with _open_study(task, folder, dataset_fingerprint(dataset), resolved) as study:
            _run_trials(study, task, trials, on_trial)
            best = _best_so_far(study, task)
    if best is None:
        raise InputError("all trials were pruned", hint="run more trials", field="trials")
    return best


def _resolved(
    dataset: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    metric: str | OwnMetric,
    options: TuneOptions,
) -> Protocol:
    """The protocol without open options; an error where it has no such metric."""
    if isinstance(metric, str):
        check_metric(protocol, metric)
    if protocol.ranks:
        require_final_score(Pipeline.build(recipe))
    split = options.get("split")
    known = dataset if split is None else split.known
    resolved = with_test_file(protocol.resolved(known, recipe), options.get("test"))
    return resolved if split is None else replace(resolved, split_data=split_fingerprint(split))


def _tuning_task(
    dataset: Dataset,
    recipe: Recipe,
    protocol: Protocol,
    metric: str | OwnMetric,
    options: TuneOptions,
    progress: Progress,
    interrupts: DeferredInterrupt,
) -> _TuningTask:
    """The search by a resolved protocol."""
    objective = [] if isinstance(metric, str) else [metric]
    test, split = options.get("test"), options.get("split")
    full, few_users, validation = tuning_data(dataset, protocol, recipe, test, split)
    space = search_space(recipe, options.get("only", ()), protocol)
    return _TuningTask(
        recipe,
        space,
        metric if isinstance(metric, str) else next(iter(named_metrics(objective))),
        validation,
        full,
        few_users,
        progress,
        interrupts,
        objective,
        options,
        cache_of_unsearched(recipe, space),
    )


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Change settings of a recipe.

    Args:
        recipe: The recipe.
        settings: New values by "stage.setting" or "stage.table.setting".

    Returns:
        A recipe with these settings.
    """
    models = {name: dict(table) for name, table in recipe.models.items()}
    steps = {name: dict(table) for name, table in recipe.steps.items()}
    for key, value in settings.items():
        stage, *tables, setting = key.split(".")
        table = (models if stage in models else steps)[stage]
        for name in tables:
            table[name] = dict(table.get(name, {}))
            table = table[name]
        table[setting] = value
    return replace(recipe, models=models, steps=steps)


@contextmanager
def _open_study(
    task: _TuningTask, folder: Path, fingerprint: str, protocol: Protocol
) -> Iterator[optuna.study.Study]:
    """The study of this recipe, protocol, metric and data; an earlier one is continued."""
    import optuna
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # failed trials raise anyway
    name = digest(
        {
            "recipe": recipe_hash(task.recipe),
            "protocol": protocol.hash,
            "data": fingerprint,
            "metric": task.metric,
            "space": {key: repr(domain) for key, domain in task.space.items()},
        }
    )
    path = folder / "studies.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StorageError(f"{folder} cannot be written: {problem}") from problem
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize" if is_better(task.metric, 1.0) else "minimize",
                load_if_exists=True,
            )
            n_trials = len(study.get_trials(deepcopy=False))
            study.sampler = optuna.samplers.TPESampler(seed=protocol.seed + n_trials)
            study.pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTERS)
            if not _finished_trials(study):
                study.enqueue_trial(_current_settings(task))
            if n_trials:
                _log.info("continuing the study %s with %d trials", name, n_trials)
            yield study
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, StorageInternalError) as problem:
        reason = str(getattr(problem, "orig", None) or problem.__cause__ or problem)
        raise StorageError(
            f"the studies in {path} cannot be read or written: {reason.splitlines()[0]}",
            hint="if the file is damaged, move it away; only its earlier trials are lost",
        ) from problem


def _current_settings(task: _TuningTask) -> dict[str, Any]:
    """The recipe's own settings or their defaults, as far as the search space includes them."""
    stages = {**task.recipe.models, **task.recipe.steps}
    settings = {}
    for key, domain in task.space.items():
        stage, _, setting = key.partition(".")
        value = get_setting(build_stage(stage, stages[stage]).config, setting)
        if domain.holds(value):
            settings[key] = value
    return settings


def _run_trials(
    study: optuna.study.Study,
    task: _TuningTask,
    trials: int,
    on_trial: Callable[[Trial, Tuned | None], object],
) -> None:
    """Run trials until the study has enough of them."""
    stopped = False

    def report(study: optuna.study.Study, trial: optuna.trial.FrozenTrial) -> None:
        nonlocal stopped
        stopped = on_trial(_to_trial(trial), _best_so_far(study, task)) == "stop"

    while (done := len(_finished_trials(study))) < trials and not stopped:
        task.progress("trials", done, trials)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            study.optimize(lambda trial: _evaluate(task, trial), n_trials=1, callbacks=[report])
        task.interrupts.deliver()
    task.progress("trials", trials, trials)


def _finished_trials(study: optuna.study.Study) -> list[optuna.trial.FrozenTrial]:
    """Completed and pruned trials, without interrupted ones."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=states)


def _evaluate(task: _TuningTask, trial: optuna.trial.Trial) -> float:
    """Draw settings and evaluate them on some of the users, then on all."""
    import optuna

    settings = {name: _suggest(trial, name, domain) for name, domain in task.space.items()}
    recipe = with_settings(task.recipe, settings)
    try:
        early = task.measure(recipe, task.few_users)
    except ProtocolError:
        early = math.nan
    if not math.isnan(early):  # undefined if the few users leave no test queries: no pruning
        trial.report(early, step=0)
        if trial.should_prune():
            raise optuna.TrialPruned
    value = task.measure(recipe, task.data, task.options.get("trackers", ()))
    if math.isnan(value):
        raise ProtocolError(
            f"{task.metric} is undefined on the validation data",
            hint="use another --metric, or another --test-days",
            field="metric",
        )
    return value


def _suggest(trial: optuna.trial.Trial, name: str, domain: Range | Choice) -> Any:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, domain.values)
    if domain.whole:
        return trial.suggest_int(name, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)


def _best_so_far(study: optuna.study.Study, task: _TuningTask) -> Tuned | None:
    """The best trial so far; None before a trial is complete."""
    trials = [_to_trial(trial) for trial in _finished_trials(study)]
    values = {number: trial.value for number, trial in enumerate(trials) if trial.value is not None}
    if not values:
        return None
    sign = 1 if is_better(task.metric, 1.0) else -1
    number = max(values, key=lambda number: sign * values[number])
    settings = trials[number].settings
    recipe = with_settings(task.recipe, settings)
    if settings:  # a name of its own beside the original recipe
        recipe = replace(recipe, name=f"{recipe.name.removesuffix('-tuned')}-tuned")
    return Tuned(recipe, task.metric, values[number], trials[0].value, trials)


def _to_trial(trial: optuna.trial.FrozenTrial) -> Trial:
    from optuna.trial import TrialState

    value = trial.value if trial.state == TrialState.COMPLETE else None
    return Trial(trial.number, trial.params, value)
