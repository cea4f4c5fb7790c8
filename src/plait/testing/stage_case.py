"""What a conformance check looks at: one stage class with its settings, and what it is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    CandidateLists,
    Dataset,
    History,
    Int32Array,
    QueryBatch,
    StateView,
)
from plait.pipeline.constraints import build_config
from plait.pipeline.stage import Explainer, Fittable, Retriever, Scorer, Stage
from plait.testing.synthetic_data import DAY, START, WORLDS

__all__ = [
    "Answers",
    "StageCase",
    "able",
    "arrays_in",
    "candidates",
    "dataset_of",
    "probe_numbers",
    "probes",
    "same",
]


@dataclass(frozen=True, slots=True)
class StageCase:
    """A stage class with settings.

    Attributes:
        name: The name of the stage in messages and recipes.
        stage_class: The class.
        settings: Settings as a recipe gives them; those left out have their defaults.
    """

    name: str
    stage_class: type[Stage]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, self.stage_class, repr(self.settings)))

    def __str__(self) -> str:
        listed = ",".join(
            key if isinstance(value, Mapping) else f"{key}={value}"
            for key, value in self.settings.items()
        )
        return f"{self.name}[{listed}]" if listed else self.name

    def stage(self) -> Any:
        """A new stage that is not fitted."""
        config = build_config(self.stage_class.Config, self.settings, self.name)
        return self.stage_class(config, name=self.name)

    def fitted(self, world: str) -> Any:
        """The stage fitted on a data set of `plait.testing.synthetic_data`; cached."""
        return _fitted(self, world)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Any:
        """The stage fitted on `dataset`; as it is, if it learns nothing."""
        stage = self.stage()
        return stage.fit(dataset, seed=seed) if able(stage, Fittable) else stage


@cache
def dataset_of(world: str) -> Dataset:
    """A world by name; made once."""
    return WORLDS[world]()


@cache
def _fitted(subject: StageCase, world: str) -> Any:
    return subject.fit(dataset_of(world))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Everything a strand says to a batch: what it brings, its scores and its evidence."""

    brought: Int32Array
    scores: np.ndarray
    because: Int32Array

    @staticmethod
    def of(stage: Any, queries: QueryBatch, numbers: Int32Array, k: int = 10) -> Answers:
        """Ask `stage`, with fresh working room, as far as it is able to answer."""
        asked = replace(queries, cache={})
        nothing = np.full((len(queries), 0), ABSENT, np.int32)
        return Answers(
            stage.retrieve(asked, k).item_numbers if able(stage, Retriever) else nothing,
            stage.score(asked, numbers) if able(stage, Scorer) else nothing,
            stage.explain(asked, numbers) if able(stage, Explainer) else nothing,
        )

    def same(self, other: Answers, tolerance: float = 0.0) -> bool:
        """Whether both say the same; with a tolerance, candidates are compared by score alone."""
        if not same(self.scores, other.scores, tolerance):
            return False
        if tolerance:
            return True
        return same(self.brought, other.brought) and same(self.because, other.because)


