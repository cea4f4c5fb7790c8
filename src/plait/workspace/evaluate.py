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
    told = {name: options[name] for name in options if name in OPTIONS}
    rest = {name: options[name] for name in options if name not in OPTIONS}
    settled = protocol_of(protocol, rest)
    named = [recipes] if isinstance(recipes, str | Path | Recipe) else list(recipes)
    found = [one if isinstance(one, Recipe) else load_recipe(one) for one in named]
    events = told.get("test_events")
    check_test(events, settled)
    dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
    test = None if events is None else rated_file(events, told.get("map"), dataset)
    if found:  # without a recipe there is nothing to measure, as is said below
        dataset = with_answers(log, dataset, settled, found[0], flush)
    report = measure(
        dataset,
        found,
        settled,
        seeds=told.get("seeds", 1),
        group=told.get("group") or "",
        test=test,
        progress=progress,
        history=history,
    )
    save_run(history.parent / "runs", report)
    return report


def protocol_of(protocol: str | Protocol, options: Mapping[str, Any]) -> Protocol:
    """A protocol from its name and options, checked as far as it can be without data."""
    known = [one.name for one in fields(Protocol) if one.name not in ("name", "test_file")]
    for name in options:
        if name not in known:
            raise InputError(
                f"there is no option {name!r}",
                hint=f"there are {', '.join((*known, *OPTIONS))}",
                field=name,
            )
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    if isinstance(protocol, Protocol):
        if given:
            raise InputError("options come with the name of a protocol", field=next(iter(given)))
        found = protocol
    else:
        found = Protocol(name=protocol, **given)  # type: ignore[arg-type]
    found.check()
    return found


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
        door, consent = Importer(scratch), ConsentPolicy()
        receipts = ingest(door, consent, {"events": events}, mapping, _quiet)
        found = snapshot(scratch)
    rows = found.interactions
    users = _translated(found.users, dataset.users)[rows.users]
    items = _translated(found.catalogue, dataset.catalogue)[rows.items]
    if not (users < dataset.n_users).any():
        raise ProtocolError(
            f"none of the users of {receipts.stored} test events is known here",
            hint="the ids must be those of the home, which may hold pseudonyms",
            field="test_events",
        )
    return replace(found, interactions=replace(rows, users=users, items=items))


def _translated(mine: Catalogue, theirs: Catalogue) -> Int32Array:
    """By number of `mine` the number of the same id in `theirs`; unknown ones by their order, so
    that it does not matter how the file was sorted.
    """
    found: Int32Array = theirs.numbers(mine.ids)
    unknown = sorted(np.flatnonzero(found < 0).tolist(), key=mine.id)
    found[unknown] = len(theirs) + np.arange(len(unknown), dtype=np.int32)
    return found


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""
