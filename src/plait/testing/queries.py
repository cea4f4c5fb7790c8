"""Queries and changed catalogues, in external ids, for tests of single stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    CandidateLists,
    Dataset,
    Float32Array,
    History,
    Int32Array,
    QueryBatch,
    StateView,
)
from plait.testing.synthetic_data import START
from plait.utils.timestamps import DAY

__all__ = ["ask", "candidates", "known", "listed", "probe_numbers", "probes", "scores"]


def ask(
    catalogue: Catalogue,
    *histories: Sequence[str],
    texts: Sequence[str | None] = (),
    anchors: Sequence[Sequence[str]] = (),
    contexts: Sequence[Mapping[str, Any]] = (),
    live: StateView | None = None,
) -> QueryBatch:
    """Queries in external ids, as many as the longest of the four lists.

    Args:
        catalogue: The items.
        histories: The items of each history, one event a day.
        texts: The text of each query.
        anchors: The items that each query starts from.
        contexts: The context of each query.
        live: The live state of the queries.

    Raises:
        KeyError: The catalogue has no item of this id.
    """
    batch = max(len(histories), len(texts), len(anchors), len(contexts))
    rows = [_numbers(catalogue, ids) for ids in _padded(histories, batch, ())]
    ragged = Ragged.from_rows(rows)
    days = np.concatenate([np.arange(len(row)) for row in rows]) if batch else np.zeros(0)
    history = History(
        ragged.offsets,
        ragged.values,
        (START + days * DAY).astype(np.int64),
        np.ones(len(ragged.values), np.float32),
    )
    query_items = [_numbers(catalogue, ids) for ids in _padded(anchors, batch, ())]
    return replace(
        QueryBatch.of_histories(history),
        texts=tuple(_padded(texts, batch, None)),
        items=Ragged.from_rows(query_items),
        contexts=tuple(_padded(contexts, batch, {})),
        live=live,
    )


def scores(stage: Any, queries: QueryBatch, catalogue: Catalogue, *items: str) -> Float32Array:
    """The scores of items for every query.

    Args:
        stage: A fitted stage.
        queries: B queries.
        catalogue: The items.
        items: The external ids of K items.

    Returns:
        float32 [B, K].
    """
    numbers = _numbers(catalogue, items)
    values: Float32Array = stage.score(queries, np.tile(numbers, (len(queries), 1)))
    return values


def listed(items: CandidateLists, catalogue: Catalogue) -> list[list[str]]:
    """Candidate lists as external ids, without padding.

    Args:
        items: The candidate lists.
        catalogue: The items.
    """
    return [
        [catalogue.id(number) for number in row if number >= 0]
        for row in items.item_numbers.tolist()
    ]


def known(scores: Float32Array) -> list[bool]:
    """Whether each item has a score for any query.

    Args:
        scores: float32 [B, K].
    """
    return [not np.isnan(column).all() for column in scores.T]


def _numbers(catalogue: Catalogue, ids: Sequence[str]) -> Any:
    numbers = catalogue.numbers(ids)
    for item_id, number in zip(ids, numbers, strict=True):
        if number < 0:
            raise KeyError(f"the catalogue has no item {item_id!r}")
    return numbers


def _padded(values: Sequence[Any], batch: int, filler: Any) -> list[Any]:
    return [*values, *[filler] * (batch - len(values))]


def probes(dataset: Dataset, seed: int = 0, live: StateView | None = None) -> QueryBatch:
    """A dozen queries of all kinds.

    Empty and long histories, items that came after the fit, known and unknown words, query items,
    contexts; known and unknown users.

    Args:
        dataset: The data set whose items and users the queries are about.
        seed: The seed of the random choices.
        live: The live state of the queries.
    """
    random = np.random.default_rng(seed)
    batch, n_items = 12, dataset.n_items
    lengths = np.concatenate([[0, 0, 1], random.integers(0, 9, batch - 3)]).astype(np.int64)
    n_events = int(lengths.sum())
    items = random.integers(0, n_items + 3, n_events).astype(np.int32)  # three after the fit
    days = np.concatenate([np.sort(random.integers(0, 20, length)) for length in lengths])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    history = History(offsets, items, START + days * DAY, np.ones(n_events, np.float32))
    query_items = [
        [] if row % 4 else random.integers(0, n_items + 3, 2).tolist() for row in range(batch)
    ]
    users = random.integers(-1, max(dataset.n_users, 1), batch)
    return replace(
        QueryBatch.of_histories(history),
        users=users.astype(np.int32),
        texts=_texts(dataset, batch, random),
        items=Ragged.from_rows(query_items),
        contexts=tuple({"country": "de"} if row % 2 else {} for row in range(batch)),
        live=live,
    )


def probe_numbers(dataset: Dataset, batch: int, seed: int = 0, width: int = 9) -> Int32Array:
    """Item numbers to score: items, padding and items that came after the fit.

    Args:
        dataset: The data set.
        batch: The number of rows.
        seed: The seed of the random choices.
        width: The number of columns.

    Returns:
        int32 [batch, width].
    """
    random = np.random.default_rng(seed)
    return random.integers(-1, dataset.n_items + 4, (batch, width)).astype(np.int32)


def candidates(dataset: Dataset, batch: int, seed: int = 0, width: int = 8) -> CandidateLists:
    """Candidate lists of three models, with every column that a step may read.

    Args:
        dataset: The data set.
        batch: The number of queries.
        seed: The seed of the random choices.
        width: The number of candidates a query.
    """
    random = np.random.default_rng(seed)
    n_items = max(dataset.n_items, 1)
    numbers = np.full((batch, width), ABSENT, np.int32)
    for row in range(batch if dataset.n_items else 0):
        items = random.permutation(n_items)[: random.integers(0, min(n_items, width) + 1)]
        numbers[row, : len(items)] = np.sort(items)
    is_item = numbers >= 0
    score = np.where(is_item, random.random(numbers.shape), np.nan).astype(np.float32)
    columns: dict[str, Any] = {"score": score}
    for model in ("first", "second", "third"):
        is_unknown = ~is_item | (random.random(numbers.shape) < 0.2)
        scores = np.where(is_unknown, np.nan, random.random(numbers.shape))
        columns[f"{model}.score"] = scores.astype(np.float32)
        columns[f"{model}.share"] = np.nan_to_num(scores).astype(np.float32)
        columns[f"{model}.rank"] = _ranks(scores)
        columns[f"{model}.because"] = np.where(is_item, numbers[:, :1], ABSENT).astype(np.int32)
    columns["order"] = _ranks(score)
    columns["pinned"] = np.full(numbers.shape, ABSENT, np.int32)
    return CandidateLists(numbers, columns)


def _texts(dataset: Dataset, batch: int, random: np.random.Generator) -> tuple[str | None, ...]:
    """Every third query has words of titles, the last one has words that no item has."""
    column = dataset.catalogue.columns.get("title")
    titles = [] if column is None else [title for title in column.values.tolist() if title]
    words = [word for title in titles for word in title.split()] or ["nothing"]
    texts: list[str | None] = [None] * batch
    for row in range(0, batch, 3):
        texts[row] = " ".join(random.choice(words, 2).tolist())
    texts[-1] = "zzyzx ?!"
    return tuple(texts)


def _ranks(scores: np.ndarray) -> Int32Array:
    """The rank of each score in its row, the largest first; -1 for NaN."""
    order = np.argsort(np.argsort(np.where(np.isnan(scores), np.inf, -scores), axis=1), axis=1)
    return np.where(np.isnan(scores), ABSENT, order).astype(np.int32)
