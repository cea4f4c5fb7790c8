"""A stage class with settings, and the queries and candidates that it is checked with."""

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
    Float32Array,
    History,
    Int32Array,
    QueryBatch,
    StateView,
)
from plait.pipeline.config_validation import build_config
from plait.pipeline.stage import Explainer, Fittable, Retriever, Scorer, Stage
from plait.testing.synthetic_data import START, WORLDS
from plait.utils.timestamps import DAY

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
        """The stage fitted on a data set of `plait.testing.synthetic_data`, made once.

        Args:
            world: The name of the data set in `WORLDS`.
        """
        return _fitted(self, world)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Any:
        """The stage fitted on a data set; not fitted, if the class has no `fit`.

        Args:
            dataset: The data set.
            seed: The seed of the fit.
        """
        stage = self.stage()
        return stage.fit(dataset, seed=seed) if able(stage, Fittable) else stage


@cache
def dataset_of(world: str) -> Dataset:
    """A data set of `plait.testing.synthetic_data`, made once.

    Args:
        world: Its name in `WORLDS`.
    """
    return WORLDS[world]()


@cache
def _fitted(case: StageCase, world: str) -> Any:
    return case.fit(dataset_of(world))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Everything that a model returns for a batch of B queries.

    Attributes:
        candidates: What it retrieves, int32 [B, k].
        scores: The scores of given items, float32 [B, K].
        because: The items that explain them, int32 [B, K].
    """

    candidates: Int32Array
    scores: Float32Array
    because: Int32Array

    @staticmethod
    def of(stage: Any, queries: QueryBatch, numbers: Int32Array, k: int = 10) -> Answers:
        """Query a stage; abilities that it lacks return empty arrays.

        Args:
            stage: The stage.
            queries: B queries; their cache is not used.
            numbers: The items to score and explain, int32 [B, K].
            k: The number of candidates.
        """
        fresh = replace(queries, cache={})
        empty: Any = np.full((len(queries), 0), ABSENT, np.int32)
        return Answers(
            stage.retrieve(fresh, k).item_numbers if able(stage, Retriever) else empty,
            stage.score(fresh, numbers) if able(stage, Scorer) else empty,
            stage.explain(fresh, numbers) if able(stage, Explainer) else empty,
        )

    def same(self, other: Answers, tolerance: float = 0.0) -> bool:
        """Whether both are equal.

        Args:
            other: The answers to compare with.
            tolerance: By how much scores may differ; above 0 only scores are compared, as equal
                scores may be ordered otherwise.
        """
        if not same(self.scores, other.scores, tolerance):
            return False
        if tolerance:
            return True
        return same(self.candidates, other.candidates) and same(self.because, other.because)


def same(first: np.ndarray, second: np.ndarray, tolerance: float = 0.0) -> bool:
    """Whether two arrays are equal in shape, dtype and values, NaN being equal to NaN.

    Args:
        first: An array.
        second: Another one.
        tolerance: The relative and absolute tolerance of floats.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if first.dtype.kind != "f":
        return bool(np.array_equal(first, second))
    return bool(np.allclose(first, second, rtol=tolerance, atol=tolerance, equal_nan=True))


def probes(dataset: Dataset, seed: int = 0, live: StateView | None = None) -> QueryBatch:
    """A dozen queries of all kinds.

    Empty and long histories, items that came after the fit, known and unknown words, query items,
    contexts; known and unknown users.

    Args:
        dataset: The data set whose items and users the queries are about.
        seed: The seed of the random choices.
        live: The live state of the queries.
    """
    random = np.random.default_rng(seed)
    batch, n_items = 12, dataset.n_items
    lengths = np.concatenate([[0, 0, 1], random.integers(0, 9, batch - 3)]).astype(np.int64)
    n_events = int(lengths.sum())
    items = random.integers(0, n_items + 3, n_events).astype(np.int32)  # three after the fit
    days = np.concatenate([np.sort(random.integers(0, 20, length)) for length in lengths])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    history = History(offsets, items, START + days * DAY, np.ones(n_events, np.float32))
    query_items = [
        [] if row % 4 else random.integers(0, n_items + 3, 2).tolist() for row in range(batch)
    ]
    users = random.integers(-1, max(dataset.n_users, 1), batch)
    return replace(
        QueryBatch.of_histories(history),
        users=users.astype(np.int32),
        texts=_texts(dataset, batch, random),
        items=Ragged.from_rows(query_items),
        contexts=tuple({"country": "de"} if row % 2 else {} for row in range(batch)),
        live=live,
    )


