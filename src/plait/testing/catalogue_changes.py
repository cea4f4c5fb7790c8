"""Changed catalogues, and the live state after them, for tests of single stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plait.data.catalogue import Catalogue, Change
from plait.data.types import (
    Dataset,
    StateView,
)
from plait.pipeline.stage import IncrementalStage, Stage
from plait.state.snapshot_state import DatasetState

__all__ = ["changed", "state_with"]


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
