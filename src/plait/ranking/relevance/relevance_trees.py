"""Boosted trees that predict how relevant an item is to a query, and their held-out tests.

Queries are in five folds by a hash of their text. The trees of a fold have not seen its queries:
they say how long to train, whether the trees rank better than the fusion alone, and how much of the
fused score to add, and an evaluation by the same judgements is done with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np

from plait.data.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int64Array,
    UInt64Array,
)
from plait.features.text_folding import fold
from plait.metrics.dcg import discounts
from plait.ranking.fusion.learned_ranker import surest_gain
from plait.ranking.fusion.tree_text import checked_trees
from plait.ranking.fusion.weight_optimization import is_significant
from plait.utils.optional_imports import require_extra

__all__ = [
    "N_FOLDS",
    "LabelledItems",
    "LearnedRelevance",
    "ListedItems",
    "learn_relevance",
    "query_hash",
]

N_FOLDS = 5
MIN_QUERIES = 50
"""With fewer queries nothing is learned."""

_STEPS = 10
"""The numbers of trees that are compared: so many parts of the largest."""

_ERRORS = 2.0
"""How many standard errors the trees have to gain on queries that they have not seen."""

_SUM_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The weights of the fused score that are compared, in standard deviations of the prediction."""

_TOP = 10

_TREES: dict[str, Any] = {
    "objective": "regression",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}
