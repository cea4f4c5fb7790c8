"""The lists of a fitted model: which items may be in them, and which are the best."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.experiments.data.list_frames import is_several, listed_items, read_pairs
from plait.experiments.models.fit_data import seen_items
from plait.ingest.list_frames import read_distinct_ids
from plait.pipeline.batch_inference import batch_size, in_batches
from plait.pipeline.stage import Retriever, Scorer, Stage
from plait.pipeline.stage_calls import retrieve_items, score_items
from plait.ranking.filters.filter_expression import compile_filter

__all__ = ["allowed_items", "best_items", "blocked_items", "pair_scores"]


def best_items(stage: Stage, queries: QueryBatch, n_items: int) -> list[CandidateLists]:
    """Return the best `queries.k` items of each query with their scores.

    Args:
        stage: The fitted model.
        queries: B queries.
        n_items: How many items there are.

    Returns:
        Batches of lists with the column score, B rows in all.

    Raises:
        InputError: If the model does not retrieve, or does not score.
    """
    if not isinstance(stage, Retriever) or not isinstance(stage, Scorer):
        raise InputError(f"{stage.name} does not recommend items")
    retriever, scorer = stage, stage
    queries = replace(queries, k=min(queries.k, max(1, n_items)))

    def best(_start: int, batch: QueryBatch) -> CandidateLists:
        numbers = retrieve_items(retriever, batch, batch.k).item_numbers
        return CandidateLists(numbers, {"score": score_items(scorer, batch, numbers)})

    return [part for _, part in in_batches(queries, best, size=batch_size(n_items))]


def pair_scores(
    stage: Stage, queries: QueryBatch, owners: Int64Array, numbers: Int32Array, n_items: int
) -> Float32Array:
    """Score pairs of a query and an item.

    Args:
        stage: The fitted model.
        queries: B queries.
        owners: int64 [N], the query of each pair.
        numbers: int32 [N], its item; -1 if it is unknown.
        n_items: How many items there are.

    Returns:
        float32 [N]; NaN where the model has no score.

    Raises:
        InputError: If the model does not score.
    """
    if not isinstance(stage, Scorer):
        raise InputError(f"{stage.name} has no scores")
    scorer = stage
    order = np.argsort(owners, kind="stable")
    counts = np.bincount(owners, minlength=len(queries)).astype(np.int64)
    padded = Ragged.from_lengths(numbers[order], counts).to_padded()

    def scored(start: int, batch: QueryBatch) -> Float32Array:
        return scorer.score(batch, padded[start : start + len(batch)])

    size = batch_size(n_items)
    parts = [part for _, part in in_batches(queries, scored, size=size)]
    scores = np.empty(len(order), np.float32)
    if parts:
        is_pair = np.arange(padded.shape[1]) < counts[:, None]
        scores[order] = np.concatenate(parts)[is_pair]
    return scores


def allowed_items(catalogue: Catalogue, expression: Any, items: Any = None) -> BoolArray:
    """Return the items that exist, meet a filter and are listed, bool [1, n_items].

    Args:
        catalogue: The items.
        expression: A filter expression; None: all.
        items: Ids, or a table with a column of items; None: all. Unknown ones are left out.

    Raises:
        InputError: If the filter or an id is not valid.
    """
    mask = catalogue.alive[None]
    if items is not None:
        numbers = catalogue.numbers(read_distinct_ids(items, "item", "items"))
        is_listed = np.zeros(mask.shape, np.bool_)
        is_listed[0, numbers[numbers >= 0]] = True
        mask = mask & is_listed
    if expression is None:
        return mask
    if not isinstance(expression, str):
        message = f"filter is {expression!r}, expected a text such as 'price < 20'"
        raise InputError(message, field="filter")
    return mask & compile_filter(expression).mask(catalogue)


def blocked_items(
    dataset: arrays.Dataset, user_ids: list[str], queries: QueryBatch, seen: Any
) -> Ragged | None:
    """Return the items that each user must not get; None: none.

    Args:
        dataset: The training data.
        user_ids: The ids of B users.
        queries: Their queries.
        seen: "remove": what the queries have seen; "keep": nothing; a data set, a frame or pairs:
            what the user has there; or a list of several.

    Raises:
        InputError: If `seen` is nothing of that.
    """
    if isinstance(seen, str) and seen == "keep":
        return None
    sources = seen if is_several(seen) else [seen]
    rows = [
        queries.seen
        if isinstance(part, str) and part == "remove"
        else _items_in(dataset, user_ids, part)
        for part in sources
    ]
    return functools.reduce(Ragged.hstack, rows)


def _items_in(dataset: arrays.Dataset, user_ids: list[str], seen: Any) -> Ragged:
    """The items of users in other interactions, B rows."""
    if isinstance(seen, arrays.Dataset):
        return seen_items(dataset, seen, user_ids)
    if seen is None or isinstance(seen, str):
        message = f"seen is {seen!r}, expected 'remove', 'keep', a data set or a frame"
        raise InputError(message, field="seen")
    return listed_items(read_pairs(seen, "seen"), user_ids, dataset.catalogue)
