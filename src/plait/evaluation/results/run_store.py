"""Stores runs on disk: a report as JSON and, beside it, its per-query metrics."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.errors import InputError, NotFoundError, StorageError
from plait.evaluation.results.per_query_metrics import (
    PerQueryMetrics,
    read_per_query,
    write_per_query,
)
from plait.evaluation.results.report import Report
from plait.utils.path_kind import path_kind
from plait.utils.toml_json import parse_json

__all__ = ["MAX_RUNS", "Run", "find_run", "read_run", "save_run", "write_json", "write_report"]

REPORT = "report.json"

MAX_RUNS = 100
"""Number of runs that a home keeps, the newest ones."""

_WEEK = 7 * 24 * 3600
"""Seconds after which a run without a report counts as abandoned."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A stored evaluation.

    Attributes:
        name: Name of the run.
        report: The report as its JSON holds it.
        detail: Per-query metrics.
    """

    name: str
    report: Mapping[str, Any]
    detail: PerQueryMetrics

    @property
    def hash(self) -> str:
        """The hash of its protocol."""
        return str(self.report["protocol"]["hash"])

    @property
    def n_seeds(self) -> int:
        """Number of seeds that its rows are means of."""
        return len(self.report.get("seeds") or [0])

    def row(self, model: str) -> Mapping[str, Any]:
        """Look up a row.

        Args:
            model: Name of the row.

        Returns:
            The row as JSON holds it.

        Raises:
            InputError: If there is no such row.
        """
        rows = {row["model"]: row for row in self.report["results"]}
        if model not in rows:
            raise InputError(
                f"run {self.name} has no row {model!r}",
                hint=f"there are {', '.join(rows)}",
                field="row",
            )
        return dict(rows[model])


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON and its per-query metrics beside it as .npz.

    Args:
        path: The JSON file.
        report: The report.

    Raises:
        StorageError: If one of the files cannot be written.
    """
    document = report.to_dict()
    if report.detail is not None:
        queries = path.with_suffix(".npz")
        write_per_query(queries, report.detail)
        document["queries"] = {"file": queries.name, "metrics": list(report.detail.metrics)}
    write_json(path, document)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write one JSON document.

    Args:
        path: The file. A regular file is replaced atomically; a pipe or a link is written to.
        document: The document.

    Raises:
        StorageError: If the file cannot be written.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str)
    is_regular = not path.is_symlink() and (path.is_file() or not path.exists())
    draft = path.with_name(f".draft-{path.name}") if is_regular else path
    try:
        draft.write_text(text + "\n", encoding="utf-8")
        if is_regular:
            draft.replace(path)
    except OSError as problem:
        if is_regular:
            draft.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def save_run(folder: Path, report: Report, *, keep: int = MAX_RUNS) -> Path:
    """Store a report in `folder`/RUN and remove old runs.

    Args:
        folder: Folder of all runs. Old runs that cannot be removed stay.
        report: The report to store.
        keep: Number of runs to keep, this one included.

    Returns:
        The folder of the run.

    Raises:
        StorageError: If the run cannot be written.
    """
    home = folder / report.run
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StorageError(f"{home} cannot be created: {problem}") from problem
    write_report(home / REPORT, report)
    _prune(folder, home, keep)
    return home


def _prune(folder: Path, current: Path, keep: int) -> None:
    """Remove all but the newest `keep` runs, `current` among those that stay.

    The report is written last, so a folder without one may be in progress and stays, unless it is
    a week old and holds nothing but the files of an interrupted run.
    """
    complete: list[tuple[int, Path]] = []
    for run in folder.iterdir():
        if run == current or run.is_symlink() or not run.is_dir():
            continue
        try:
            complete.append(((run / REPORT).stat().st_mtime_ns, run))
        except OSError:
            if _is_abandoned(run):
                shutil.rmtree(run, ignore_errors=True)
    for _, run in sorted(complete, reverse=True)[max(keep - 1, 0) :]:
        # The report goes first: what remains after an interruption then counts as abandoned.
        with suppress(OSError):
            (run / REPORT).unlink(missing_ok=True)
            shutil.rmtree(run, ignore_errors=True)
            _log.debug("removed the old run %s", run)


def _is_abandoned(run: Path) -> bool:
    """Whether a folder without a report is the remainder of an interrupted run."""
    try:
        names = {path.name for path in run.iterdir()}
        is_old = time.time() - run.stat().st_mtime > _WEEK
    except OSError:
        return False
    return is_old and names <= {f".draft-{REPORT}", Path(REPORT).with_suffix(".npz").name}


def find_run(name: str, home: Path | None) -> Path:
    """Find the JSON file of a run.

    Args:
        name: A JSON file, the folder of a run, or the beginning of a name in `home`/runs.
        home: A home folder, None to look at `name` as a path only.

    Returns:
        Path of the report.

    Raises:
        NotFoundError: If no run, or more than one, fits `name`.
    """
    path = Path(name)
    if path_kind(path) == "file":
        return path
    if path_kind(path / REPORT) == "file":
        return path / REPORT
    stored = sorted((home / "runs").glob(f"*/{REPORT}")) if home is not None else []
    matches = [report for report in stored if report.parent.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    latest = ", ".join(report.parent.name for report in (matches or stored)[-5:])
    raise NotFoundError(
        f"{len(matches)} runs have names that begin with {name!r}"
        if matches
        else f"unknown run {name!r}",
        hint=f"the latest ones are {latest}" if latest else "plait evaluate --json FILE writes one",
        field="run",
    )


def read_run(path: Path) -> Run:
    """Read a run that `write_report` wrote.

    Args:
        path: The JSON file; the .npz that it names lies beside it.

    Returns:
        The run, named after its folder or its file.

    Raises:
        InputError: If one of the files is missing or is not an evaluation.
    """
    try:
        report = parse_json(path.read_text(encoding="utf-8"))
        is_report = (
            isinstance(report["results"], list)
            and isinstance(report["data"], dict)
            and "hash" in report["protocol"]
        )
        queries = path.parent / Path(str(report["queries"]["file"])).name
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(
            f"{path} is not an evaluation: {problem}", hint="plait evaluate --json FILE writes one"
        ) from problem
    if not is_report:
        raise InputError(
            f"{path} is not an evaluation", hint="plait evaluate --json FILE writes one"
        )
    name = path.parent.name if path.name == REPORT else path.stem
    return Run(name, report, read_per_query(queries))
