"""Evaluates recipes on the data of an open home."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from plait.errors import InputError
from plait.evaluation.evaluate import evaluate as measure
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fusion_rows import FusionOptions
from plait.evaluation.results.report import Report
from plait.evaluation.results.run_store import save_run
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.pipeline.config_validation import check
from plait.pipeline.recipe import Recipe, RecipeLike, recipe_from
from plait.training.process_group import require_single_process
from plait.utils.plain_arguments import as_list, without_numpy
from plait.workspace.fit import Progress
from plait.workspace.logged_impressions import with_answers
from plait.workspace.test_ratings import rated_file

__all__ = ["check_test", "evaluate", "protocol_of"]

AUTO = "auto"
"""The protocol that follows from the data."""

_LISTS = {"goal", "k", "negative"}
"""Options of which there may be several."""

OPTIONS = ("seeds", "group", "fusion_methods", "ablate", "test_events", "map")
"""The options of an evaluation beside its protocol."""


def evaluate(
    log: EventLog,
    protocol: str | Protocol,
    recipes: RecipeLike | Iterable[RecipeLike],
    options: Mapping[str, Any],
    *,
    history: Path,
    flush: Callable[[], None],
    progress: Progress,
) -> Report:
    """Take a snapshot of a log and evaluate recipes on it.

    The options are checked before the log is read.

    Args:
        log: The log.
        protocol: The protocol or its name; "auto": `time` where the log has times, else
            leave-one-out.
        recipes: The recipes, their files or their names.
        options: Those of the protocol and `OPTIONS`; `test_events` are rated events for the
            ratings protocol, in any form that `ingest` takes.
        history: The file that records every evaluation on test data; the run is saved in `runs`
            beside it.
        flush: Stores impressions that are still buffered.
        progress: Called with the step, how much of it is done, and how much there is.

    Returns:
        The report.

    Raises:
        InputError: If an option is unknown or wrong.
        ProtocolError: If the data do not allow the protocol.
    """
    require_single_process("an evaluation")
    settings = {name: options[name] for name in options if name in OPTIONS}
    seeds = _seed_count(settings.get("seeds", 1))
    protocol_options = {name: options[name] for name in options if name not in OPTIONS}
    settled = protocol_of("time" if protocol == AUTO else protocol, protocol_options)
    loaded_recipes = _recipes(recipes)
    events = settings.get("test_events")
    check_test(events, settled)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    if protocol == AUTO and dataset.clock != "time":
        settled = protocol_of("leave-one-out", protocol_options)
    test = None if events is None else rated_file(events, settings.get("map"), dataset)
    if loaded_recipes:  # without a recipe there is nothing to measure, as is said below
        dataset = with_answers(log, dataset, settled, loaded_recipes[0], flush)
    report = measure(
        dataset,
        loaded_recipes,
        settled,
        seeds=seeds,
        group=settings.get("group") or "",
        test=test,
        fusion=FusionOptions(*(_is_set(name, settings) for name in ("fusion_methods", "ablate"))),
        progress=progress,
        history=history,
    )
    save_run(history.parent / "runs", report)
    return report


def _recipes(recipes: RecipeLike | Iterable[RecipeLike]) -> list[Recipe]:
    """The recipes to evaluate, loaded."""
    named = [recipes] if isinstance(recipes, Path | Recipe) else as_list(recipes)
    return [recipe_from(entry) for entry in named]


def _seed_count(value: Any) -> int:
    """How many seeds an evaluation takes the mean of."""
    seeds = without_numpy(value)
    if type(seeds) is not int:
        raise InputError(f"seeds is {seeds!r}, expected how many seeds", field="seeds")
    return seeds


def _is_set(name: str, settings: Mapping[str, Any]) -> bool:
    """The value of an option that is true or false."""
    value = settings.get(name, False)
    if not isinstance(value, bool):
        raise InputError(
            f"{name} is {value!r}, expected true or false", hint=f"{name}=True", field=name
        )
    return value


def protocol_of(protocol: str | Protocol, options: Mapping[str, Any]) -> Protocol:
    """Make a protocol from its name and options, and check what can be checked without data.

    Args:
        protocol: The protocol or its name.
        options: The fields of the protocol by name; none if `protocol` is not a name.

    Returns:
        The protocol.

    Raises:
        InputError: If an option is unknown or wrong.
    """
    known = [option.name for option in fields(Protocol) if option.name not in ("name", "test_file")]
    for name in options:
        if name not in known:
            raise InputError(
                f"there is no option {name!r}",
                hint=f"there are {', '.join((*known, *OPTIONS))}",
                field=name,
            )
    values: dict[str, Any] = {name: without_numpy(value) for name, value in options.items()}
    for name in _LISTS & values.keys():
        values[name] = tuple(as_list(values[name]))
    if isinstance(protocol, Protocol):
        if values:
            raise InputError("options come with the name of a protocol", field=next(iter(values)))
        checked = protocol
    else:
        checked = Protocol(name=protocol, **values)  # type: ignore[arg-type]
        check(replace(checked, name="time"))  # the name is checked below, with its own message
    checked.check()
    return checked


def check_test(events: Any, protocol: Protocol) -> None:
    """Check that a protocol takes test events; needs no data.

    Args:
        events: The test events, or None.
        protocol: The protocol.

    Raises:
        InputError: If there are test events and the protocol takes none, or says how to draw them.
    """
    if events is not None and protocol.name != "ratings":
        raise InputError(
            "test events are for the ratings protocol",
            hint="--protocol ratings",
            field="test_events",
        )
    drawn = Protocol(protocol.name)
    for name in ("test_share", "draw"):
        if events is not None and getattr(protocol, name) != getattr(drawn, name):
            raise InputError(
                f"{name} says how ratings are drawn, and test events leave nothing to draw",
                hint="say the one or the other",
                field=name,
            )
