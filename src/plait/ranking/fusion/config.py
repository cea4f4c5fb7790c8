"""What `fuse` can be told, and what it has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from plait.data.types import Float32Array, Int64Array
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.search_space import Range, tunable
from plait.ranking.fusion.score_normalization import Curve, Missing, Scale

__all__ = ["MODEL_SETTINGS", "FuseConfig", "FusionWeights"]

MODEL_SETTINGS = (
    "transforms",
    "missing_score",
    "weights",
    "text_query_weights",
    "item_query_weights",
    "match",
    "require_gain",
)
"""The settings that name models."""


def _missing() -> dict[str, Missing]:
    return {"*": "learned", "popular": "zero", "repeat": "zero"}


@dataclass(frozen=True, slots=True)
class FuseConfig:
    """What `fuse` can be told. Mappings go by strand; "*" stands for any other."""

    method: Literal["weighted", "rrf"] = "weighted"
    """A weighted sum of comparable scores, or reciprocal rank fusion."""
    k: float = bounded_field(60.0, Limit(least=0))
    """The constant of reciprocal rank fusion: how little the first places stand out."""
    transform: Curve = "log"
    """How scores are bent within a query: none, log, rank."""
    transforms: Mapping[str, Curve] = field(default_factory=dict)
    """Other curves for some strands."""
    normalization: Scale = "zscore"
    """How bent scores are standardised within a query: none, zscore, minmax."""
    log_offset: float = tunable(1.0, Range(0.1, 3.0, log=True), Limit(above=0))
    """What is added inside the logarithm to a score between 0 and 1."""
    missing_score: Mapping[str, Missing] = field(default_factory=_missing)
    """What a score is worth that a strand cannot give: the mean or the minimum of the query's
    candidates, the score zero, or "learned": as far below the mean as the targets say."""
    missing_margin: float = 0.0
    """Standard deviations below the mean or the minimum (the start, where it is learned)."""
    weights: Mapping[str, float] = field(default_factory=lambda: {"*": 1.0, "popular": 0.3})
    """Before anything is learned: weights for queries with a user or a history."""
    text_query_weights: Mapping[str, float] = field(
        default_factory=lambda: {"*": 0.1, "lexical": 1.0, "content": 0.3}
    )
    """Weights for queries with words."""
    item_query_weights: Mapping[str, float] = field(
        default_factory=lambda: {"*": 1.0, "popular": 0.05, "repeat": 0.0}
    )
    """Weights for queries that start from items ("more like this")."""
    match: tuple[str, ...] = ("lexical",)
    """A query with words keeps only what one of these strands rates above zero; the rest is marked
    "unmatched". Empty, or none of them in the recipe: everything stays."""
    history_length_bands: tuple[int, ...] = bounded_field((0, 3, 20), Limit(least=0))
    """Weights are learned by length of history; where each band begins."""
    max_weights: int = bounded_field(10, Limit(least=0))
    """At most so many weights are learned in all: strands whose weights are much the same in all
    bands have one for all, and the smallest bands are joined until half of them have their own."""
    min_band_queries: int = bounded_field(200, Limit(least=0))
    """A band with fewer learning queries is joined with its neighbour."""
    prior_strength: float = bounded_field(10.0, Limit(least=0))
    """Learned weights are pulled to the given ones as by so many queries."""
    band_prior_strength: float = bounded_field(100.0, Limit(least=0))
    """The weights of a band are pulled to those of all as by so many queries."""
    allow_negative_weights: bool = False
    """Whether a learned weight may be below zero."""
    require_gain: tuple[str, ...] = ()
    """Strands that have to earn their place: together they take part in what is recommended to a
    user only if that ranks held-out queries better, by two standard errors of NDCG@10. Otherwise,
    and where nothing is learned, all is as if they were not there, and what they alone would
    bring is no candidate. Words and items are answered with their given weights."""
    coordinate_ascent_rounds: int = bounded_field(3, Limit(least=0))
    """Rounds of coordinate ascent on NDCG@10 behind the likelihood; 0: none."""
    max_queries: int = bounded_field(8_000, Limit(least=1))
    """At most so many queries are learned from, evenly spaced."""


@dataclass(frozen=True, slots=True, eq=False)
class FusionWeights:
    """Weights float32 [bands, S] of `strands`; `lower` int64: the history length of each band.

    `queries` int64: how many each band learned from. `margin`: what a missing score costs. `idle`:
    strands that said nothing in the lessons and keep the weights they were given, on this scale.
    """

    models: tuple[str, ...]
    lower: Int64Array
    weights: Float32Array
    queries: Int64Array
    margin: float
    idle: float

    def bands_of(self, lengths: Int64Array) -> Int64Array:
        """The band of each history length, int64 [B]."""
        return np.maximum(np.searchsorted(self.lower, lengths, side="right") - 1, 0)

    def all_inactive(self, strands: Sequence[str]) -> bool:
        """Whether all of `strands` were learned to count for nothing."""
        places = [self.models.index(one) for one in strands if one in self.models]
        return bool(places) and not self.weights[:, places].any()

    def with_inactive(self, strands: Sequence[str]) -> FusionWeights:
        """The same, with `strands` that count for nothing."""
        nothing = np.zeros((len(self.weights), len(strands)), np.float32)
        weights = np.concatenate([self.weights, nothing], axis=1)
        return replace(self, models=(*self.models, *strands), weights=weights)

    @property
    def n_weights(self) -> int:
        """How many weights there are; the same one in all bands counts once, zeros not at all."""
        apart = (self.weights != self.weights[:1]).any(axis=0)
        return int(np.where(apart, len(self.weights), self.weights[0] != 0).sum())

    def describe(self) -> list[dict[str, Any]]:
        """One entry a band, for people."""
        return [
            {
                "history_from": int(self.lower[band]),
                "queries": int(self.queries[band]),
                "weights": {
                    name: round(float(one), 4)
                    for name, one in zip(self.models, self.weights[band], strict=True)
                },
            }
            for band in range(len(self.lower))
        ]
