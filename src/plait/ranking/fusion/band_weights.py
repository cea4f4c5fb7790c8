"""From scored candidates to learned weights: bands, their joining, the price of a missing score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plait.data.types import BoolArray, Float32Array, Int64Array
from plait.ranking.fusion.config import FuseConfig, FusionWeights
from plait.ranking.fusion.score_normalization import Missing, NormalizedScores
from plait.ranking.fusion.weight_optimization import (
    FusionExamples,
    Weights,
    coordinate_ascent,
    gains,
    ideal,
    is_significant,
    maximize_likelihood,
    places,
    subsample_evenly,
)

__all__ = ["Candidates", "earned", "learned_from"]

MARGINS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Prices of a missing score that are tried, in standard deviations below the mean."""

_FEW = 1_500
"""Queries of the first look, which chooses the price of a missing score too."""

_WORTH = 1e-4
"""A price that is no likelier than this keeps the one that was given."""

_DEEP = 200
"""Candidates a query, the best by the first look, that weights are learned on."""

_START = 0.3
"""About the size of weights that fit z-scores on real data; the pull goes to this multiple."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What S strands say of the candidates of Q queries, and what came true.

    `signals` and `missing` by strand; `there` and `hits` bool [Q, K]; `lengths` int64 [Q], how long
    each history is; `given` float32 [S], the weights of the config.
    """

    names: tuple[str, ...]
    signals: tuple[NormalizedScores, ...]
    missing: tuple[Missing, ...]
    there: BoolArray
    hits: BoolArray
    lengths: Int64Array
    given: Float32Array

    def strands(self, places: Sequence[int]) -> Candidates:
        """The strands at `places` alone."""
        return Candidates(
            tuple(self.names[one] for one in places),
            tuple(self.signals[one] for one in places),
            tuple(self.missing[one] for one in places),
            self.there,
            self.hits,
            self.lengths,
            self.given[list(places)],
        )

    def rows(self, rows: Int64Array) -> Candidates:
        """The queries `rows`."""
        return Candidates(
            self.names,
            tuple(one.take(rows) for one in self.signals),
            self.missing,
            self.there[rows],
            self.hits[rows],
            self.lengths[rows],
            self.given,
        )

    def scores(self, config: FuseConfig, learned: FusionWeights) -> Float32Array:
        """float32 [Q, K]: the weighted sums, minus infinity where no candidate stands."""
        busy = self.strands([self.names.index(one) for one in learned.models])
        signals = busy.lessons(config, learned.margin).signals
        weights = learned.weights[learned.bands_of(self.lengths)]
        summed: Float32Array = np.einsum("qs,sqk->qk", weights, signals)
        summed[~self.there] = -np.inf
        return summed

    def lessons(self, config: FuseConfig, margin: float, every: int = 1) -> FusionExamples:
        """Every `every`-th query, missing scores priced at `margin` where that is learned."""
        rows = slice(None, None, every)
        filled = [
            signal.take(rows).filled(
                missing == "minimum", margin if missing == "learned" else config.missing_margin
            )
            for signal, missing in zip(self.signals, self.missing, strict=True)
        ]
        return FusionExamples(np.stack(filled), self.there[rows], self.hits[rows])


