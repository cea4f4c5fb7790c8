"""Tunes a recipe on the data of an open home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from plait.data.types import Dataset
from plait.errors import InputError
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.own_metrics import OwnMetric
from plait.evaluation.tuning.search import Trial, Tuned
from plait.evaluation.tuning.search import tune as search
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.pipeline.fit_context import Callback, Tracker
from plait.pipeline.recipe import RecipeLike, recipe_from
from plait.splitting.own_split import OwnSplit, joined
from plait.training.callbacks import callbacks_of
from plait.training.process_group import require_single_process
from plait.training.trackers import trackers_from
from plait.utils.plain_arguments import as_list
from plait.workspace.evaluate import PARTS, check_parts, check_test, protocol_of, split_parts
from plait.workspace.fit import Progress
from plait.workspace.logged_impressions import with_answers
from plait.workspace.own_split import read_split
from plait.workspace.test_ratings import rated_file

__all__ = ["tune"]


def tune(
    log: EventLog,
    recipe: RecipeLike,
    protocol: str | None,
    options: Mapping[str, Any],
    *,
    metric: str | OwnMetric,
    trials: int,
    folder: Path,
    only: Sequence[str] = (),
    flush: Callable[[], None],
    progress: Progress,
    on_trial: Callable[[Trial, Tuned | None], object],
) -> Tuned:
    """Take a snapshot of a log and search the settings of a recipe.

    Args:
        log: The log.
        recipe: The recipe, its file, or the name of one that comes with Plait.
        protocol: Its name; None: `split` if there is validation data, else leave-one-out.
        options: Those of the protocol, and what `Workspace.tune` describes.
        metric: The metric to maximise, or a function of a list and its targets.
        trials: The number of trials in all, those of earlier runs included.
        folder: Where the study is stored.
        only: Prefixes of `stage.setting`; other settings keep their values.
        flush: Stores impressions that are still buffered.
        progress: Called with the step, how much of it is done, and how much there is.
        on_trial: Called after every trial with it and the best so far.

    Returns:
        The best recipe.

    Raises:
        InputError: If an option is unknown or wrong, or the data do not allow the protocol.
        MissingExtraError: If optuna is not installed.
    """
    require_single_process("a search for settings")
    parts, events = split_parts(options), options.get("test_events")
    settled = _settled(protocol, options, parts)
    check_test(events, settled)
    loaded_recipe, inputs = recipe_from(recipe), _inputs(options, only, folder)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    test = None if events is None else rated_file(events, options.get("map"), dataset)
    split = _trials_split(dataset, parts, options.get("map")) if parts else None
    if split is not None:
        dataset = joined(split.train, split.test)
    dataset = with_answers(log, dataset, settled, loaded_recipe, flush)
    return search(
        dataset,
        loaded_recipe,
        settled,
        metric=metric,
        trials=trials,
        folder=folder,
        progress=progress,
        on_trial=on_trial,
        test=test,
        split=split,
        **inputs,
    )


class _Inputs(TypedDict):
    """The options of a search that need no data."""

    only: Sequence[str]
    trackers: Sequence[Tracker]
    callbacks: Sequence[Callback]


def _inputs(options: Mapping[str, Any], only: Sequence[str], folder: Path) -> _Inputs:
    """The options of a search that need no data, checked."""
    return {
        "only": as_list(only),
        "trackers": trackers_from(options.get("track") or (), folder.parent / "tracking"),
        "callbacks": callbacks_of(options.get("callbacks") or ()),
    }


def _trials_split(dataset: Dataset, parts: Mapping[str, Any], mapping: Any) -> OwnSplit:
    """The split that trials are measured on: its test is the validation data."""
    measured = {"train": parts.get("train"), "test": parts["validation"]}
    return read_split(dataset, measured, mapping)


def _settled(name: str | None, options: Mapping[str, Any], parts: Mapping[str, Any]) -> Protocol:
    """The protocol; InputError if the parts of a split do not suffice, or it makes its own."""
    own = ("test_events", "map", "track", "callbacks", *PARTS)
    rest = {option: value for option, value in options.items() if option not in own}
    protocol = protocol_of(name or ("split" if parts else "leave-one-out"), rest)
    check_parts(parts, protocol)
    if parts and "validation" not in parts:
        raise InputError(
            "there is no validation data to tune on",
            hint="pass validation as well; test data are not looked at",
            field="validation",
        )
    return protocol
