"""The contract of stages: a typed config, and one or more abilities.

A constructor only stores its arguments; `fit` returns a new fitted object. A pipeline finds out
which abilities a stage has by `isinstance`, once when it is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, runtime_checkable

from typing_extensions import TypeVar

from plait.data.catalogue import Catalogue
from plait.data.state_view import State
from plait.data.types import CandidateLists, Dataset, Float32Array, Int32Array, QueryBatch
from plait.pipeline.config_validation import check
from plait.pipeline.fit_context import FitContext, Progress
from plait.pipeline.fitted_state import present_state, read_state, write_state
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import ReasonTemplates
from plait.pipeline.settings_help import SettingsDoc

__all__ = [
    "CandidateFilter",
    "Explainer",
    "Filler",
    "Fittable",
    "FollowingStage",
    "IncrementalStage",
    "NoConfig",
    "ProgressFittable",
    "RatingPredictor",
    "Reranker",
    "Retriever",
    "Scorer",
    "Stage",
    "Trainable",
    "VectorModel",
    "WarmStarter",
]


ConfigT = TypeVar("ConfigT", default=Any)
"""The type of a stage's settings."""


@dataclass(frozen=True, slots=True)
class NoConfig:
    """The config of a stage without settings."""


class Stage(Generic[ConfigT]):
    """The base of all stages.

    A subclass sets `Config`, a frozen dataclass whose fields have defaults, and declares in
    `fitted_state` the attributes that a fit sets. The constructor raises InputError for a setting
    that does not have its declared type or bounds (`plait.pipeline.config_validation`).

    Attributes:
        config: The settings.
        name: The name that the recipe gives the stage.
    """

    Config: ClassVar[type[Any]] = NoConfig
    reads: ClassVar[tuple[str, ...]] = ()
    """The columns that a step reads; "*.score" stands for those of all models."""
    optional_reads: ClassVar[tuple[str, ...]] = ()
    """The columns that a step reads only where a step before it wrote them."""
    writes: ClassVar[tuple[str, ...]] = ()
    """The columns that a step adds."""
    fitted_state: ClassVar[Mapping[str, Any]] = {}
    """The attributes that a fit sets, by name, with their types (`plait.pipeline.fitted_state`)."""
    optional_state: ClassVar[frozenset[str]] = frozenset()
    """Those of them that a bundle of an earlier version may lack: they stay as constructed."""
    fusion_defaults: ClassVar[FusionDefaults] = FusionDefaults()
    """How the fusion treats this model unless the recipe says otherwise."""
    reason_templates: ClassVar[ReasonTemplates] = ReasonTemplates()
    """The sentences that explain why this model stands for an item."""
    test_variants: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Settings, as a recipe gives them, under which `plait.testing.conformance` checks this class
    beside its defaults."""
    is_stochastic: ClassVar[bool] = False
    """Whether a fit depends on the seed; not needed for models that train by gradient."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        config: Any = vars(cls).get("Config")
        written = vars(config).get("__doc__") if isinstance(config, type) else None
        if isinstance(written, str):
            config.__doc__ = SettingsDoc(written)

    def __init__(self, config: ConfigT | None = None, *, name: str = "") -> None:
        self.config: ConfigT = self.Config() if config is None else config
        self.name = name or type(self).__name__.lower()
        check(self.config, self.name)
        self._check()

    def _check(self) -> None:
        """Raise InputError for settings that contradict each other."""

    @property
    def can_predict_ratings(self) -> bool:
        """Whether the settings allow rating prediction; only for stages with `predict`."""
        return True

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The models that each setting names; a recipe without such a model is refused."""
        return {}

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with what it takes from the models of its pipeline.

        Args:
            models: The models of the pipeline, fitted or not.

        Returns:
            A stage with the same fitted state; this one, if it takes nothing from models.
        """
        return self

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
        declared = present_state(folder, cls.fitted_state, cls.optional_state)
        if declared:
            for attribute, value in read_state(folder, declared).items():
                setattr(stage, attribute, value)
        return stage


