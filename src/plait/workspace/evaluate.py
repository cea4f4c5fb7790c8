"""The road from an open home to a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset, Int32Array
from plait.errors import InputError, ProtocolError
from plait.evaluation.evaluate import evaluate as measure
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.report import Report
from plait.evaluation.results.run_store import save_run
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.ingest.importer import Importer
from plait.pipeline.recipe import Recipe, load_recipe
from plait.privacy.consent import ConsentPolicy
from plait.training.process_group import require_single_process
from plait.workspace.fit import Progress
from plait.workspace.impression_labels import with_answers
from plait.workspace.ingest import ingest

__all__ = ["check_test", "evaluate", "protocol_of", "rated_file"]

OPTIONS = ("seeds", "group", "test_events", "map")
"""What an evaluation can be told beside its protocol."""


def evaluate(
    log: EventLog,
    protocol: str | Protocol,
    recipes: Iterable[str | Path | Recipe],
    options: Mapping[str, Any],
    *,
    history: Path,
    flush: Callable[[], None],
    progress: Progress,
) -> Report:
    """Take a snapshot and measure; everything that can be refused is, before the log is read.

    `history` is the file that remembers every look at a test; the run is kept in `runs` beside it.
    `flush` stores answers that still wait for it.
    `options`: those of the protocol, and `seeds`, `group`, `test_events` (rated events for the
    ratings protocol, whatever `ingest` takes) with their `map`.
    """
    require_single_process("an evaluation")
    settings = {name: options[name] for name in options if name in OPTIONS}
    protocol_options = {name: options[name] for name in options if name not in OPTIONS}
    settled = protocol_of(protocol, protocol_options)
    named = [recipes] if isinstance(recipes, str | Path | Recipe) else list(recipes)
    loaded_recipes = [entry if isinstance(entry, Recipe) else load_recipe(entry) for entry in named]
    events = settings.get("test_events")
    check_test(events, settled)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    test = None if events is None else rated_file(events, settings.get("map"), dataset)
    if loaded_recipes:  # without a recipe there is nothing to measure, as is said below
        dataset = with_answers(log, dataset, settled, loaded_recipes[0], flush)
    report = measure(
        dataset,
        loaded_recipes,
        settled,
        seeds=settings.get("seeds", 1),
        group=settings.get("group") or "",
        test=test,
        progress=progress,
        history=history,
    )
    save_run(history.parent / "runs", report)
    return report


def protocol_of(protocol: str | Protocol, options: Mapping[str, Any]) -> Protocol:
    """A protocol from its name and options, checked as far as it can be without data."""
    known = [option.name for option in fields(Protocol) if option.name not in ("name", "test_file")]
    for name in options:
        if name not in known:
            raise InputError(
                f"there is no option {name!r}",
                hint=f"there are {', '.join((*known, *OPTIONS))}",
                field=name,
            )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    if isinstance(protocol, Protocol):
        if values:
            raise InputError("options come with the name of a protocol", field=next(iter(values)))
        checked = protocol
    else:
        checked = Protocol(name=protocol, **values)  # type: ignore[arg-type]
    checked.check()
    return checked


def check_test(events: Any, protocol: Protocol) -> None:
    """InputError where test events are given to a protocol that takes none; needs no data."""
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


def rated_file(events: Any, mapping: Any, dataset: Dataset) -> Dataset:
    """Rated events from outside, by the numbers of `dataset`; ids that it does not know have
    numbers behind all of its own.

    They are read into a log of their own, which is thrown away. Raises ProtocolError if none of
    their users is known.
    """
    with (
        tempfile.TemporaryDirectory(prefix="plait-test-") as folder,
        EventLog.open(folder) as scratch,
    ):
        importer, consent = Importer(scratch), ConsentPolicy()
        receipts = ingest(importer, consent, {"events": events}, mapping, _quiet)
        rated = snapshot(scratch)
    rows = rated.interactions
    users = _translated(rated.users, dataset.users)[rows.users]
    items = _translated(rated.catalogue, dataset.catalogue)[rows.items]
    if not (users < dataset.n_users).any():
        raise ProtocolError(
            f"none of the users of {receipts.stored} test events is known here",
            hint="the ids must be those of the home, which may hold pseudonyms",
            field="test_events",
        )
    return replace(rated, interactions=replace(rows, users=users, items=items))


def _translated(source: Catalogue, target: Catalogue) -> Int32Array:
    """By number of `mine` the number of the same id in `theirs`; unknown ones by their order, so
    that it does not matter how the file was sorted.
    """
    numbers: Int32Array = target.numbers(source.ids)
    unknown = sorted(np.flatnonzero(numbers < 0).tolist(), key=source.id)
    numbers[unknown] = len(target) + np.arange(len(unknown), dtype=np.int32)
    return numbers


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""
