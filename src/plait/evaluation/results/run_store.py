"""Runs on disk: a report as JSON and, beside it, what every query got."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait.errors import InputError, NotFoundError, StorageError
from plait.evaluation.results.per_query import PerQueryMetrics, read_detail, write_detail
from plait.evaluation.results.report import Report

__all__ = ["KEPT", "Run", "find_run", "read_run", "save_run", "write_report"]

REPORT = "report.json"

KEPT = 100
"""So many runs of a home stay, the newest."""

_WEEK = 7 * 24 * 3600
"""Seconds after which a run without a report is one that nobody writes any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An evaluation that was written: `name`, the report as data, and what every query got."""

    name: str
    report: Mapping[str, Any]
    detail: PerQueryMetrics

    @property
    def hash(self) -> str:
        """The hash of its protocol."""
        return str(self.report["protocol"]["hash"])

    def row(self, model: str) -> Mapping[str, Any]:
        """The row called `model`; InputError names those there are."""
        rows = self.report["results"]
        for one in rows:
            if one["model"] == model:
                return dict(one)
        raise InputError(
            f"run {self.name} has no row {model!r}",
            hint=f"there are {', '.join(one['model'] for one in rows)}",
            field="row",
        )


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON and what every query got beside it, as .npz.

    Raises StorageError if one cannot be written.
    """
    found = report.to_dict()
    if report.detail is not None:
        beside = path.with_suffix(".npz")
        write_detail(beside, report.detail)
        found["queries"] = {"file": beside.name, "metrics": list(report.detail.metrics)}
    text = json.dumps(found, indent=1, ensure_ascii=False, default=str)
    # What is no plain file, such as a pipe or a link, is written to: no other takes its place.
    draft = path.with_name(f".draft-{path.name}") if _is_plain(path) else path
    try:
        draft.write_text(text + "\n", encoding="utf-8")
        if draft != path:
            draft.replace(path)
    except OSError as problem:
        if draft != path:
            draft.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def _is_plain(path: Path) -> bool:
    """Whether a path is a file, or nothing yet."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def save_run(folder: Path, report: Report, *, keep: int = KEPT) -> Path:
    """Keep a report in `folder`/RUN, and the newest `keep` runs with it; its folder.

    Raises StorageError where it cannot be written. Old runs that cannot be removed stay.
    """
    home = folder / report.run
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise StorageError(f"{home} cannot be made: {problem}") from problem
    write_report(home / REPORT, report)
    _prune(folder, home, keep)
    return home


def _prune(folder: Path, mine: Path, keep: int) -> None:
    """Remove all but the newest `keep` runs, `mine` among those that stay.

    The report comes last, so a folder without one is being written, by this process or another, and
    stays; unless it is a week old and holds nothing else than what an interrupted run leaves.
    """
    whole: list[tuple[int, Path]] = []
    for one in folder.iterdir():
        if one == mine or one.is_symlink() or not one.is_dir():
            continue
        written = _written(one / REPORT)
        if written is not None:
            whole.append((written, one))
        elif _is_left(one):
            shutil.rmtree(one, ignore_errors=True)
    for _, one in sorted(whole, reverse=True)[max(keep - 1, 0) :]:
        # Its report first: from then on nobody finds it, and what stays behind is left over.
        with suppress(OSError):
            (one / REPORT).unlink(missing_ok=True)
            shutil.rmtree(one, ignore_errors=True)


def _written(report: Path) -> int | None:
    """When a report was written, in nanoseconds; None while there is none."""
    try:
        return report.stat().st_mtime_ns
    except OSError:
        return None


def _is_left(run: Path) -> bool:
    """Whether a folder without a report is what an interrupted run left."""
    try:
        names = {one.name for one in run.iterdir()}
        old = time.time() - run.stat().st_mtime > _WEEK
    except OSError:
        return False
    return old and names <= {f".draft-{REPORT}", Path(REPORT).with_suffix(".npz").name}


def find_run(name: str, home: Path | None) -> Path:
    """The JSON file of a run: a file, a folder of a run, or the beginning of a name in HOME/runs.

    Raises NotFoundError with what there is.
    """
    path = Path(name)
    if path.is_file():
        return path
    if (path / REPORT).is_file():
        return path / REPORT
    kept = sorted((home / "runs").glob(f"*/{REPORT}")) if home is not None else []
    fitting = [one for one in kept if one.parent.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    many = ", ".join(one.parent.name for one in (fitting or kept)[-5:])
    raise NotFoundError(
        f"{len(fitting)} runs are called {name!r}" if fitting else f"there is no run {name!r}",
        hint=f"the last ones are {many}" if many else "plait evaluate --json FILE writes one",
        field="run",
    )


def read_run(path: Path) -> Run:
    """A run from its JSON file. Raises InputError if the file, or the one beside it, is not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = all(isinstance(found[key], kind) for key, kind in _SHAPE)
        beside = path.parent / Path(str(found["queries"]["file"])).name
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise InputError(
            f"{path} is no evaluation: {problem}", hint="plait evaluate --json FILE writes one"
        ) from problem
    if not known or "hash" not in found["protocol"]:
        raise InputError(f"{path} is no evaluation", hint="plait evaluate --json FILE writes one")
    name = path.parent.name if path.name == REPORT else path.stem
    return Run(name, found, read_detail(beside))


_SHAPE = (("protocol", dict), ("results", list), ("data", dict))
