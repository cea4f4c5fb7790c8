"""What a stage is: a typed config, and one or more of the abilities below.

A constructor only stores; `fit` returns a new fitted object. A pipeline asks with `isinstance`
which abilities a stage has, at build and never at run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset, Floats, Items, Numbers, Queries
from plait.pipeline.constraints import check
from plait.pipeline.fit_context import FitContext

__all__ = [
    "Applies",
    "Explains",
    "Fits",
    "Follows",
    "Limits",
    "NoConfig",
    "Predicts",
    "Retrieves",
    "Scores",
    "Stage",
    "Trains",
]


@dataclass(frozen=True, slots=True)
class NoConfig:
    """The config of a stage that has nothing to set."""


class Stage:
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
    draws: ClassVar[bool] = False
    """Whether a fit depends on the seed; of what trains by gradient that is known."""

    def __init__(self, config: Any = None, *, name: str = "") -> None:
        self.config: Any = self.Config() if config is None else config
        self.name = name or type(self).__module__.rpartition(".")[2]
        check(self.config, self.name)
        self._check()

    def _check(self) -> None:
        """Raise InputError for settings that do not go together; each can be by itself."""

    @property
    def predicts(self) -> bool:
        """Whether it foretells ratings as it is set; asked of stages that have `predict` alone."""
        return True

    @property
    def speaks_of(self) -> Mapping[str, tuple[str, ...]]:
        """By setting, the strands it names; a recipe that has no such strand is refused."""
        return {}

    def save(self, folder: Path) -> None:
        """Write what was learned into `folder`, which exists (see `plait.pipeline.array_files`)."""

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """The stage that was saved in `folder`; arrays are mapped, not read."""
        return cls(config, name=name)


@runtime_checkable
class Fits(Protocol):
    """Learns from a data set."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """A new, fitted stage; this one stays as it is. Deterministic in data, config and seed."""


@runtime_checkable
class Trains(Protocol):
    """Learns by gradient, and so wants more than data and a seed. Preferred to `fit`."""

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """A new, fitted stage; this one stays as it is.

        Where nothing is held out, a stage that was trained with something held out trains for as
        many epochs as it had found best.
        """


@runtime_checkable
class Retrieves(Protocol):
    """Finds candidates."""

    def retrieve(self, queries: Queries, k: int) -> Items:
        """At most k candidates a query, best first, -1 behind the last.

        Brings nothing that `queries.blocked` or `queries.mask` rules out, and nothing it has no
        reason to bring: short lists are fine.
        """


@runtime_checkable
class Scores(Protocol):
    """Rates any item for any query."""

    def score(self, queries: Queries, numbers: Numbers) -> Floats:
        """float32 [B, K] for `numbers` [B, K], larger is better.

        NaN where the stage cannot know the item (or nothing of the query), and for the padding.
        """


@runtime_checkable
class Predicts(Protocol):
    """Foretells ratings, unless `Stage.predicts` says that its settings do not let it."""

    def predict(self, queries: Queries, numbers: Numbers) -> Floats:
        """float32 [B, K] for `numbers` [B, K], in the units of the ratings it was fitted on.

        NaN where the stage cannot know, and for the padding.
        """


@runtime_checkable
class Applies(Protocol):
    """Adds columns to candidate lists."""

    def apply(self, queries: Queries, items: Items) -> Items:
        """The same rows with more columns; never fewer rows."""


@runtime_checkable
class Limits(Protocol):
    """Knows before any retrieval what must not be brought."""

    def limit(self, queries: Queries) -> Queries:
        """The same questions with `blocked` and `mask` set."""


@runtime_checkable
class Explains(Protocol):
    """Can say which of the user's own items speaks loudest for a candidate."""

    def because(self, queries: Queries, numbers: Numbers) -> Numbers:
        """int32 [B, K]: the item of the history (or anchor) that weighs most, -1 for none."""


@runtime_checkable
class Follows(Protocol):
    """Learns about items that came or changed after the fit, without a refit."""

    def delta(self, catalogue: Catalogue, version: int, previous: Any) -> Any:
        """What this stage must know of items changed behind offset `version` (its bundle's).

        A function of the bundle and `catalogue` alone; `previous` is an earlier result to build
        on (None at first). Stages find it as `queries.live.deltas[self.name]`.
        """
