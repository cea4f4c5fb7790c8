"""Checks of change: other item numbers, new items, and fields that change after the fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue, Column
from plait.data.dataset import Dataset
from plait.data.state_view import StateView
from plait.pipeline.stage import IncrementalStage
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, probes, scores
from plait.testing.stage_case import Answers, StageCase, able, dataset_of

__all__ = [
    "check_scores_new_items",
    "check_update_independent_of_order",
    "check_update_reads_only_changes",
]

_TOLERANCE = 1e-4


def check_scores_new_items(case: StageCase) -> None:
    """An incremental stage scores items that came after the fit like those that they resemble.

    Args:
        case: The stage to check.
    """
    dataset = dataset_of("late_arrivals")
    stage = case.fitted("late_arrivals")
    if not able(stage, IncrementalStage):
        return
    catalogue = changed(dataset.catalogue, dataset.version, {"new": _fields(dataset, "black-1")})
    live = state_with(stage, dataset, catalogue)
    if live.deltas[stage.name] is None:
        return  # the settings switch updates off
    queries = ask(catalogue, ["black-2"], ["black-2", "black-3"], texts=["night coal"], live=live)
    new_scores = scores(stage, queries, catalogue, "new")[:, 0]
    known_scores = new_scores[~np.isnan(new_scores)]
    assert len(known_scores), f"{case} does not score an item that came after the fit"
    assert (known_scores > 0).all(), f"{case} sees no similarity in an item that came later"


def check_update_independent_of_order(case: StageCase) -> None:
    """Updates in several steps give the same answers as one update.

    Args:
        case: The stage to check.
    """
    dataset = dataset_of("late_arrivals")
    stage = case.fitted("late_arrivals")
    if not able(stage, IncrementalStage):
        return
    steps: list[dict[str, Any]] = [
        {"new": _fields(dataset, "black-1"), "newer": _fields(dataset, "white-1")},
        {"black-2": _fields(dataset, "white-2"), "newest": {"title": "night"}},
        {"new": _fields(dataset, "white-1"), "white-3": None},
        {"newest": {}, "black-late": _fields(dataset, "black-late")},
    ]
    catalogue, version, delta = dataset.catalogue, dataset.version, None
    for step in steps:
        catalogue = changed(catalogue, version, step)
        version += len(step)
        delta = stage.update(catalogue, dataset.version, delta)
        live = state_with(stage, dataset, catalogue)
        expected = _answers(stage, catalogue, live)
        actual = _answers(stage, catalogue, replace(live, deltas={stage.name: delta}))
        assert actual.same(expected, _TOLERANCE), f"{case}: an update depends on earlier ones"


def check_update_reads_only_changes(case: StageCase) -> None:
    """One more change costs the reading of one item, and other items keep their scores.

    So a change of a price encodes nothing, however many items have come since the fit.

    Args:
        case: The stage to check.
    """
    dataset = dataset_of("market")
    stage = case.fitted("market")
    if not able(stage, IncrementalStage):
        return
    new = {f"new-{index}": _fields(dataset, f"item-{index % 20 + 1}") for index in range(40)}
    first = changed(dataset.catalogue, dataset.version, new)
    delta = stage.update(first, dataset.version, None)
    second = changed(first, dataset.version + len(new), {"new-3": {"price": 99.0}}, patch=True)
    watched = Watched.all_of(second)
    new_delta = stage.update(watched, dataset.version, delta)
    columns = [column for column in watched.columns.values() if isinstance(column, Watched)]
    n_reads = sum(column.reads[0] for column in columns)
    assert n_reads <= 2 * len(columns), f"{case} reads {n_reads} values when one price changes"
    expected = _answers(stage, first, _state_of(stage, dataset, first, delta))
    actual = _answers(stage, second, _state_of(stage, dataset, second, new_delta))
    assert actual.same(expected, _TOLERANCE), f"{case} scores otherwise after a price has changed"


@dataclass(frozen=True, slots=True, eq=False)
class Watched(Column):
    """A column that counts in `reads` how often `get` is called."""

    reads: list[int] = field(default_factory=lambda: [0])

    def get(self, number: int) -> Any:
        """The value of an entry, None if it has none."""
        self.reads[0] += 1
        return Column.get(self, number)

    @staticmethod
    def all_of(catalogue: Catalogue) -> Catalogue:
        """The same catalogue with all columns watched."""
        columns = {
            name: Watched(column.type, column.values) for name, column in catalogue.columns.items()
        }
        return replace(catalogue, columns=columns)


def _fields(dataset: Dataset, item_id: str) -> dict[str, Any]:
    return dataset.catalogue.fields(dataset.catalogue.number(item_id))


def _state_of(stage: Any, dataset: Dataset, catalogue: Catalogue, delta: Any) -> StateView:
    return replace(state_with(stage, dataset, catalogue), deltas={stage.name: delta})


def _answers(stage: Any, catalogue: Catalogue, live: StateView) -> Answers:
    """The answers of a live stage to queries about all items of the catalogue."""
    dataset = replace(dataset_of("late_arrivals"), catalogue=catalogue)
    queries = replace(probes(dataset, 3), live=live)
    numbers = np.tile(np.arange(len(catalogue), dtype=np.int32), (len(queries), 1))
    return Answers.of(stage, queries, numbers)