def learned_from(config: FuseConfig, found: Candidates) -> FusionWeights | None:
    """Weights of the strands that say anything; None where there is nothing to learn from."""
    told = [place for place, one in enumerate(found.signals) if one.values.any()]
    busy = found.strands(told[: config.max_weights])
    if not busy.names or not len(busy.lengths):
        return None
    center = np.maximum(busy.given.astype(np.float64), 0.0) * _START
    margin = _margin(config, busy, center)
    every = max(1, -(-len(busy.lengths) // _FEW))
    look = busy.lessons(config, margin, every)
    first, _ = maximize_likelihood(look, center, config.prior_strength)
    first = first if first.any() else _leader(look)
    lessons = busy.lessons(config, margin).best(first, _DEEP)
    pooled, _ = maximize_likelihood(
        lessons, center, config.prior_strength, negative=config.allow_negative_weights
    )
    lower = _joined(config, busy.lengths, len(busy.names))
    bands = np.maximum(np.searchsorted(lower, busy.lengths, side="right") - 1, 0)
    rows = [np.nonzero(bands == band)[0] for band in range(len(lower))]
    free = _free(config, lessons, rows, pooled)
    weights = [_band(config, lessons, one, pooled, free) for one in rows]
    return FusionWeights(
        busy.names,
        lower,
        np.stack(weights).astype(np.float32),
        np.array([len(one) for one in rows], np.int64),
        margin,
        float(pooled.sum() / max(float(busy.given.sum()), 1e-6)),
    )


def earned(
    config: FuseConfig,
    whole: Candidates,
    learned: FusionWeights,
    rest: Candidates,
    without: FusionWeights,
) -> bool:
    """Whether `learned` of `whole` ranks better than what was learned `without` some strands of the
    `rest`, the same queries; by two standard errors of the difference.
    """
    rows = subsample_evenly(whole.hits)
    whole, rest = whole.rows(rows), rest.rows(rows)
    more = gains(whole.scores(config, learned), whole.hits)
    more -= gains(rest.scores(config, without), rest.hits)
    return is_significant(more / ideal(whole.hits), 2.0)


def _margin(config: FuseConfig, found: Candidates, center: Weights) -> float:
    """The price of a missing score under which the targets are likeliest.

    It needs enough queries in which a strand that speaks does not know a candidate.
    """
    open_to = [
        (one.unknown & one.active).any(axis=1)
        for one, missing in zip(found.signals, found.missing, strict=True)
        if missing == "learned"
    ]
    if config.method == "rrf" or not open_to:
        return config.missing_margin
    if int(np.logical_or.reduce(open_to).sum()) < config.min_band_queries:
        return config.missing_margin
    every = max(1, -(-len(found.lengths) // _FEW))
    losses = {
        margin: maximize_likelihood(
            found.lessons(config, margin, every), center, config.prior_strength
        )[1]
        for margin in dict.fromkeys((config.missing_margin, *MARGINS))
    }
    enough = min(losses.values()) + _WORTH
    return next(margin for margin, loss in losses.items() if loss <= enough)


def _joined(config: FuseConfig, lengths: Int64Array, strands: int) -> Int64Array:
    """Where bands begin, after too small ones, and the smallest of too many, were joined."""
    lower = sorted({max(0, one) for one in config.history_length_bands} | {0})
    while len(lower) > 1:
        counts = np.bincount(
            np.searchsorted(lower, lengths, side="right") - 1, minlength=len(lower)
        )
        small = int(counts.argmin())
        enough = 2 * _affordable(config, len(lower), strands) >= strands
        if counts[small] >= config.min_band_queries and enough:
            break
        if small == 0:
            joined = 1
        elif small == len(lower) - 1:
            joined = small
        else:
            joined = small if counts[small - 1] <= counts[small + 1] else small + 1
        del lower[joined]
    return np.array(lower, np.int64)


def _affordable(config: FuseConfig, bands: int, strands: int) -> int:
    """How many strands can have a weight in each band, the rest one for all bands."""
    if bands == 1:
        return strands
    return min(strands, max(0, config.max_weights - strands) // (bands - 1))


def _free(
    config: FuseConfig, lessons: FusionExamples, rows: Sequence[np.ndarray], pooled: Weights
) -> BoolArray:
    """The strands with a weight in each band: those whose weights are furthest apart, bool [S]."""
    count = _affordable(config, len(rows), len(pooled))
    if count == len(pooled):
        return np.ones(count, np.bool_)
    apart = np.ptp(
        [
            maximize_likelihood(
                lessons.take(one),
                pooled,
                config.band_prior_strength,
                negative=config.allow_negative_weights,
            )[0]
            for one in rows
            if len(one)
        ],
        axis=0,
    )
    free = np.zeros(len(pooled), np.bool_)
    free[np.argsort(-apart, kind="stable")[:count]] = True
    return free


def _leader(lessons: FusionExamples) -> Weights:
    """All weight on the strand that ranks the targets best alone.

    Where every strand puts others before them, as all do that know what a history holds if nobody
    takes anything twice, no sum is likelier than chance, and the given weights may be the worst.
    """
    alone = _START * np.eye(len(lessons.signals))
    some = lessons.take(subsample_evenly(lessons.hits))
    reached = [places(some.scores(one), some.hits)[1] for one in alone]
    # No place is cut off: the first ten may hold nothing right at all.
    found: Weights = alone[np.argmax([(1 / np.log2(one + 2)).mean() for one in reached])]
    return found


def _band(
    config: FuseConfig, lessons: FusionExamples, rows: np.ndarray, pooled: Weights, free: BoolArray
) -> Weights:
    """The weights of one band, pulled to those of all; only the `free` ones differ from them."""
    if len(rows) == 0:
        return pooled
    mine, weights = lessons, pooled
    if len(rows) < len(lessons):
        mine = lessons.take(rows)
        weights, _ = maximize_likelihood(
            mine,
            pooled,
            config.band_prior_strength,
            negative=config.allow_negative_weights,
            free=free,
        )
    if config.allow_negative_weights:
        return weights
    return coordinate_ascent(
        mine,
        weights if weights.any() else _leader(mine),
        config.coordinate_ascent_rounds,
        free=free,
    )
