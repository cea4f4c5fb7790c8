"""Evaluates recipes on the data of an open home."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.dataset import Dataset, user_item_keys
from plait.errors import InputError
from plait.evaluation.evaluate import EvaluateOptions
from plait.evaluation.evaluate import evaluate as measure
from plait.evaluation.protocol import Protocol
from plait.evaluation.ranking.fitted_recipes import KeptFits
from plait.evaluation.ranking.fusion_rows import FusionOptions
from plait.evaluation.results.data_warnings import DataWarning
from plait.evaluation.results.report import Report
from plait.evaluation.results.run_store import save_run
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.pipeline.config_validation import check
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe, RecipeLike, recipe_from
from plait.splitting.own_split import joined
from plait.training.callbacks import callbacks_of
from plait.training.process_group import require_single_process
from plait.training.trackers import trackers_from
from plait.utils.plain_arguments import as_list, without_numpy
from plait.workspace.fit import Progress
from plait.workspace.logged_impressions import with_answers
from plait.workspace.own_split import read_split
from plait.workspace.test_ratings import rated_file

__all__ = ["check_parts", "check_test", "evaluate", "protocol_of", "split_parts"]

AUTO = "auto"
"""The protocol that follows from the data."""

_LISTS = {"events", "goal", "k", "negative"}
"""Options of which there may be several."""

PARTS = ("train", "validation", "test")
"""The options that hold the parts of one's own split."""

OPTIONS = (
    *("seeds", "group", "fusion_methods", "ablate", "test_events", "map", *PARTS),
    *("metrics", "track", "callbacks", "keep_fits", "bundle"),
)
"""The options of an evaluation beside its protocol."""

SPLIT = "split"


def evaluate(
    log: EventLog,
    protocol: str | Protocol,
    recipes: RecipeLike | Iterable[RecipeLike],
    options: Mapping[str, Any],
    *,
    history: Path,
    flush: Callable[[], None],
    load_bundle: Callable[[str], Pipeline],
    progress: Progress,
) -> Report:
    """Take a snapshot of a log and evaluate recipes on it.

    The options are checked before the log is read.

    Args:
        log: The log.
        protocol: The protocol or its name; "auto": `split` if there is test data, else `time` where
            the log has times, else leave-one-out.
        recipes: The recipes, their files or their names; of no account with `bundle`.
        options: Those of the protocol, and those that `Workspace.evaluate` describes.
        history: The file that records every evaluation on test data; the run is saved in `runs`
            beside it.
        flush: Stores impressions that are still buffered.
        load_bundle: Loads a bundle of the home by its id, "current" for the one in use.
        progress: Called with the step, how much of it is done, and how much there is.

    Returns:
        The report.

    Raises:
        InputError: If an option is unknown or wrong.
        ProtocolError: If the data do not allow the protocol.
    """
    require_single_process("an evaluation")
    settings = {name: options[name] for name in options if name in OPTIONS}
    protocol_options = {name: options[name] for name in options if name not in OPTIONS}
    parts = split_parts(settings)
    if protocol == AUTO and parts:
        protocol = SPLIT
    settled = protocol_of("time" if protocol == AUTO else protocol, protocol_options)
    check_parts(parts, settled)
    fits = _fits(settings, settled, load_bundle)
    loaded_recipes = _recipes(recipes) if fits.bundle is None else [fits.bundle.recipe]
    check_test(settings.get("test_events"), settled)
    inputs = _checked_inputs(settings, fits, history)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    if protocol == AUTO and dataset.clock != "time":
        settled = protocol_of("leave-one-out", protocol_options)
    mapping, events = settings.get("map"), settings.get("test_events")
    if events is not None:
        inputs["test"] = rated_file(events, mapping, dataset)
    if parts:
        inputs["split"] = split = read_split(dataset, parts, mapping)
        dataset = joined(split.known, split.test)
    elif loaded_recipes:  # without a recipe there is nothing to measure, as is said below
        dataset = with_answers(log, dataset, settled, loaded_recipes[0], flush)
    report = measure(dataset, loaded_recipes, settled, progress=progress, history=history, **inputs)
    fitted_on = None if fits.bundle is None else snapshot(log, until=fits.bundle.version)
    return _saved(report, history.parent / "runs", fitted_on)