def probe_numbers(dataset: Dataset, batch: int, seed: int = 0, width: int = 9) -> Int32Array:
    """Item numbers to score: items, padding and items that came after the fit.

    Args:
        dataset: The data set.
        batch: The number of rows.
        seed: The seed of the random choices.
        width: The number of columns.

    Returns:
        int32 [batch, width].
    """
    random = np.random.default_rng(seed)
    return random.integers(-1, dataset.n_items + 4, (batch, width)).astype(np.int32)


def candidates(dataset: Dataset, batch: int, seed: int = 0, width: int = 8) -> CandidateLists:
    """Candidate lists of three models, with every column that a step may read.

    Args:
        dataset: The data set.
        batch: The number of queries.
        seed: The seed of the random choices.
        width: The number of candidates a query.
    """
    random = np.random.default_rng(seed)
    n_items = max(dataset.n_items, 1)
    numbers = np.full((batch, width), ABSENT, np.int32)
    for row in range(batch if dataset.n_items else 0):
        items = random.permutation(n_items)[: random.integers(0, min(n_items, width) + 1)]
        numbers[row, : len(items)] = np.sort(items)
    is_item = numbers >= 0
    score = np.where(is_item, random.random(numbers.shape), np.nan).astype(np.float32)
    columns: dict[str, Any] = {"score": score}
    for model in ("first", "second", "third"):
        is_unknown = ~is_item | (random.random(numbers.shape) < 0.2)
        scores = np.where(is_unknown, np.nan, random.random(numbers.shape))
        columns[f"{model}.score"] = scores.astype(np.float32)
        columns[f"{model}.share"] = np.nan_to_num(scores).astype(np.float32)
        columns[f"{model}.rank"] = _ranks(scores)
        columns[f"{model}.because"] = np.where(is_item, numbers[:, :1], ABSENT).astype(np.int32)
    columns["order"] = _ranks(score)
    columns["pinned"] = np.full(numbers.shape, ABSENT, np.int32)
    return CandidateLists(numbers, columns)


def able(stage: Stage, ability: Any) -> bool:
    """Whether a stage has an ability; unlike `isinstance` it leaves the static type as it is.

    Args:
        stage: The stage.
        ability: A protocol of `plait.pipeline.stage`.
    """
    return isinstance(stage, ability)


def arrays_in(value: Any, seen: set[int] | None = None) -> Iterator[np.ndarray]:
    """All arrays in attributes, dataclasses, mappings, sequences and matrices.

    Args:
        value: Any value.
        seen: The ids of values that were visited.
    """
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, str | bytes | int | float | type):
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
        return
    for member in _members(value):
        yield from arrays_in(member, seen)


def _members(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple | list | set | frozenset):
        return list(value)
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    if type(value).__module__.startswith("scipy.sparse"):
        return [getattr(value, name, None) for name in ("data", "indices", "indptr")]
    return list(vars(value).values()) if isinstance(value, Stage) else []


def _texts(dataset: Dataset, batch: int, random: np.random.Generator) -> tuple[str | None, ...]:
    """Every third query has words of titles, the last one has words that no item has."""
    column = dataset.catalogue.columns.get("title")
    titles = [] if column is None else [title for title in column.values.tolist() if title]
    words = [word for title in titles for word in title.split()] or ["nothing"]
    texts: list[str | None] = [None] * batch
    for row in range(0, batch, 3):
        texts[row] = " ".join(random.choice(words, 2).tolist())
    texts[-1] = "zzyzx ?!"
    return tuple(texts)


def _ranks(scores: np.ndarray) -> Int32Array:
    """The rank of each score in its row, the largest first; -1 for NaN."""
    order = np.argsort(np.argsort(np.where(np.isnan(scores), np.inf, -scores), axis=1), axis=1)
    return np.where(np.isnan(scores), ABSENT, order).astype(np.int32)
