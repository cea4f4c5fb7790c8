"""Tunes a recipe on the data of an open home."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from plait.evaluation.tuning.search import Trial, Tuned
from plait.evaluation.tuning.search import tune as search
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.pipeline.recipe import RecipeLike, recipe_from
from plait.training.process_group import require_single_process
from plait.utils.plain_arguments import as_list
from plait.workspace.evaluate import check_test, protocol_of
from plait.workspace.fit import Progress
from plait.workspace.logged_impressions import with_answers
from plait.workspace.test_ratings import rated_file

__all__ = ["tune"]


def tune(
    log: EventLog,
    recipe: RecipeLike,
    protocol: str,
    options: Mapping[str, Any],
    *,
    metric: str,
    trials: int,
    folder: Path,
    only: Sequence[str] = (),
    flush: Callable[[], None],
    progress: Progress,
    on_trial: Callable[[Trial, Tuned | None], None],
) -> Tuned:
    """Take a snapshot of a log and search the settings of a recipe.

    Args:
        log: The log.
        recipe: The recipe, its file, or the name of one that comes with Plait.
        protocol: The name of the protocol.
        options: Those of the protocol, and `test_events` with their `map`, whose ratings are
            left out of the search.
        metric: The metric to maximise.
        trials: The number of trials in all, those of earlier runs included.
        folder: Where the study is stored.
        only: Prefixes of `stage.setting`; other settings keep their values.
        flush: Stores impressions that are still buffered.
        progress: Called with the step, how much of it is done, and how much there is.
        on_trial: Called after every trial with it and the best so far.

    Returns:
        The best recipe and all trials.

    Raises:
        InputError: If an option is unknown or wrong.
        ProtocolError: If the data do not allow the protocol.
        MissingExtraError: If optuna is not installed.
    """
    require_single_process("a search for settings")
    rest = {name: value for name, value in options.items() if name not in ("test_events", "map")}
    settled = protocol_of(protocol, rest)
    events = options.get("test_events")
    check_test(events, settled)
    loaded_recipe = recipe_from(recipe)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    dataset = with_answers(log, dataset, settled, loaded_recipe, flush)
    return search(
        dataset,
        loaded_recipe,
        settled,
        metric=metric,
        trials=trials,
        folder=folder,
        only=as_list(only),
        test=None if events is None else rated_file(events, options.get("map"), dataset),
        progress=progress,
        on_trial=on_trial,
    )
