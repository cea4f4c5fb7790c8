"""Questions and changed catalogues, in outside ids, for tests of single stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, Float32Array, History, QueryBatch, StateView
from plait.pipeline.stage import IncrementalStage, Stage
from plait.state.live_state import DatasetState
from plait.testing.synthetic_data import DAY, START

__all__ = ["ask", "changed", "known", "listed", "scores", "state_with"]


def ask(
    catalogue: Catalogue,
    *histories: Sequence[str],
    texts: Sequence[str | None] = (),
    anchors: Sequence[Sequence[str]] = (),
    contexts: Sequence[Mapping[str, Any]] = (),
    live: StateView | None = None,
) -> QueryBatch:
    """As many questions as the longest of the four lists; histories have an event a day.

    Outside ids that `catalogue` does not know raise KeyError.
    """
    batch = max(len(histories), len(texts), len(anchors), len(contexts))
    rows = [_numbers(catalogue, one) for one in _filled(histories, batch, ())]
    lengths = np.array([len(one) for one in rows], np.int64)
    days = np.concatenate([np.arange(one) for one in lengths]) if batch else np.zeros(0)
    ragged = Ragged.from_rows(rows)
    history = History(
        ragged.offsets,
        ragged.values,
        (START + days * DAY).astype(np.int64),
        np.ones(len(ragged.values), np.float32),
    )
    return replace(
        QueryBatch.of_histories(history),
        texts=tuple(_filled(texts, batch, None)),
        items=Ragged.from_rows([_numbers(catalogue, one) for one in _filled(anchors, batch, ())]),
        contexts=tuple(_filled(contexts, batch, {})),
        live=live,
    )


def changed(
    catalogue: Catalogue,
    version: int,
    fields: Mapping[str, Mapping[str, Any] | None],
    *,
    patch: bool = False,
) -> Catalogue:
    """`catalogue` after items were put (or patched) at the offsets behind `version`.

    `fields` by outside id, which may be new; None deletes. Values have their inner form (tuples for
    sets, floats for numbers) and their columns exist.
    """
    new = [one for one in fields if catalogue.number(one) < 0]
    wider = catalogue.with_ids(new)
    changes = []
    for offset, (one, values) in enumerate(fields.items(), version + 1):
        if values is None:
            changes.append(Change(wider.number(one), "delete", {}, offset))
        else:
            kind: Any = "patch" if patch else "put"
            changes.append(Change(wider.number(one), kind, values, offset))
    return wider.updated(changes)


def state_with(
    stage: Stage, dataset: Dataset, catalogue: Catalogue, previous: Any = None
) -> StateView:
    """What `stage`, fitted on `dataset`, sees when the items stand as in `catalogue`."""
    state = DatasetState.of(replace(dataset, catalogue=catalogue))
    if not isinstance(stage, IncrementalStage):
        return StateView(state)
    return StateView(state, {stage.name: stage.update(catalogue, dataset.version, previous)})


def scores(stage: Any, queries: QueryBatch, catalogue: Catalogue, *items: str) -> Float32Array:
    """float32 [B, len(items)]: what `stage` gives these items for every question."""
    numbers = _numbers(catalogue, items)
    found: Float32Array = stage.score(queries, np.tile(numbers, (len(queries), 1)))
    return found


def listed(items: CandidateLists, catalogue: Catalogue) -> list[list[str]]:
    """Candidate lists as outside ids, padding left out."""
    return [[catalogue.id(one) for one in row if one >= 0] for row in items.item_numbers.tolist()]


def known(found: Float32Array) -> list[bool]:
    """For every item whether any question has a score for it."""
    return [not np.isnan(column).all() for column in found.T]


def _numbers(catalogue: Catalogue, ids: Sequence[str]) -> Any:
    found = catalogue.numbers(ids)
    for one, number in zip(ids, found, strict=True):
        if number < 0:
            raise KeyError(f"no item {one!r} in this world")
    return found


def _filled(given: Sequence[Any], batch: int, filler: Any) -> list[Any]:
    return [*given, *[filler] * (batch - len(given))]