_LEAF_SHARE, _LARGEST_LEAF = 200, 80
"""A leaf has at least one in so many examples, up to eighty."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledItems:
    """N labelled pairs of a query and an item, those of a query together.

    Attributes:
        queries: By query the hash of its text, uint64 [Q].
        offsets: Where the items of each query begin, int64 [Q + 1].
        features: float32 [N, F].
        sums: The fused scores, float32 [N]; NaN where no model scores.
        relevance: How relevant the item is, float64 [N].
        weights: How much each pair counts, float64 [N].
    """

    queries: UInt64Array
    offsets: Int64Array
    features: Float32Array
    sums: Float32Array
    relevance: Float64Array
    weights: Float64Array

    @property
    def rows(self) -> Int64Array:
        """The query of each pair, int64 [N]."""
        return np.repeat(np.arange(len(self.queries)), np.diff(self.offsets))

    @property
    def folds(self) -> Int64Array:
        """The fold of each pair, int64 [N]."""
        return _folds(self.queries)[self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class ListedItems:
    """The best D candidates of the whole catalogue for some of the queries.

    Attributes:
        queries: By query the hash of its text, uint64 [Q].
        features: float32 [Q, D, F].
        sums: The fused scores, float32 [Q, D]; NaN for padding.
        gains: How relevant each is, from 0 (or without a label) to 1, float64 [Q, D].
    """

    queries: UInt64Array
    features: Float32Array
    sums: Float32Array
    gains: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class LearnedRelevance:
    """What was learned.

    Attributes:
        features: The names of the features.
        trees: The trees of all queries in LightGBM's text format.
        fold_trees: By fold the trees that have not seen its queries.
        queries: The hashes of the queries that were learned from, uint64 ascending.
        sum_weight: What the fused score counts in a search of the catalogue; -1: nothing else
            counts, since the trees gain nothing there.
        source: "judgements" or "log".
        figures: Held-out figures, for reports.
    """

    features: tuple[str, ...]
    trees: str
    fold_trees: tuple[str, ...]
    queries: UInt64Array
    sum_weight: float
    source: str
    figures: dict[str, float] = field(default_factory=dict)

    def predict(self, features: Float32Array, held_out_fold: int = -1) -> Float64Array:
        """Predict how relevant items are.

        Args:
            features: float32 [N, F].
            held_out_fold: The fold of queries that must not have been learned from; -1: none.

        Returns:
            In the unit of the labels, float64 [N].
        """
        trees = self.trees if held_out_fold < 0 else self.fold_trees[held_out_fold]
        predicted = _booster(trees).predict(features, num_threads=1)
        return np.asarray(predicted, np.float64)

    def fold_of(self, text: str) -> int:
        """Return the fold of a query that was learned from; -1 for another.

        Args:
            text: What a person typed.
        """
        key = query_hash(text)
        position = int(np.searchsorted(self.queries, key))
        is_known = position < len(self.queries) and self.queries[position] == key
        return int(_folds(np.array([key], np.uint64))[0]) if is_known else -1


def query_hash(text: str) -> np.uint64:
    """Return the hash of a query; it is the same for other spacing, case and accents.

    Args:
        text: What a person typed.
    """
    words = " ".join(fold(text).split())
    digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def learn_relevance(
    names: Sequence[str],
    labelled: LabelledItems,
    listed: ListedItems,
    *,
    source: str,
    max_trees: int,
    seed: int,
) -> LearnedRelevance | None:
    """Learn from labelled items how relevant items are to queries.

    Args:
        names: The names of the features.
        labelled: The labelled items.
        listed: Candidates of the catalogue for some of the queries, by which the weight of the
            fused score is chosen.
        source: Where the labels are from.
        max_trees: The most trees.
        seed: The seed of the fits.

    Returns:
        What was learned; None for too few queries, and where trees order the items of queries that
        they have not seen no better than the fused score does.
    """
    folds = labelled.folds
    if len(labelled.queries) < MIN_QUERIES or len(np.unique(folds)) < N_FOLDS:
        return None
    parts = [max(1, round(max_trees * step / _STEPS)) for step in range(1, _STEPS + 1)]
    boosters, predicted = _cross_fitted(names, labelled, parts, seed)
    errors = ((predicted - labelled.relevance) ** 2 * labelled.weights).sum(axis=1)
    best = int(errors.argmin())
    before = _ordered_shares(labelled, labelled.sums)
    after = _ordered_shares(labelled, predicted[best])
    is_known = np.isfinite(before)
    if not is_significant(after[is_known] - before[is_known], _ERRORS):
        return None
    count = parts[best]
    learned = LearnedRelevance(
        tuple(names),
        _text(_fitted(names, labelled, np.ones(len(folds), np.bool_), count, seed), count),
        tuple(_text(booster, count) for booster in boosters),
        np.unique(labelled.queries),
        -1.0,
        source,
    )
    weight, fused, mixed = _sum_weight(learned, listed)
    figures = {
        "queries": float(len(labelled.queries)),
        "trees": float(count),
        "rmse": float(np.sqrt(errors[best] / labelled.weights.sum())),
        "ordered": float(after[is_known].mean()),
        "ordered_by_fusion": float(before[is_known].mean()),
        "ndcg": mixed,
        "ndcg_of_fusion": fused,
    }
    return replace(learned, sum_weight=weight, figures=figures)


def _cross_fitted(
    names: Sequence[str], labelled: LabelledItems, parts: Sequence[int], seed: int
) -> tuple[list[Any], Float64Array]:
    """By fold the trees of the others, and the predictions by so many of them, [parts, N]."""
    folds = labelled.folds
    predicted = np.zeros((len(parts), len(folds)))
    boosters = []
    for held_out in range(N_FOLDS):
        booster = _fitted(names, labelled, folds != held_out, parts[-1], seed)
        boosters.append(booster)
        features = labelled.features[folds == held_out]
        for row, count in enumerate(parts):
            predicted[row, folds == held_out] = booster.predict(features, num_iteration=count)
    return boosters, predicted


def _fitted(
    names: Sequence[str], labelled: LabelledItems, rows: BoolArray, n_trees: int, seed: int
) -> Any:
    """Trees of some of the labelled items."""
    import lightgbm

    n_examples = int(rows.sum())
    data = lightgbm.Dataset(
        labelled.features[rows],
        labelled.relevance[rows],
        weight=labelled.weights[rows],
        feature_name=[name.replace(":", "_") for name in names],
        params={"verbose": -1, "max_bin": _TREES["max_bin"]},
    )
    smallest = min(_LARGEST_LEAF, max(5, n_examples // _LEAF_SHARE))
    settings = {**_TREES, "seed": seed, "min_data_in_leaf": smallest}
    return lightgbm.train(settings, data, n_trees)


def _text(booster: Any, count: int) -> str:
    return str(booster.model_to_string(num_iteration=count))


@lru_cache(2 * (N_FOLDS + 1))
def _booster(trees: str) -> Any:
    """The model of LightGBM that a text describes; BundleError for a damaged one."""
    require_extra("ranking by learned relevance", "lightgbm")
    import lightgbm

    return lightgbm.Booster(model_str=checked_trees(trees))


def _folds(hashes: UInt64Array) -> Int64Array:
    return (hashes % np.uint64(N_FOLDS)).astype(np.int64)


def _ordered_shares(labelled: LabelledItems, scores: Any) -> Float64Array:
    """By query the share of its pairs in the right order, weighted by their difference.

    Ties count as half. NaN for queries whose items are all equally relevant.
    """
    known = np.where(np.isfinite(scores), scores, -np.inf)
    shares = np.full(len(labelled.queries), np.nan)
    bounds = labelled.offsets.tolist()
    for row, (start, end) in enumerate(pairwise(bounds)):
        relevance, values = labelled.relevance[start:end], known[start:end]
        differences = np.maximum(relevance[:, None] - relevance[None, :], 0)
        total = differences.sum()
        if total > 0:
            above = values[:, None] > values[None, :]
            ties = values[:, None] == values[None, :]
            shares[row] = ((above + 0.5 * ties) * differences).sum() / total
    return shares


def _sum_weight(learned: LearnedRelevance, listed: ListedItems) -> tuple[float, float, float]:
    """The weight of the fused score that ranks lists surely best, NDCG@10 without and with trees.

    -1 where no weight ranks them better than the fused score alone by two standard errors.
    """
    folds = _folds(listed.queries)
    present = np.isfinite(listed.sums)
    rows = np.flatnonzero((listed.gains > 0).any(axis=1))
    if not len(rows):
        return -1.0, np.nan, np.nan
    predicted = np.zeros(listed.sums.shape)
    for held_out in range(N_FOLDS):
        where = present & (folds == held_out)[:, None]
        if where.any():
            predicted[where] = learned.predict(listed.features[where], held_out)
    before = _ndcg(np.where(present, listed.sums, -np.inf), listed.gains)[rows]
    scores = [np.where(present, predicted + w * listed.sums, -np.inf) for w in _SUM_WEIGHTS]
    after = np.stack([_ndcg(mixed, listed.gains)[rows] for mixed in scores])
    best = surest_gain(after - before)
    gains = is_significant(after[best] - before, _ERRORS)
    weight = _SUM_WEIGHTS[best] if gains else -1.0
    chosen = after[best] if gains else before
    return weight, float(before.mean()), float(chosen.mean())


def _ndcg(scores: Float64Array, gains: Float64Array) -> Float64Array:
    """NDCG@10 of lists whose items without a label are irrelevant, float64 [Q]."""
    width = min(_TOP, scores.shape[1])
    weights = discounts(_TOP)[:width]
    order = np.argsort(-scores, axis=1, kind="stable")[:, :width]
    listed = (np.take_along_axis(gains, order, axis=1) * weights).sum(axis=1)
    ideal = (-np.sort(-gains, axis=1)[:, :width] * weights).sum(axis=1)
    ndcg: Float64Array = listed / np.maximum(ideal, 1e-9)
    return ndcg
