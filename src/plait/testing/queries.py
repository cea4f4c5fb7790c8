"""Queries and changed catalogues, in external ids, for tests of single stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, Float32Array, History, QueryBatch, StateView
from plait.pipeline.stage import IncrementalStage, Stage
from plait.state.dataset_state import DatasetState
from plait.testing.synthetic_data import START
from plait.utils.timestamps import DAY

__all__ = ["ask", "changed", "known", "listed", "scores", "state_with"]


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


def changed(
    catalogue: Catalogue,
    version: int,
    fields: Mapping[str, Mapping[str, Any] | None],
    *,
    patch: bool = False,
) -> Catalogue:
    """The catalogue after changes of items.

    Args:
        catalogue: The items before.
        version: The offset behind which the changes lie.
        fields: The new fields of items, existing or new, by external id; None deletes the item.
            Values have their inner form (tuples for sets, floats for numbers); their columns exist.
        patch: Whether other fields keep their values.
    """
    known_and_new = catalogue.with_ids([key for key in fields if catalogue.number(key) < 0])
    changes = []
    for offset, (item_id, values) in enumerate(fields.items(), version + 1):
        kind: Any = "delete" if values is None else "patch" if patch else "put"
        changes.append(Change(known_and_new.number(item_id), kind, values or {}, offset))
    return known_and_new.updated(changes)


def state_with(
    stage: Stage, dataset: Dataset, catalogue: Catalogue, previous: Any = None
) -> StateView:
    """The live state that a fitted stage sees after items have changed.

    Args:
        stage: A stage fitted on `dataset`.
        dataset: The data set.
        catalogue: The items after the changes.
        previous: An earlier result of the stage's `update`.
    """
    state = DatasetState.of(replace(dataset, catalogue=catalogue))
    if not isinstance(stage, IncrementalStage):
        return StateView(state)
    return StateView(state, {stage.name: stage.update(catalogue, dataset.version, previous)})


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
