"""Metrics of lists by graded judgements, one value a query."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan, sqrt

import numpy as np

from plait.data.array_types import Float32Array, Float64Array, Int32Array, Int64Array
from plait.evaluation.judged.judgements import Judgements
from plait.metrics.bootstrap import Interval, intervals, ratio_draws
from plait.metrics.dcg import discounts

__all__ = ["DEPTH", "list_metrics", "ordered_pairs", "regression_errors", "score_metrics"]

DEPTH = 100
"""How many items of a list are measured."""

_FOLDS = 5


def list_metrics(
    lists: Int32Array, judgements: Judgements, k: int, seed: int
) -> Mapping[str, Interval]:
    """Measure lists of the whole collection; items without a judgement count as irrelevant.

    Queries without a relevant item have no hit, rank or recall and count in `ndcg` and `zero`.

    Args:
        lists: Item numbers, int32 [Q, `DEPTH`], best first, -1 pads.
        judgements: The judgements of the Q queries.
        k: The cut-off of `hit`, `ndcg` and `mrr`.
        seed: The seed of the resamples.

    Returns:
        hit@k, mrr@k, recall@100, ndcg@k and the share of queries without any item.
    """
    low, _ = judgements.scale
    gains = discounts(k)
    hit_rows: list[tuple[float, float, float]] = []
    ndcg: list[float] = []
    for row in range(len(judgements.queries)):
        items, relevance = judgements.of_query(row)
        relevant = items[relevance >= judgements.relevant_from]
        is_hit = np.isin(lists[row], relevant)
        if len(relevant):
            first = int(np.argmax(is_hit)) if is_hit.any() else len(is_hit)
            reciprocal = 1 / (first + 1) if first < k else 0.0
            hit_rows.append((float(first < k), reciprocal, is_hit.sum() / len(relevant)))
        grades = dict(zip(items.tolist(), (relevance - low).tolist(), strict=True))
        listed = np.array([grades.get(item, 0.0) for item in lists[row, :k].tolist()])
        best = np.sort(relevance - low)[::-1][:k]
        ideal = float(best @ gains[: len(best)])
        ndcg.append(float(listed @ gains) / ideal if ideal > 0 else nan)
    graded = np.array(ndcg)[np.isfinite(ndcg)][:, None]
    hits, ranks, recalls = intervals(np.array(hit_rows).reshape(-1, 3), seed=seed)
    zero = intervals((lists[:, :1] < 0).astype(np.float64), seed=seed)[0]
    return {
        f"hit@{k}": hits,
        f"ndcg@{k}": intervals(graded, seed=seed)[0],
        f"mrr@{k}": ranks,
        f"recall@{DEPTH}": recalls,
        "zero": zero,
    }


def score_metrics(
    scores: Float32Array, judgements: Judgements, k: int, seed: int
) -> Mapping[str, Interval]:
    """Measure the scores of the judged items of each query.

    Args:
        scores: The score of each judgement's item, float32 [N]; NaN where there is none.
        judgements: N judgements.
        k: The cut-off of `ndcg` and `mrr`.
        seed: The seed of the resamples.

    Returns:
        pairs, ndcg@k, mrr@k and rmse; ties have their expected value.
    """
    known = np.where(np.isfinite(scores), scores, -np.inf)
    pairs = ordered_pairs(known, judgements)
    draws = ratio_draws(pairs[:, :1], pairs[:, 1:], 1000, seed)[:, 0]
    lists = np.full((len(judgements.queries), DEPTH), -1, np.int32)
    random = np.random.default_rng(seed)
    for row in range(len(judgements.queries)):
        start, end = judgements.offsets[row : row + 2].tolist()
        order = np.lexsort((random.random(end - start), -known[start:end]))[:DEPTH]
        lists[row, : len(order)] = judgements.items[start:end][order]
    ranked = list_metrics(lists, judgements, k, seed)
    errors = regression_errors(scores, judgements, seed)
    squares = ratio_draws(errors[:, :1], errors[:, 1:], 1000, seed)[:, 0]
    return {
        "pairs": _interval(draws),
        f"ndcg@{k}": ranked[f"ndcg@{k}"],
        f"mrr@{k}": ranked[f"mrr@{k}"],
        "rmse": _interval(np.sqrt(squares)),
    }


def ordered_pairs(scores: Float32Array, judgements: Judgements) -> Float64Array:
    """Count the pairs of one query whose grades differ by a third of the scale or more.

    Args:
        scores: The score of each judgement's item, float32 [N].
        judgements: N judgements.

    Returns:
        By query the pairs in the right order, ties as half a pair, and all pairs, float64 [Q, 2].
    """
    counts = np.zeros((len(judgements.queries), 2))
    for row in range(len(counts)):
        start, end = judgements.offsets[row : row + 2].tolist()
        relevance, score = judgements.relevance[start:end], scores[start:end]
        differs = relevance[:, None] - relevance >= judgements.step
        right = (score[:, None] > score) + 0.5 * (score[:, None] == score)
        counts[row] = (right * differs).sum(), differs.sum()
    return counts


def regression_errors(scores: Float32Array, judgements: Judgements, seed: int) -> Float64Array:
    """Predict grades from scores by least squares, each fifth of the queries by the others.

    The features are the score, its square, and the score relative to the query's mean and spread.

    Args:
        scores: The score of each judgement's item, float32 [N]; NaN where there is none.
        judgements: N judgements.
        seed: The seed of the folds.

    Returns:
        By query the sum of squared errors, and the number of judgements, float64 [Q, 2].
    """
    rows = judgements.rows
    features = _features(scores, rows, len(judgements.queries))
    folds = np.random.default_rng(seed).integers(0, _FOLDS, len(judgements.queries))[rows]
    predicted = np.full(len(rows), judgements.relevance.mean())
    for fold in range(_FOLDS):
        train, test = folds != fold, folds == fold
        if train.any() and test.any():
            solution = np.linalg.lstsq(features[train], judgements.relevance[train], rcond=None)
            predicted[test] = features[test] @ solution[0]
    errors = (np.clip(predicted, *judgements.scale) - judgements.relevance) ** 2
    count = len(judgements.queries)
    return np.stack([np.bincount(rows, errors, count), np.bincount(rows, minlength=count)], axis=1)


def _features(scores: Float32Array, rows: Int64Array, n_queries: int) -> Float64Array:
    is_known = np.isfinite(scores)
    values = np.where(is_known, scores, 0).astype(np.float64)
    values = np.sign(values) * np.log1p(np.abs(values))
    counts = np.maximum(np.bincount(rows, minlength=n_queries), 1)
    means = (np.bincount(rows, values, n_queries) / counts)[rows]
    deviations = values - means
    spread = np.sqrt(np.bincount(rows, deviations**2, n_queries) / counts)[rows]
    relative = np.divide(deviations, spread, out=np.zeros_like(values), where=spread > 1e-9)
    columns = (np.ones(len(rows)), is_known, values, values**2, means, relative)
    return np.stack(columns, axis=1).astype(np.float64)


def _interval(draws: Float64Array) -> Interval:
    """The first draw is that of all queries."""
    if len(draws) < 2 or sqrt(np.isfinite(draws).sum()) < 2:
        return Interval(float(draws[0]), nan, nan)
    low, high = np.nanquantile(draws[1:], (0.025, 0.975))
    return Interval(float(draws[0]), float(low), float(high))
