"""Appends every evaluation to a log, so that the number of looks at a test is on record."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from plait.errors import StorageError
from plait.evaluation.protocol import Protocol, digest
from plait.evaluation.results.report import Report
from plait.pipeline.recipe import Recipe
from plait.utils.toml_json import parse_json

__all__ = ["append_evaluation", "count_evaluations", "recipe_hash"]


def recipe_hash(recipe: Recipe) -> str:
    """Hash everything that a recipe states.

    Args:
        recipe: The recipe.

    Returns:
        12 hexadecimal digits, equal for equal recipes.
    """
    return digest(recipe.to_dict())


def count_evaluations(path: Path, protocol: Protocol) -> int:
    """Count the evaluations on the test of one protocol in a log.

    Args:
        path: The log, JSON lines; it need not exist. Malformed lines are skipped.
        protocol: The resolved protocol; its `k` and `resamples` do not matter, but lines of
            earlier versions count only if they agree in them.

    Returns:
        Number of distinct runs with that protocol.

    Raises:
        StorageError: If the file exists and cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return 0
    except OSError as problem:
        raise StorageError(f"{path} cannot be read: {problem}") from problem
    return len({_run_of(line, protocol) for line in lines} - {""})


def append_evaluation(
    path: Path, recipe: Recipe, report: Report, rows: Mapping[str, str], run: str
) -> None:
    """Append the metrics of one recipe to the log.

    Args:
        path: The log, JSON lines; it is created if needed.
        recipe: The evaluated recipe.
        report: The report that holds its rows.
        rows: The report's row for each name to write.
        run: Id that marks the lines of one evaluation.

    Raises:
        StorageError: If the file cannot be written.
    """
    metrics = {name: report.result(row).metrics for name, row in rows.items()}
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run,
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "protocol": report.protocol.name,
        "protocol_hash": report.protocol.hash,
        "comparison_hash": report.protocol.comparison_hash,
        "version": report.data.get("version"),
        "metrics": {
            name: {
                metric: None if math.isnan(interval.value) else round(interval.value, 6)
                for metric, interval in intervals.items()
                if "|" not in metric
            }
            for name, intervals in metrics.items()
        },
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem


def _run_of(line: str, protocol: Protocol) -> str:
    """The run that a line belongs to, "" for another protocol or a malformed line."""
    try:
        entry = parse_json(line)
        is_same = entry["protocol_hash"] == protocol.hash
        is_same |= entry.get("comparison_hash") == protocol.comparison_hash
        return str(entry["run"]) if is_same else ""
    except (ValueError, KeyError, TypeError):
        return ""
