"""Fusion that is learned: what a ranker adds to the weighted sum of the best candidates.

A ranker starts from the weighted sum, so that with nothing to add it ranks as before. How long it
is trained follows from cross-validation over queries and items, and a ranker whose held-out gain is
within two standard errors is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from plait.data.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
)
from plait.ranking.fusion.tree_text import checked_trees
from plait.ranking.fusion.weight_optimization import dcg, ideal, is_significant

__all__ = [
    "CrossValidation",
    "FitRanker",
    "Ranker",
    "RankingExamples",
    "TreeRanker",
    "cross_validate",
    "fit_trees",
    "surest_gain",
]

_FOLDS = 3
_STEPS = 12
"""The lengths of training that are compared: so many parts of the longest."""

_TREES: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.7,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "lambdarank_truncation_level": 20,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
"""Small trees and a strong pull to zero: a few thousand queries teach little more."""


@dataclass(frozen=True, slots=True, eq=False)
class RankingExamples:
    """Q training queries with D candidates each.

    Attributes:
        features: float32 [Q, D, F].
        sums: The weighted sums, from which a ranker starts, float32 [Q, D]; NaN for padding.
        targets: The relevant candidates, bool [Q, D].
        numbers: The item numbers of the candidates, int32 [Q, D].
    """

    features: Float32Array
    sums: Float32Array
    targets: BoolArray
    numbers: Int32Array

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def present(self) -> BoolArray:
        """Which candidates are no padding, bool [Q, D]."""
        return np.isfinite(self.sums)

    def take(self, rows: Int64Array) -> RankingExamples:
        """Select queries.

        Args:
            rows: Their positions.
        """
        return RankingExamples(
            self.features[rows], self.sums[rows], self.targets[rows], self.numbers[rows]
        )

    def among(self, is_allowed: BoolArray) -> RankingExamples:
        """The queries with fewer candidates; those without a target among them are left out.

        Args:
            is_allowed: Which candidates stay, bool [Q, D].
        """
        sums = np.where(is_allowed, self.sums, np.float32(np.nan))
        targets = self.targets & is_allowed & self.present
        rows = np.flatnonzero(targets.any(axis=1))
        return replace(self, sums=sums, targets=targets).take(rows)

    def ndcgs(self, adjustments: Float64Array) -> Float64Array:
        """NDCG@10 of every query, as if its candidates were all there is.

        Args:
            adjustments: What is added to the sums, float64 [Q, D].

        Returns:
            float64 [Q].
        """
        scores = np.where(self.present, self.sums + adjustments, -np.inf).astype(np.float32)
        targets = self.targets & self.present
        return dcg(scores, targets) / ideal(targets)


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What held-out queries say of a ranker.

    Attributes:
        part: The part of the longest training that surely ranks held-out queries best; 0: none
            gains.
        ndcg: NDCG@10 of held-out queries with it.
        weighted_ndcg: That of the weighted sum.
    """

    part: float
    ndcg: float
    weighted_ndcg: float

    def to_dict(self) -> dict[str, Any]:
        """The figures, rounded, for reports."""
        names = {"ndcg": self.ndcg, "weighted_ndcg": self.weighted_ndcg}
        return {name: round(value, 4) for name, value in names.items()}


class Ranker(Protocol):
    """What a learned fusion adds to the weighted sum of a candidate."""

    def adjustments(self, features: Float32Array, part: float = 1.0) -> Float64Array:
        """Compute what is added.

        Args:
            features: float32 [N, F].
            part: The part of the training that counts, from 0 to 1.

        Returns:
            float64 [N].
        """


@dataclass(frozen=True, slots=True, eq=False)
class TreeRanker:
    """Boosted trees by LightGBM.

    Attributes:
        models: The models that take part, in the order of the features.
        trees: The model of LightGBM in its text format.
        n_trees: How many trees it has.
        gain: By feature, its share in the gain of all splits.
        validation: What held-out queries said.
    """

    models: tuple[str, ...]
    trees: str
    n_trees: int
    gain: dict[str, float]
    validation: CrossValidation | None = None

    def describe(self) -> dict[str, Any]:
        """Size, gain on held-out queries and the ten features that gain most, for reports."""
        best = sorted(self.gain.items(), key=lambda entry: -entry[1])[:10]
        return {
            "trees": self.n_trees,
            **(self.validation.to_dict() if self.validation else {}),
            "features": {name: round(share, 4) for name, share in best},
        }

    def adjustments(self, features: Float32Array, part: float = 1.0) -> Float64Array:
        """Compute what the trees add.

        Args:
            features: float32 [N, F].
            part: The part of the trees that counts, from 0 to 1.

        Returns:
            float64 [N].
        """
        count = max(1, round(part * self.n_trees))
        predicted = _booster(self.trees).predict(features, num_iteration=count, num_threads=1)
        return np.asarray(predicted, np.float64)


