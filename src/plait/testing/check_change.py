"""Checks of what happens when things change: other numbers, new items, fields that change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from plait.data.catalogue import Catalogue, Column
from plait.data.ragged import Ragged
from plait.data.types import Dataset, QueryBatch
from plait.pipeline.stage import IncrementalStage, Scorer
from plait.testing.queries import ask, changed, scores, state_with
from plait.testing.stage_case import (
    Answers,
    StageCase,
    able,
    dataset_of,
    probe_numbers,
    probes,
    same,
)

__all__ = [
    "changes_step_by_step_equal_changes_at_once",
    "delta_reads_only_what_changed",
    "new_items_are_followed",
    "numbers_mean_nothing",
    "renumbered",
]

_NOISE = 1e-4


def numbers_mean_nothing(subject: StageCase) -> None:
    """Numbering the items otherwise changes no score."""
    for world in ("market", "late_arrivals", "clock"):
        dataset = dataset_of(world)
        stage = subject.fitted(world)
        if not able(stage, Scorer):
            return
        places = np.random.default_rng(1).permutation(dataset.n_items).astype(np.int32)
        other = subject.fit(renumbered(dataset, places))
        queries = probes(dataset, 2)
        numbers = probe_numbers(dataset, len(queries), 2)
        expected = stage.score(queries, numbers)
        found = other.score(_renamed(queries, places), _moved(numbers, places))
        assert same(found, expected, _NOISE), f"{subject} goes by item numbers ({world})"


def new_items_are_followed(subject: StageCase) -> None:
    """A stage that follows scores items that came after the fit, like those they resemble."""
    dataset = dataset_of("late_arrivals")
    stage = subject.fitted("late_arrivals")
    if not able(stage, IncrementalStage):
        return
    catalogue = changed(dataset.catalogue, dataset.version, {"new": _twin(dataset, "black-1")})
    live = state_with(stage, dataset, catalogue)
    if live.deltas[stage.name] is None:
        return  # these settings ask it to follow nothing
    queries = ask(catalogue, ["black-2"], ["black-2", "black-3"], texts=["night coal"], live=live)
    found = scores(stage, queries, catalogue, "new", "black-1")
    told = ~np.isnan(found[:, 0])
    assert told.any(), f"{subject} does not know an item that came after the fit"
    assert (found[told, 0] > 0).all(), f"{subject} sees no likeness in an item that came later"


def changes_step_by_step_equal_changes_at_once(subject: StageCase) -> None:
    """A delta is a function of the bundle and the items as they are, whatever way they went."""
    dataset = dataset_of("late_arrivals")
    stage = subject.fitted("late_arrivals")
    if not able(stage, IncrementalStage):
        return
    steps: list[dict[str, Any]] = [
        {"new": _twin(dataset, "black-1"), "newer": _twin(dataset, "white-1")},
        {"black-2": _twin(dataset, "white-2"), "newest": {"title": "night"}},
        {"new": _twin(dataset, "white-1"), "white-3": None},
        {"newest": {}, "black-late": _twin(dataset, "black-late")},
    ]
    catalogue, version, delta = dataset.catalogue, dataset.version, None
    for step in steps:
        catalogue = changed(catalogue, version, step)
        version += len(step)
        delta = stage.update(catalogue, dataset.version, delta)
        live = state_with(stage, dataset, catalogue)
        one = replace(live, deltas={stage.name: delta})
        expected, found = (_answers(stage, catalogue, each) for each in (live, one))
        assert found.same(expected, _NOISE), f"the delta of {subject} depends on its way"


def delta_reads_only_what_changed(subject: StageCase) -> None:
    """One more change costs the reading of one item, and other items keep their scores.

    So a price that changes encodes nothing, however many items have come since the fit.
    """
    dataset = dataset_of("market")
    stage = subject.fitted("market")
    if not able(stage, IncrementalStage):
        return
    new = {f"new-{one}": _twin(dataset, f"item-{one % 20 + 1}") for one in range(40)}
    first = changed(dataset.catalogue, dataset.version, new)
    delta = stage.update(first, dataset.version, None)
    version = dataset.version + len(new)
    price = {"new-3": {"price": 99.0}}
    second = changed(first, version, price, patch=True)
    watched = Watched.all_of(second)
    after = stage.update(watched, dataset.version, delta)
    reads = sum(one.reads[0] for one in watched.columns.values() if isinstance(one, Watched))
    most = 2 * len(watched.columns)
    assert reads <= most, f"{subject} reads {reads} values anew when one price changes"
    expected = _answers(stage, first, replace(state_with(stage, dataset, first), deltas={}), delta)
    found = _answers(stage, second, replace(state_with(stage, dataset, second), deltas={}), after)
    assert found.same(expected, _NOISE), f"{subject} scores otherwise after a price has changed"


@dataclass(frozen=True, slots=True, eq=False)
class Watched(Column):
    """A column that counts in `reads` how often `get` is asked."""

    reads: list[int] = field(default_factory=lambda: [0])
    kept: ClassVar[tuple[str, ...]] = ("text", "category", "set")

    def get(self, number: int) -> Any:
        """The value of one entry, None if it has none."""
        self.reads[0] += 1
        return Column.get(self, number)

    @staticmethod
    def all_of(catalogue: Catalogue) -> Catalogue:
        """The same catalogue with all columns watched."""
        columns = {name: Watched(one.type, one.values) for name, one in catalogue.columns.items()}
        return replace(catalogue, columns=columns)


def renumbered(dataset: Dataset, places: np.ndarray) -> Dataset:
    """The same data set with item n under the number `places[n]`."""
    old = dataset.catalogue
    back = np.argsort(places)
    ids = tuple(old.ids[one] for one in back)
    catalogue = Catalogue(
        ids,
        old.alive[back],
        old.changed[back],
        old.tiebreak[back],
        {name: Column(one.type, one.values[back]) for name, one in old.columns.items()},
        {one: number for number, one in enumerate(ids)},
    )
    found = dataset.interactions
    moved = replace(found, items=places[found.items])
    facts = replace(
        dataset.triples,
        heads=_moved(dataset.triples.heads, places),
        tail_items=_moved(dataset.triples.tail_items, places),
    )
    return replace(dataset, catalogue=catalogue, interactions=moved, triples=facts)


def _moved(numbers: np.ndarray, places: np.ndarray) -> Any:
    """Numbers under the new numbering; those it does not hold stay."""
    inside = (numbers >= 0) & (numbers < len(places))
    if not len(places):
        return numbers
    return np.where(inside, places[np.where(inside, numbers, 0)], numbers).astype(np.int32)


def _renamed(queries: QueryBatch, places: np.ndarray) -> QueryBatch:
    history = replace(queries.history, items=_moved(queries.history.items, places))
    anchors = Ragged(_moved(queries.items.values, places), queries.items.offsets)
    return replace(queries, history=history, items=anchors, seen=history.ragged, cache={})


def _twin(dataset: Dataset, item: str) -> dict[str, Any]:
    return dataset.catalogue.fields(dataset.catalogue.number(item))


def _answers(stage: Any, catalogue: Catalogue, live: Any, delta: Any = None) -> Answers:
    """What a live stage says to questions whose items are all of the catalogue."""
    if delta is not None:
        live = replace(live, deltas={stage.name: delta})
    dataset = replace(dataset_of("late_arrivals"), catalogue=catalogue)
    queries = replace(probes(dataset, 3), live=live)
    numbers = np.tile(np.arange(len(catalogue), dtype=np.int32), (len(queries), 1))
    return Answers.of(stage, queries, numbers)
