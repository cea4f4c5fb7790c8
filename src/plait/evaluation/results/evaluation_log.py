"""A log of all evaluations of a home: how often a test was looked at is public."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.errors import StorageError
from plait.evaluation.protocol import digest
from plait.evaluation.results.report import Report
from plait.pipeline.recipe import Recipe

__all__ = ["recipe_hash", "record", "times_looked"]


def recipe_hash(recipe: Recipe) -> str:
    """12 hexadecimal digits that stand for everything a recipe says."""
    return digest(recipe.to_dict())


def times_looked(path: Path, protocol_hash: str) -> int:
    """How many evaluations by this protocol the log holds; a broken line counts nothing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return 0
    except OSError as problem:
        raise StorageError(f"{path} cannot be read: {problem}") from problem
    runs = {_run(line, protocol_hash) for line in lines}
    return len(runs - {""})


def record(path: Path, recipe: Recipe, report: Report, rows: dict[str, str], run: str) -> None:
    """Append what one recipe reached; `rows` gives the report's row for each name to write.

    `run` marks the lines of one evaluation. Raises StorageError if the file cannot be written.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run,
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "protocol": report.protocol.name,
        "protocol_hash": report.protocol.hash,
        "version": report.data.get("version"),
        "metrics": {
            name: {metric: _rounded(one.value) for metric, one in _plain(report, row).items()}
            for name, row in rows.items()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def _plain(report: Report, row: str) -> dict[str, Any]:
    """The metrics of a row without slices."""
    metrics = report.result(row).metrics
    return {name: one for name, one in metrics.items() if "|" not in name}


def _rounded(value: float) -> float | None:
    """To six places; None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, 6)


def _run(line: str, protocol_hash: str) -> str:
    """The run a line belongs to, "" for another protocol or no JSON."""
    try:
        found = json.loads(line)
        return str(found["run"]) if found["protocol_hash"] == protocol_hash else ""
    except (ValueError, KeyError, TypeError):
        return ""
