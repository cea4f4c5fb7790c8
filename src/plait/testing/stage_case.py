"""A stage class with settings, and the queries and candidates that it is checked with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from plait.data.types import (
    ABSENT,
    Dataset,
    Float32Array,
    Int32Array,
    QueryBatch,
)
from plait.pipeline.config_validation import build_config
from plait.pipeline.stage import Explainer, Fittable, Retriever, Scorer, Stage
from plait.testing.synthetic_data import WORLDS

__all__ = ["Answers", "StageCase", "able", "arrays_in", "dataset_of", "same"]


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

    @property
    def __name__(self) -> str:
        """What pytest calls the case."""
        return str(self)

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
