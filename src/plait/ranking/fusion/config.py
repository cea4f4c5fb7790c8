"""The settings of `fuse`, and the weights that it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from plait.data.array_types import Float32Array, ObjectArray
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fusion_defaults import FusionDefaults, MissingScore
from plait.pipeline.search_space import Range, tunable
from plait.ranking.fusion.fixed_weights import FixedWeights
from plait.ranking.fusion.score_normalization import Curve, Scale

__all__ = [
    "FUSION_METHODS",
    "MODEL_SETTINGS",
    "RANKER_METHODS",
    "WEIGHT_SETTINGS",
    "FuseConfig",
    "FusionMethod",
    "ModelSettings",
    "SettingsOfModels",
]

ANY = "*"
"""Stands in a mapping by model for every model that is not named."""

_MODEL_SETS = 64
"""How many sets of models have their settings cached: a request that lacks models makes another."""

MODEL_SETTINGS = (
    "transforms",
    "missing_score",
    "weights",
    "text_query_weights",
    "item_query_weights",
    "rare_item_query_weights",
    "match",
    "require_gain",
)
"""The settings that name models."""

FusionMethod = Literal["weighted", "bagging", "rrf", "borda", "majority", "lambdarank", "mixer"]
FUSION_METHODS: tuple[FusionMethod, ...] = get_args(FusionMethod)

RANKER_METHODS = ("lambdarank", "mixer")
"""The methods that learn a ranker on top of the weights."""

WEIGHT_SETTINGS = ("weights", "text_query_weights", "item_query_weights")
"""The settings with the given weights, by type of query: a user, a text, items."""

_DECLARED = {
    "missing_score": "missing_score",
    "weights": "weight",
    "text_query_weights": "text_query_weight",
    "item_query_weights": "item_query_weight",
}
"""The settings that models declare defaults for: the setting, the field of `FusionDefaults`."""


class ModelSettings(NamedTuple):
    """What the settings say of S models, as arrays that every request reads.

    Attributes:
        weights: The given weights, float32 [3, S], a row for each of `WEIGHT_SETTINGS`.
        missing_score: What stands in for a missing score, object [S, 1, 1].
    """

    weights: Float32Array
    missing_score: ObjectArray


@dataclass(frozen=True, slots=True)
class FuseConfig:
    """Settings of `fuse`.

    Mappings go by model; "*" stands for any model that is not named. A mapping that a recipe gives
    replaces the defaults that the models declare.
    """

    method: FusionMethod | Literal["auto"] = "auto"
    """A weighted sum of comparable scores, its weights perhaps the mean of several draws of queries
    (bagging); or of points by rank: reciprocal ranks, Borda counts,
    votes of a majority; or the sum and what boosted trees (lambdarank) or small neural networks
    (mixer) add to it, where held-out events say that this gains; "auto": mixer, and weighted where
    weights are fixed."""
    k: float = bounded_field(60.0, Limit(least=0))
    """The constant of reciprocal rank fusion; the larger, the less the first ranks stand out."""
    majority_ranks: int = bounded_field(10, Limit(least=1))
    """How many items each model votes for under "majority"."""
    bags: int = bounded_field(5, Limit(least=1))
    """How many draws of half of the queries weights are the mean of under "bagging"."""
    ranker_depth: int = bounded_field(50, Limit(least=2))
    """How many candidates, those with the largest sums, a learned ranker orders anew."""
    ranker_gain_errors: float = bounded_field(2.0, Limit(least=0))
    """How many standard errors of NDCG@10 a learned ranker has to gain in cross-validation over
    queries and items; with less the weighted sum answers."""
    max_trees: int = bounded_field(120, Limit(least=1))
    """The largest number of trees under "lambdarank"; how many there are follows from held-out
    queries."""
    hidden_units: int = bounded_field(16, Limit(least=1))
    """The size of the hidden layer of each network under "mixer"."""
    transform: Curve = "log"
    """How scores are transformed within a query: none, log, rank."""
    transforms: Mapping[str, Curve] = field(default_factory=dict)
    """Other transforms for some models."""
    normalization: Scale = "zscore"
    """How transformed scores are normalised within a query: none, zscore, minmax."""
    log_offset: float = tunable(1.0, Range(0.1, 3.0, log=True), Limit(above=0))
    """What is added inside the logarithm to a score between 0 and 1."""
    missing_score: Mapping[str, MissingScore] | None = None
    """What stands in for a score that a model cannot give: the mean or the minimum of the query's
    candidates, the score zero, or "learned": as far below the mean as the targets say."""
    missing_margin: float = 0.0
    """Standard deviations below the mean or the minimum (the start, where it is learned)."""
    weights: Mapping[str, float] | None = None
    """Weights for queries with a user or a history, before any are learned."""
    text_query_weights: Mapping[str, float] | None = None
    """Weights for queries with text."""
    item_query_weights: Mapping[str, float] | None = None
    """Weights for queries that start from items ("more like this")."""
    rare_item_query_weights: Mapping[str, float] | None = None
    """The same where hardly any user chose these items, so that what they have in common with
    others says little; models that are not named keep their weight."""
    rare_item_users: float = bounded_field(10.0, Limit(least=0))
    """An item that n users chose is rare by the share r / (n + r), r being this; 0: none is."""
    match: tuple[str, ...] | None = None
    """A query with text keeps only items that one of these models scores above zero; the others
    are marked "unmatched". Empty, or none of them in the recipe: everything stays."""
    history_length_bands: tuple[int, ...] = bounded_field((0, 3, 20), Limit(least=0))
    """Weights are learned by length of history; the length at which each band begins."""
    max_weights: int = bounded_field(10, Limit(least=0))
    """The number of weights learned in all: models whose weights differ least between bands have
    one for all bands, and the smallest bands are joined until half of the models have their own."""
    min_band_queries: int = bounded_field(200, Limit(least=0))
    """A band with fewer training queries is joined with its neighbour."""
    prior_strength: float = bounded_field(10.0, Limit(least=0))
    """Learned weights are pulled to the given ones as by this number of queries."""
    band_prior_strength: float = bounded_field(100.0, Limit(least=0))
    """The weights of a band are pulled to those of all as by this number of queries."""
    allow_negative_weights: bool = False
    """Whether a learned weight may be below zero."""
    require_gain: tuple[str, ...] = ()
    """Models that take part in what is recommended to a user only if, together, they improve the
    ranking of held-out queries by two standard errors of NDCG@10. Otherwise, and where nothing is
    learned, they have no weight, and items that only they retrieve are no candidates. Queries with
    text or items use their given weights."""
    coordinate_ascent_rounds: int = bounded_field(3, Limit(least=0))
    """Rounds of coordinate ascent on NDCG@10 after the likelihood; 0: none."""
    max_queries: int = bounded_field(8_000, Limit(least=1))
    """The number of queries that are learned from, evenly spaced."""
    fixed: FixedWeights = field(default_factory=FixedWeights)
    """Weights by band that hold for queries of a user or a history and are not learned then; with
    the method "weighted" nothing is."""

    def __post_init__(self) -> None:
        if self.method == "auto":
            object.__setattr__(self, "method", "weighted" if self.fixed.weights else "mixer")

    def with_model_defaults(self, defaults: Mapping[str, FusionDefaults]) -> FuseConfig:
        """The config with every setting that the recipe leaves out as the models declare it.

        Args:
            defaults: What each model of the pipeline declares, by name.
        """
        usual = FusionDefaults()
        resolved: dict[str, Any] = {}
        for setting, attribute in _DECLARED.items():
            if getattr(self, setting) is None:
                other = getattr(usual, attribute)
                values = {name: getattr(declared, attribute) for name, declared in defaults.items()}
                own = {name: value for name, value in values.items() if value != other}
                resolved[setting] = {ANY: other, **own}
        if self.rare_item_query_weights is None:
            resolved["rare_item_query_weights"] = {
                name: declared.rare_item_query_weight
                for name, declared in defaults.items()
                if declared.rare_item_query_weight is not None
            }
        if self.match is None:
            resolved["match"] = tuple(
                name for name, declared in defaults.items() if declared.must_match_text
            )
        return replace(self, **resolved)

    def by_model(self, setting: str, models: Sequence[str]) -> list[Any]:
        """The value that a setting has for each model.

        Args:
            setting: One of the settings that models declare defaults for.
            models: The names of models.
        """
        mapping = getattr(self, setting)
        if mapping is None:
            mapping = {ANY: getattr(FusionDefaults(), _DECLARED[setting])}
        other = mapping.get(ANY, "learned" if setting == "missing_score" else 1.0)
        return [mapping.get(name, other) for name in models]

    def rare_item_weights(self, models: Sequence[str]) -> Float32Array:
        """The weight of each model for queries that start from items without users.

        Args:
            models: The names of S models.

        Returns:
            float32 [S].
        """
        usual = self.by_model("item_query_weights", models)
        rare = self.rare_item_query_weights or {}
        other = rare.get(ANY)
        pairs = zip(models, usual, strict=True)
        return np.array(
            [rare.get(name, weight if other is None else other) for name, weight in pairs],
            np.float32,
        )

    def weights_of(self, setting: str, models: Sequence[str]) -> Float32Array:
        """The given weight of each model.

        Args:
            setting: One of the three settings of weights.
            models: The names of S models.

        Returns:
            float32 [S].
        """
        return np.array(self.by_model(setting, models), np.float32)

    def of_models(self, models: Sequence[str]) -> ModelSettings:
        """What the settings say of some models.

        Args:
            models: The names of S models.

        Returns:
            Arrays that must not be changed.
        """
        missing = np.array(self.by_model("missing_score", models), object)
        return ModelSettings(
            np.stack([self.weights_of(setting, models) for setting in WEIGHT_SETTINGS]),
            missing[:, None, None],
        )


class SettingsOfModels:
    """Reads `FuseConfig.of_models` once for every set of models.

    Args:
        config: The settings.
    """

    def __init__(self, config: FuseConfig) -> None:
        self._config = config
        self._cached = lru_cache(_MODEL_SETS)(config.of_models)

    def __call__(self, models: tuple[str, ...]) -> ModelSettings:
        """Return the settings of some models.

        Args:
            models: The names of S models.
        """
        return self._cached(models)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy has a cache of its own."""
        return SettingsOfModels, (self._config,)
