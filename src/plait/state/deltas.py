"""What a bundle does not know yet: vectors, words and counts of items newer than its fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.data.types import State, StateView
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import IncrementalStage

__all__ = ["deltas"]


def deltas(
    pipeline: Pipeline, state: State, previous: StateView | None = None
) -> Mapping[str, Any]:
    """By stage name, what each stage that `Follows` must know beside its bundle.

    `previous` is an earlier result *of the same pipeline* with the state it was made for. Where the
    catalogue is still the same object nothing is computed and the same mapping comes back; where
    it changed, every stage is handed its own earlier delta to build on.
    """
    if previous is not None and previous.state.catalogue is state.catalogue:
        return previous.deltas
    before: Mapping[str, Any] = {} if previous is None else previous.deltas
    return {
        stage.name: stage.update(state.catalogue, pipeline.version, before.get(stage.name))
        for stage in pipeline.stages
        if isinstance(stage, IncrementalStage)
    }
