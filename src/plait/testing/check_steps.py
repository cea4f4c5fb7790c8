"""Checks of a step: it adds columns to candidate lists and takes nothing away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.types import CandidateLists, QueryBatch, StateView
from plait.pipeline.stage import Reranker
from plait.state.live_state import DatasetState
from plait.testing.stage_case import (
    StageCase,
    able,
    arrays_in,
    candidates,
    dataset_of,
    probes,
    same,
)
from plait.testing.synthetic_data import WORLDS

__all__ = [
    "columns_are_added_and_rows_stay",
    "step_answers_a_batch_like_single_questions",
    "step_is_the_same_after_load",
]

_NOISE = 1e-5


def columns_are_added_and_rows_stay(subject: StageCase) -> None:
    """The same candidates in the same places, all old columns, and those that it promises."""
    for world in WORLDS:
        stage = subject.fitted(world)
        if not able(stage, Reranker):
            return
        for queries, items in _asked(world):
            before = [one.copy() for one in arrays_in(items)]
            found = stage.apply(queries, items)
            assert same(found.item_numbers, items.item_numbers), f"{subject} moves candidates"
            assert set(items.columns) <= set(found.columns), f"{subject} drops columns"
            for column in found.columns.values():
                assert column.shape[:2] == items.shape, f"{subject} adds {column.shape}"
            for name in stage.writes:
                there = [one for one in found.columns if one.endswith(name.removeprefix("*"))]
                assert there, f"{subject} promises the column {name}"
            for old, now in zip(before, arrays_in(items), strict=True):
                assert _equal(old, now), f"{subject} writes into what it was given"


def step_answers_a_batch_like_single_questions(subject: StageCase) -> None:
    """Each question alone gets the columns that it gets among others."""
    stage = subject.fitted("market")
    if not able(stage, Reranker):
        return
    for queries, items in _asked("market"):
        together = stage.apply(queries, items)
        for row in range(len(queries)):
            alone = stage.apply(queries.slice(row, row + 1), _row(items, row))
            mine = _row(together, row)
            for name in alone.columns:
                one, other = _named(alone, name), _named(mine, name)
                assert _equal(one, other), f"{subject} writes another {name} for a batch"


def step_is_the_same_after_load(subject: StageCase) -> None:
    """After `save` and `load` a step writes the same columns."""
    stage = subject.fitted("market")
    if not able(stage, Reranker):
        return
    with tempfile.TemporaryDirectory() as folder:
        stage.save(Path(folder))
        loaded: Any = type(stage).load(stage.config, stage.name, Path(folder))
        for queries, items in _asked("market"):
            expected, found = stage.apply(queries, items), loaded.apply(queries, items)
            for name in expected.columns:
                assert _equal(found.column(name), expected.column(name)), f"{subject}: {name}"


def _asked(world: str) -> Iterator[tuple[QueryBatch, CandidateLists]]:
    dataset = dataset_of(world)
    live = StateView(DatasetState.of(dataset))
    for seed in range(3):
        queries = probes(dataset, seed, live)
        inside = queries.history.filter(queries.history.items < dataset.n_items)
        yield replace(queries, history=inside), candidates(dataset, len(queries), seed)


def _row(items: CandidateLists, row: int) -> CandidateLists:
    columns = {name: one[row : row + 1] for name, one in items.columns.items()}
    return CandidateLists(items.item_numbers[row : row + 1], columns, items.removal_reasons)


def _named(items: CandidateLists, name: str) -> np.ndarray:
    """A column, `removed_by` by the names of the reasons: their order may differ."""
    column = items.column(name)
    if name != "removed_by":
        return column
    return np.array(
        [["" if one < 0 else items.removal_reasons[one] for one in row] for row in column]
    )


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype == object:
        return bool(one.tolist() == other.tolist())
    return one.dtype.kind == other.dtype.kind and (
        same(one, other, _NOISE) if one.dtype.kind == "f" else bool(np.array_equal(one, other))
    )