def same(one: np.ndarray, other: np.ndarray, tolerance: float = 0.0) -> bool:
    """Whether two arrays are equal, NaN to NaN, up to a relative tolerance."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True))


def probes(dataset: Dataset, seed: int = 0, live: StateView | None = None) -> QueryBatch:
    """A dozen questions of all sorts about any world, drawn by `seed`.

    Empty and long histories, items beyond the fit, words of a title and words of none, anchors,
    contexts; users known and unknown.
    """
    random = np.random.default_rng(seed)
    batch, size = 12, dataset.n_items
    lengths = np.concatenate([[0, 0, 1], random.integers(0, 9, batch - 3)]).astype(np.int64)
    count = int(lengths.sum())
    items = random.integers(0, size + 3, count).astype(np.int32)  # up to three beyond the fit
    days = np.concatenate([np.sort(random.integers(0, 20, one)) for one in lengths])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    history = History(offsets, items, START + days * DAY, np.ones(count, np.float32))
    anchors = [[] if row % 4 else random.integers(0, size + 3, 2).tolist() for row in range(batch)]
    users = random.integers(-1, max(dataset.n_users, 1), batch)
    return replace(
        QueryBatch.of_histories(history, seed=seed),
        users=users.astype(np.int32),
        texts=_texts(dataset, batch, random),
        items=Ragged.from_rows(anchors),
        contexts=tuple({"country": "de"} if row % 2 else {} for row in range(batch)),
        live=live,
    )


def probe_numbers(dataset: Dataset, batch: int, seed: int = 0, width: int = 9) -> Int32Array:
    """int32 [batch, width] to be scored: items, padding and numbers beyond the fit."""
    random = np.random.default_rng(seed)
    return random.integers(-1, dataset.n_items + 4, (batch, width)).astype(np.int32)


def candidates(dataset: Dataset, batch: int, seed: int = 0, width: int = 8) -> CandidateLists:
    """Candidate lists with every column that a step of any pipeline may ask for."""
    random = np.random.default_rng(seed)
    size = max(dataset.n_items, 1)
    numbers = np.full((batch, width), ABSENT, np.int32)
    for row in range(batch if dataset.n_items else 0):
        found = random.permutation(size)[: random.integers(0, min(size, width) + 1)]
        numbers[row, : len(found)] = np.sort(found)
    there = numbers >= 0
    columns: dict[str, Any] = {"score": np.where(there, random.random(numbers.shape), np.nan)}
    for strand in ("first", "second", "third"):
        unknown = ~there | (random.random(numbers.shape) < 0.2)
        worth = np.where(unknown, np.nan, random.random(numbers.shape))
        columns[f"{strand}.score"] = worth.astype(np.float32)
        columns[f"{strand}.share"] = np.nan_to_num(worth).astype(np.float32)
        columns[f"{strand}.rank"] = _places(worth)
        columns[f"{strand}.because"] = np.where(there, numbers[:, :1], ABSENT).astype(np.int32)
    columns["score"] = columns["score"].astype(np.float32)
    columns["order"] = _places(columns["score"])
    columns["pinned"] = np.full(numbers.shape, ABSENT, np.int32)
    return CandidateLists(numbers, columns)


def able(stage: Stage, ability: Any) -> bool:
    """Whether a stage has one of the abilities of `plait.pipeline.stage`."""
    return isinstance(stage, ability)


def arrays_in(thing: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    """All arrays below `thing`: in attributes, dataclasses, mappings, sequences, matrices."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, str | bytes | int | float | type):
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
        return
    for part in _parts(thing):
        yield from arrays_in(part, seen)


def _parts(thing: Any) -> list[Any]:
    if isinstance(thing, Mapping):
        return list(thing.values())
    if isinstance(thing, tuple | list | set | frozenset):
        return list(thing)
    if dataclasses.is_dataclass(thing):
        return [getattr(thing, one.name) for one in dataclasses.fields(thing)]
    if type(thing).__module__.startswith("scipy.sparse"):
        return [getattr(thing, one, None) for one in ("data", "indices", "indptr")]
    return list(vars(thing).values()) if isinstance(thing, Stage) else []


def _texts(dataset: Dataset, batch: int, random: np.random.Generator) -> tuple[str | None, ...]:
    column = dataset.catalogue.columns.get("title")
    titles = [] if column is None else [one for one in column.values.tolist() if one]
    words = [word for title in titles for word in title.split()] or ["nothing"]
    found: list[str | None] = [None] * batch
    for row in range(0, batch, 3):
        found[row] = " ".join(random.choice(words, 2).tolist())
    found[-1] = "zzyzx ?!"
    return tuple(found)


def _places(worth: np.ndarray) -> np.ndarray:
    """The place of each number in its row, the largest first, -1 for NaN."""
    order = np.argsort(np.argsort(np.where(np.isnan(worth), np.inf, -worth), axis=1), axis=1)
    return np.where(np.isnan(worth), ABSENT, order).astype(np.int32)