@runtime_checkable
class Fittable(Protocol):
    """A stage that learns from a data set."""

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Fit the stage.

        Args:
            dataset: The data set.
            seed: The seed of random choices.

        Returns:
            A new stage, determined by data, config and seed; this one stays as it is.
        """


@runtime_checkable
class ProgressFittable(Protocol):
    """A stage whose fit takes long without training; `fit_with_progress` is preferred to `fit`."""

    def fit_with_progress(self, dataset: Dataset, *, seed: int, progress: Progress) -> Self:
        """Fit the stage.

        Args:
            dataset: The data set.
            seed: The seed of random choices.
            progress: Called with a description, the finished and the total number of steps.

        Returns:
            A new stage, as `fit` returns it.
        """


@runtime_checkable
class Trainable(Protocol):
    """A stage that learns by gradient; `train` is preferred to `fit`."""

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Train the stage.

        Args:
            dataset: The data set.
            context: The seed, the validation set, the folder of checkpoints, callbacks. Without a
                validation set a stage that was trained with one trains for the number of epochs
                that was best then.

        Returns:
            A new stage; this one stays as it is.
        """


@runtime_checkable
class WarmStarter(Protocol):
    """A trainable stage that can go on from an earlier fit, under `FitContext.warm_start`.

    The users and items of the earlier fit have the same numbers in the new data. Such a fit makes
    `FitContext.rounds` of the epochs, rounds or samples of a first one.
    """

    @property
    def can_warm_start(self) -> bool:
        """Whether there is an earlier fit, under settings that allow it."""


@runtime_checkable
class Retriever(Protocol):
    """A model that retrieves candidates."""

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """Retrieve candidates.

        Args:
            queries: B queries.
            k: The number of candidates a query.

        Returns:
            At most k candidates a query, best first, padded with -1; none that `queries.blocked` or
            `queries.mask` excludes. Short lists are fine.
        """


@runtime_checkable
class Scorer(Protocol):
    """A model that scores any item for any query."""

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Score items.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, K]; -1 is padding.

        Returns:
            float32 [B, K], larger is better; NaN where the model cannot score the item or the
            query, and for padding.
        """


@runtime_checkable
class RatingPredictor(Protocol):
    """A model that predicts ratings, if `Stage.can_predict_ratings`."""

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Predict ratings.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, K]; -1 is padding.

        Returns:
            float32 [B, K] in the unit of the training ratings; NaN where the model cannot predict,
            and for padding.
        """


@runtime_checkable
class VectorModel(Protocol):
    """A model that orders items by the product of their vectors with that of the user."""

    def item_vectors(self) -> Float32Array:
        """Return the vectors of the items of the fit.

        Returns:
            float32 [n, D]; NaN for items without a vector.

        Raises:
            InputError: The settings make a model without vectors.
        """

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Compute the vectors of users.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D]; NaN for users of whom the model knows nothing.

        Raises:
            InputError: The settings make a model without vectors.
        """


@runtime_checkable
class Reranker(Protocol):
    """A step that adds columns to candidate lists."""

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add columns.

        Args:
            queries: B queries.
            items: Their candidates.

        Returns:
            The same candidates with more columns.
        """


@runtime_checkable
class Filler(Protocol):
    """A step that appends candidates to lists that are too short."""

    def fill(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Append candidates.

        Args:
            queries: B queries, limited.
            items: Their candidates.

        Returns:
            The same candidates, and others behind them.
        """


@runtime_checkable
class CandidateFilter(Protocol):
    """A step that excludes items before retrieval."""

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """Exclude items.

        Args:
            queries: B queries.

        Returns:
            The same queries with `blocked` and `mask`.
        """


@runtime_checkable
class Explainer(Protocol):
    """A model that explains a candidate by an item of the history or of the query."""

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """Find the items that weigh most.

        Args:
            queries: B queries.
            numbers: The explained items, int32 [B, K]; -1 is padding.

        Returns:
            int32 [B, K]: the number of an item of the history or of the query, -1 for none.
        """


@runtime_checkable
class IncrementalStage(Protocol):
    """A model that includes items that came or changed after the fit."""

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Any:
        """Compute what the model needs to know of changed items.

        Args:
            catalogue: The items as they are now.
            version: The log offset of the fit; items that changed behind it are included.
            previous: An earlier result to build on; None at first.

        Returns:
            A value that depends on the fitted model and the catalogue alone. The model finds it as
            `queries.live.deltas[self.name]`.
        """


@runtime_checkable
class FollowingStage(Protocol):
    """A model that prepares for queries as the log grows."""

    def follow(self, state: State) -> None:
        """Do what a query about a newer state would do first, in a thread that answers none.

        Args:
            state: The state of the log.
        """