def _recipes(recipes: RecipeLike | Iterable[RecipeLike]) -> list[Recipe]:
    """The recipes to evaluate, loaded."""
    named = [recipes] if isinstance(recipes, Path | Recipe) else as_list(recipes)
    return [recipe_from(entry) for entry in named]


def _checked_inputs(settings: Mapping[str, Any], fits: KeptFits, history: Path) -> EvaluateOptions:
    """The options of `plait.evaluation` that need no data."""
    return {
        "seeds": _seed_count(settings.get("seeds", 1)),
        "group": settings.get("group") or "",
        "metrics": settings.get("metrics") or (),
        "fusion": _fusion_rows(settings),
        "trackers": trackers_from(settings.get("track") or (), history.parent / "tracking"),
        "callbacks": callbacks_of(settings.get("callbacks") or ()),
        "fits": fits,
    }


def _fusion_rows(settings: Mapping[str, Any]) -> FusionOptions:
    """Which rows of other fusions there are."""
    return FusionOptions(*(_is_set(name, settings) for name in ("fusion_methods", "ablate")))


def _saved(report: Report, folder: Path, fitted_on: Dataset | None) -> Report:
    """Store a report, and those that it makes by `measure`; flag what a bundle was fitted on."""
    if fitted_on is not None:
        report = replace(report, flags=[*report.flags, *_fitted_on_test(report, fitted_on)])
    again = report.again
    if again is not None:
        report = replace(report, again=lambda options: _saved(again(options), folder, fitted_on))
    save_run(folder, report)
    return report


def split_parts(options: Mapping[str, Any]) -> dict[str, Any]:
    """Select the parts of one's own split.

    Args:
        options: Options by name.

    Returns:
        The parts that are set, by name.
    """
    return {name: options[name] for name in PARTS if options.get(name) is not None}


def check_parts(parts: Mapping[str, Any], protocol: Protocol) -> None:
    """Check that a protocol takes the parts of a split; needs no data.

    Args:
        parts: The parts by name.
        protocol: The protocol.

    Raises:
        InputError: If there are parts and the protocol makes its own, or the other way round.
    """
    if parts and protocol.name != SPLIT:
        raise InputError(
            f"{next(iter(parts))} belongs to the protocol split, not to {protocol.name}",
            hint="--protocol split, or leave the protocol out",
            field="protocol",
        )
    if not parts and protocol.name == SPLIT:
        raise InputError(
            "the protocol split measures test data of one's own, and there is none",
            hint="--train FILE --validation FILE --test FILE",
            field="test",
        )


def _fits(
    settings: Mapping[str, Any],
    protocol: Protocol,
    load_bundle: Callable[[str], Pipeline],
) -> KeptFits:
    """Where fitted recipes are kept, or the bundle that is measured instead of recipes."""
    bundle = settings.get("bundle")
    if bundle is None:
        return KeptFits(keep=_is_set("keep_fits", settings))
    is_fit = protocol.refit or _seed_count(settings.get("seeds", 1)) != 1
    if is_fit or _fusion_rows(settings).any_row or not protocol.ranks:
        raise InputError(
            "a bundle is measured as it is, by a protocol that ranks: without refit, seeds and "
            "rows of other fusions",
            hint="leave bundle out to fit recipes",
            field="bundle",
        )
    return KeptFits(bundle=load_bundle(str(bundle)))


def _fitted_on_test(report: Report, fitted_on: Dataset) -> list[DataWarning]:
    """The share of the targets that the bundle was fitted on."""
    lists = report.lists
    if lists is None:
        return []
    users = fitted_on.users.numbers(lists.user_ids[user] for user in lists.users.tolist())
    targets = lists.targets
    ids = (lists.item_ids[item] for item in targets.values.tolist())
    keys = users[targets.rows].astype(np.int64) * fitted_on.n_items
    keys += fitted_on.catalogue.numbers(ids)
    is_known = np.isin(keys, user_item_keys(fitted_on.interactions, fitted_on.n_items))
    share = float(is_known.mean()) if len(keys) else 0.0
    text = (
        f"{share:.1%} of the targets were in the log when the bundle was fitted: it has seen them, "
        "so the figures are too high"
    )
    return [DataWarning("fitted-on-test", share, share > 0, text)]


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
    computed = ("name", "test_file", "split_data")
    known = [option.name for option in fields(Protocol) if option.name not in computed]
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
