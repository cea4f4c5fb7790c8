"""Checks of steps: they add columns to candidate lists and remove none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.types import CandidateLists, QueryBatch, StateView
from plait.pipeline.stage import Reranker
from plait.state.snapshot_state import DatasetState
from plait.testing.queries import candidates, probes
from plait.testing.stage_case import StageCase, able, arrays_in, dataset_of, same
from plait.testing.synthetic_data import WORLDS

__all__ = [
    "check_step_batch_equals_single",
    "check_step_declares_columns",
    "check_step_only_adds_columns",
    "check_step_save_load_round_trip",
]

_TOLERANCE = 1e-5


def check_step_only_adds_columns(case: StageCase) -> None:
    """A step keeps the candidates and their columns, adds what it declares, and changes no input.

    Args:
        case: The stage to check.
    """
    for world in WORLDS:
        stage = case.fitted(world)
        if not able(stage, Reranker):
            return
        for queries, items in _inputs(world):
            before = [array.copy() for array in arrays_in(items)]
            result = stage.apply(queries, items)
            assert same(result.item_numbers, items.item_numbers), f"{case} moves candidates"
            assert set(items.columns) <= set(result.columns), f"{case} drops columns"
            for column in result.columns.values():
                assert column.shape[:2] == items.shape, f"{case} adds a column {column.shape}"
            for declared in stage.writes:
                suffix = declared.removeprefix("*")
                written = [name for name in result.columns if name.endswith(suffix)]
                assert written, f"{case} does not write its column {declared}"
            for old, now in zip(before, arrays_in(items), strict=True):
                assert _equal(old, now), f"{case} changes its input"


def check_step_declares_columns(case: StageCase) -> None:
    """A step reads and writes only the columns that `reads` and `writes` declare.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Reranker):
        return
    for queries, items in _inputs("market"):
        columns = _ReadColumns(items.columns)
        result = stage.apply(queries, replace(items, columns=columns))
        added = {name for name, column in result.columns.items() if columns.get(name) is not column}
        undeclared = sorted(name for name in added if not _is_declared(name, stage.writes))
        assert not undeclared, f"{case} writes {', '.join(undeclared)}, which writes does not name"
        declared = (*stage.reads, *stage.optional_reads, *stage.writes, "removed_by")
        undeclared = sorted(name for name in columns.read if not _is_declared(name, declared))
        assert not undeclared, f"{case} reads {', '.join(undeclared)}, which reads does not name"


class _ReadColumns(dict[str, Any]):
    """Columns that record which of them were read by name."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        super().__init__(columns)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


def _is_declared(name: str, declared: Sequence[str]) -> bool:
    """Whether a column is one of these, of which "*.score" stands for those of all models."""
    return any(
        name.endswith(entry[1:]) if entry.startswith("*") else name == entry for entry in declared
    )


def check_step_batch_equals_single(case: StageCase) -> None:
    """A query has the same columns in a batch and alone.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Reranker):
        return
    for queries, items in _inputs("market"):
        batch = stage.apply(queries, items)
        for row in range(len(queries)):
            single = stage.apply(queries.slice(row, row + 1), _row(items, row))
            for name in single.columns:
                expected = _column(_row(batch, row), name)
                actual = _column(single, name)
                assert _equal(actual, expected), f"{case} writes another {name} for a batch"


def check_step_save_load_round_trip(case: StageCase) -> None:
    """After `save` and `load` a step writes the same columns.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Reranker):
        return
    with tempfile.TemporaryDirectory() as folder:
        stage.save(Path(folder))
        loaded: Any = type(stage).load(stage.config, stage.name, Path(folder))
        for queries, items in _inputs("market"):
            expected, actual = stage.apply(queries, items), loaded.apply(queries, items)
            for name in expected.columns:
                assert _equal(actual.column(name), expected.column(name)), f"{case}: {name}"


def _inputs(world: str) -> Iterator[tuple[QueryBatch, CandidateLists]]:
    dataset = dataset_of(world)
    live = StateView(DatasetState.of(dataset))
    for seed in range(3):
        queries = probes(dataset, seed, live)
        inside = queries.history.filter(queries.history.items < dataset.n_items)
        yield replace(queries, history=inside), candidates(dataset, len(queries), seed)


def _row(items: CandidateLists, row: int) -> CandidateLists:
    columns = {name: column[row : row + 1] for name, column in items.columns.items()}
    return CandidateLists(items.item_numbers[row : row + 1], columns, items.removal_reasons)


def _column(items: CandidateLists, name: str) -> np.ndarray:
    """A column, `removed_by` by the names of the reasons: their order may differ."""
    column = items.column(name)
    if name != "removed_by":
        return column
    return np.array(
        [["" if code < 0 else items.removal_reasons[code] for code in row] for row in column]
    )


def _equal(first: np.ndarray, second: np.ndarray) -> bool:
    if first.dtype == object:
        return bool(first.tolist() == second.tolist())
    if first.dtype.kind != second.dtype.kind:
        return False
    is_float = first.dtype.kind == "f"
    return same(first, second, _TOLERANCE) if is_float else bool(np.array_equal(first, second))
