"""Features of items newer than the fit: vectors, words and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.data.types import State, StateView
from plait.features.shared_work import shared_work
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import IncrementalStage

__all__ = ["deltas"]


def deltas(
    pipeline: Pipeline, state: State, previous: StateView | None = None
) -> Mapping[str, Any]:
    """Compute what each incremental stage must know beside its bundle.

    Args:
        pipeline: The fitted pipeline.
        state: The state to compute the deltas for.
        previous: An earlier result for the same pipeline, with the state it was made for. Its
            mapping is returned if the catalogue has not changed since; otherwise each stage builds
            on its own earlier delta.

    Returns:
        The delta of every incremental stage, by the name of the stage.
    """
    if previous is not None and previous.state.catalogue is state.catalogue:
        return previous.deltas
    earlier: Mapping[str, Any] = {} if previous is None else previous.deltas
    with shared_work():
        return {
            stage.name: stage.update(state.catalogue, pipeline.version, earlier.get(stage.name))
            for stage in pipeline.stages
            if isinstance(stage, IncrementalStage)
        }
