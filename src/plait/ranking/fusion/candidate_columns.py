"""What a fusion reads of queries and candidates: their types, ranks and sources."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.pipeline.pipeline import PINS
from plait.ranking.fusion.score_normalization import dense_ranks

__all__ = [
    "ITEM_QUERY",
    "TEXT_QUERY",
    "USER_QUERY",
    "item_rarity",
    "model_ranks",
    "query_types",
    "require_match",
    "retrieved_by",
    "scoring_models",
    "without_model",
]

USER_QUERY, TEXT_QUERY, ITEM_QUERY = range(3)
"""The types of a query, by which weights are chosen: rows of `ModelSettings.weights`."""

_UNMATCHED = "unmatched"


def query_types(queries: QueryBatch) -> Int64Array:
    """Return the type of every query; text comes before items, items before the user.

    Args:
        queries: B queries.

    Returns:
        int64 [B].
    """
    has_text = np.array([bool(text and text.strip()) for text in queries.texts], np.bool_)
    return np.where(
        has_text, TEXT_QUERY, np.where(queries.items.lengths > 0, ITEM_QUERY, USER_QUERY)
    )


def item_rarity(
    queries: QueryBatch, item_users: Float32Array, rare_item_users: float
) -> Float32Array:
    """Compute how little is known of whom the items of each query are for.

    Args:
        queries: B queries.
        item_users: How many users chose each item, float32 [n].
        rare_item_users: With so many users an item is half rare.

    Returns:
        From 0 to 1, float32 [B].
    """
    items = queries.items
    known = items.values < len(item_users)
    users = np.where(known, item_users[np.where(known, items.values, 0)], 0)
    rarity = rare_item_users / (users + np.float32(rare_item_users))
    sums = np.bincount(items.rows, rarity, minlength=len(items))
    return (sums / np.maximum(items.lengths, 1)).astype(np.float32)


def model_ranks(items: CandidateLists, name: str, present: BoolArray) -> Float32Array:
    """Return the ranks of what a model retrieved, or else of its scores.

    Args:
        items: Candidates [B, K].
        name: The name of the model.
        present: Which candidates are ranked, bool [B, K].

    Returns:
        Ranks from 0, float32 [B, K]; NaN where there is none.
    """
    ranks = items.columns.get(f"{name}.rank")
    if ranks is None:
        scores = items.column(f"{name}.score")
        return dense_ranks(scores, present & np.isfinite(scores))
    return np.where(ranks < 0, np.nan, ranks).astype(np.float32)


def require_match(
    queries: QueryBatch, items: CandidateLists, models: Sequence[str]
) -> CandidateLists:
    """Mark candidates that do not match the text, pinned ones and the caller's list apart.

    Args:
        queries: B queries.
        items: Their candidates.
        models: A query with text keeps what one of these models scores above zero; those without
            scores are ignored.

    Returns:
        The candidates, some of them removed as "unmatched".
    """
    columns = [f"{name}.score" for name in models if f"{name}.score" in items.columns]
    is_text_query = query_types(queries) == TEXT_QUERY
    if not columns or not is_text_query.any() or queries.candidates is not None:
        return items
    is_item = items.item_numbers >= 0
    matches = np.logical_or.reduce([items.column(column) > 0 for column in columns])
    if queries.pins is not None:
        matches |= items.column(f"{PINS}.rank") >= 0
    return items.mark_removed(is_text_query[:, None] & ~matches & is_item, _UNMATCHED)


def retrieved_by(items: CandidateLists, names: Sequence[str]) -> BoolArray:
    """Tell which candidates some of `names`, or a source that is no model, retrieved.

    Args:
        items: Candidates [B, K].
        names: Names of models.

    Returns:
        bool [B, K]; all candidates, where none of them retrieves.
    """
    models = scoring_models(items)
    sources = [name.removesuffix(".rank") for name in items.columns if name.endswith(".rank")]
    sources = [name for name in sources if name in names or name not in models]
    if not sources:
        return np.ones(items.shape, np.bool_)
    retrieved: BoolArray = np.logical_or.reduce(
        [items.column(f"{name}.rank") >= 0 for name in sources]
    )
    return retrieved


def scoring_models(items: CandidateLists) -> list[str]:
    """Return the models that have scored, in the order of the columns.

    Args:
        items: Candidates with their columns.
    """
    return [name.removesuffix(".score") for name in items.columns if name.endswith(".score")]


def without_model(items: CandidateLists, name: str) -> CandidateLists:
    """Return the candidates as they would be if a model were not there.

    Args:
        items: Scored candidates [B, K].
        name: The name of the model.

    Returns:
        The candidates without the columns of the model; those that it alone retrieved are padding.
    """
    others = [model for model in scoring_models(items) if model != name]
    numbers = np.where(retrieved_by(items, others), items.item_numbers, np.int32(-1))
    prefix = f"{name}."
    columns = {key: column for key, column in items.columns.items() if not key.startswith(prefix)}
    return CandidateLists(numbers.astype(np.int32), columns, items.removal_reasons)
