"""What a stage is: a typed config, and one or more of the abilities below.

A constructor only stores; `fit` returns a new fitted object. A pipeline asks with `isinstance`
which abilities a stage has, at build and never at run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, runtime_checkable

from typing_extensions import TypeVar

from plait.data.catalogue import Catalogue
from plait.data.types import CandidateLists, Dataset, Float32Array, Int32Array, QueryBatch
from plait.pipeline.constraints import check
from plait.pipeline.fit_context import FitContext
from plait.pipeline.fitted_state import read_state, write_state

__all__ = [
    "CandidateFilter",
    "Explainer",
    "Fittable",
    "IncrementalStage",
    "NoConfig",
    "RatingPredictor",
    "Reranker",
    "Retriever",
    "Scorer",
    "Stage",
    "Trainable",
]


ConfigT = TypeVar("ConfigT", default=Any)
"""The type of a stage's settings."""


@dataclass(frozen=True, slots=True)
class NoConfig:
    """The config of a stage that has nothing to set."""


class Stage(Generic[ConfigT]):
    """The base of all stages. `name` is the one that the recipe gives: "neighbours", "content".

    A subclass sets `Config`, a frozen dataclass whose every field has a default, and keeps what it
    has learned in attributes that `save` writes and `load` reads. A setting outside of what its
    field declares (`plait.pipeline.constraints`) is an InputError when the stage is made.
    """

    Config: ClassVar[type[Any]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ()
    """Columns that a step needs; "*.score" stands for those of all strands."""
    writes: ClassVar[tuple[str, ...]] = ()
    """Columns that a step leaves for those behind it."""
    fitted_state: ClassVar[Mapping[str, Any]] = {}
    """The attributes that a fit sets, by name, with their types (`plait.pipeline.fitted_state`)."""
    is_stochastic: ClassVar[bool] = False
    """Whether a fit depends on the seed; of what trains by gradient that is known."""

    def __init__(self, config: ConfigT | None = None, *, name: str = "") -> None:
        self.config: ConfigT = self.Config() if config is None else config
        self.name = name or type(self).__module__.rpartition(".")[2]
        check(self.config, self.name)
        self._check()

    def _check(self) -> None:
        """Raise InputError for settings that do not go together; each can be by itself."""

    @property
    def can_predict_ratings(self) -> bool:
        """Whether it foretells ratings as it is set; asked of stages that have `predict` alone."""
        return True

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """By setting, the strands it names; a recipe that has no such strand is refused."""
        return {}

    def clone(self) -> Self:
        """A stage of the same class, settings and name that has learned nothing."""
        return type(self)(self.config, name=self.name)

    def save(self, folder: Path) -> None:
        """Write the attributes that `fitted_state` declares.

        Args:
            folder: An existing folder of this stage alone.

        Raises:
            TypeError: An attribute does not have its declared type.
            OSError: The files cannot be written.
        """
        if self.fitted_state:
            values = {name: getattr(self, name) for name in self.fitted_state}
            write_state(folder, values, self.fitted_state)

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Restore a stage that `save` wrote.

        Args:
            config: The settings that the stage was fitted with.
            name: The name that the recipe gives the stage.
            folder: The folder that `save` wrote to.

        Returns:
            A fitted stage; its arrays are mapped, not read.

        Raises:
            BundleError: A file is missing or damaged, or does not match `fitted_state`.
        """
        stage = cls(config, name=name)
        if cls.fitted_state:
            for attribute, value in read_state(folder, cls.fitted_state).items():
                setattr(stage, attribute, value)
        return stage


@runtime_checkable
class Fittable(Protocol):
    """Learns from a data set."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """A new, fitted stage; this one stays as it is. Deterministic in data, config and seed."""


@runtime_checkable
class Trainable(Protocol):
    """Learns by gradient, and so wants more than data and a seed. Preferred to `fit`."""

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """A new, fitted stage; this one stays as it is.

        Where nothing is held out, a stage that was trained with something held out trains for as
        many epochs as it had found best.
        """


@runtime_checkable
class Retriever(Protocol):
    """Finds candidates."""

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """At most k candidates a query, best first, -1 behind the last.

        Brings nothing that `queries.blocked` or `queries.mask` rules out, and nothing it has no
        reason to bring: short lists are fine.
        """


@runtime_checkable
class Scorer(Protocol):
    """Rates any item for any query."""

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """float32 [B, K] for `numbers` [B, K], larger is better.

        NaN where the stage cannot know the item (or nothing of the query), and for the padding.
        """


@runtime_checkable
class RatingPredictor(Protocol):
    """Foretells ratings, unless `Stage.predicts` says that its settings do not let it."""

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """float32 [B, K] for `numbers` [B, K], in the units of the ratings it was fitted on.

        NaN where the stage cannot know, and for the padding.
        """


@runtime_checkable
class Reranker(Protocol):
    """Adds columns to candidate lists."""

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """The same rows with more columns; never fewer rows."""


@runtime_checkable
class CandidateFilter(Protocol):
    """Knows before any retrieval what must not be brought."""

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """The same questions with `blocked` and `mask` set."""


@runtime_checkable
class Explainer(Protocol):
    """Can say which of the user's own items speaks loudest for a candidate."""

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """int32 [B, K]: the item of the history (or anchor) that weighs most, -1 for none."""


@runtime_checkable
class IncrementalStage(Protocol):
    """Learns about items that came or changed after the fit, without a refit."""

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Any:
        """What this stage must know of items changed behind offset `version` (its bundle's).

        A function of the bundle and `catalogue` alone; `previous` is an earlier result to build
        on (None at first). Stages find it as `queries.live.deltas[self.name]`.
        """