@lru_cache(8)
def _booster(trees: str) -> Any:
    """The model of LightGBM that a text describes; BundleError for a damaged one."""
    import lightgbm

    return lightgbm.Booster(model_str=checked_trees(trees))


FitRanker = Callable[[RankingExamples, float, int], Ranker]
"""Fits a ranker on examples: for a part of the longest training, from a seed."""


def fit_trees(
    models: Sequence[str], features: Sequence[str], n_trees: int, smallest_leaf: int
) -> FitRanker:
    """Return a function that fits boosted trees by LambdaMART (Burges, 2010).

    Args:
        models: The models that take part.
        features: The names of the features.
        n_trees: The number of trees of the longest training.
        smallest_leaf: How many candidates a leaf has at least.

    Returns:
        The function.
    """

    def fit(examples: RankingExamples, part: float, seed: int) -> TreeRanker:
        import lightgbm

        present = examples.present
        data = lightgbm.Dataset(
            examples.features[present],
            examples.targets[present].astype(np.int8),
            group=present.sum(axis=1),
            init_score=examples.sums[present].astype(np.float64),
            feature_name=[name.replace(":", "_") for name in features],
            params={"verbose": -1, "max_bin": _TREES["max_bin"]},
        )
        count = max(1, round(part * n_trees))
        settings = {**_TREES, "seed": seed, "min_data_in_leaf": smallest_leaf}
        booster = lightgbm.train(settings, data, count)
        gains = booster.feature_importance("gain")
        total = max(float(gains.sum()), 1e-9)
        named = {name: float(gain / total) for name, gain in zip(features, gains, strict=True)}
        return TreeRanker(tuple(models), booster.model_to_string(), count, named)

    return fit


def cross_validate(
    examples: RankingExamples, fit: FitRanker, seed: int, errors: float
) -> CrossValidation:
    """Choose the length of training by queries and items that are not trained on.

    Held-out queries rank held-out items only. With queries alone held out, a ranker would gain by
    telling apart, by their popularity and age, the items that were chosen in just these days. The
    length with the largest gain less its standard error is chosen: long training gains for few
    queries much, and loses on later ones.

    Args:
        examples: The training queries.
        fit: Fits a ranker.
        seed: The seed of the fits.
        errors: How many standard errors a ranker has to gain.

    Returns:
        The choice; its part is 0 if no length gains more than that.
    """
    parts = [step / _STEPS for step in range(1, _STEPS + 1)]
    query_folds = np.arange(len(examples))[:, None] % _FOLDS
    # By a hash of the item's number: neighbours in the log are spread over the folds.
    hashed = examples.numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    item_folds = ((hashed >> np.uint64(32)) % np.uint64(_FOLDS)).astype(np.int64)
    before: list[Float64Array] = []
    after: list[Float64Array] = []
    for fold in range(_FOLDS):
        train = examples.among((query_folds != fold) & (item_folds != fold))
        held_out = examples.among((query_folds == fold) & (item_folds == fold))
        if not len(train) or not len(held_out):
            continue
        ranker = fit(train, 1.0, seed)
        before.append(held_out.ndcgs(np.zeros(held_out.sums.shape)))
        ndcgs = [held_out.ndcgs(adjustments_of(ranker, held_out, part)) for part in parts]
        after.append(np.stack(ndcgs))
    if not before:
        return CrossValidation(0.0, 0.0, 0.0)
    weighted, ranked = np.concatenate(before), np.concatenate(after, axis=1)
    gains_by_part = ranked - weighted
    best = surest_gain(gains_by_part)
    gains = is_significant(gains_by_part[best], errors)
    part = parts[best] if gains else 0.0
    return CrossValidation(part, float(ranked[best].mean()), float(weighted.mean()))


def surest_gain(gains: Float64Array) -> int:
    """Choose the row with the largest mean less its standard error.

    Args:
        gains: The gains of Q queries by each of P choices, float64 [P, Q].

    Returns:
        The position of the choice.
    """
    errors = gains.std(axis=1) / np.sqrt(max(gains.shape[1], 1))
    return int((gains.mean(axis=1) - errors).argmax())


def adjustments_of(ranker: Ranker, examples: RankingExamples, part: float = 1.0) -> Float64Array:
    """Compute what a ranker adds to the sums of examples.

    Args:
        ranker: The ranker.
        examples: Q queries with D candidates.
        part: The part of the training that counts.

    Returns:
        float64 [Q, D]; 0 for padding.
    """
    added = np.zeros(examples.sums.shape)
    present = examples.present
    if present.any():
        added[present] = ranker.adjustments(examples.features[present], part)
    return added
