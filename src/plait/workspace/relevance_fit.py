"""Lets the step `relevance` of a recipe learn from judgements, or from the clicks of the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from plait.data.types import Dataset
from plait.errors import InputError
from plait.evaluation.judged.judgements import judgements_of
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.pipeline.fit_context import Progress
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.relevance.labelled_searches import (
    LabelledSearches,
    learn_from_searches,
    relevance_step,
)
from plait.utils.optional_imports import require_extra
from plait.workspace.judgement_files import read_judgements

__all__ = ["judged_searches", "judgements_for", "with_relevance"]


def judgements_for(recipe: Recipe, source: Any) -> pl.DataFrame:
    """Read judgements that a recipe is to learn from.

    Args:
        recipe: The recipe.
        source: A file or a table.

    Returns:
        The table.

    Raises:
        InputError: If the recipe has no step `relevance`, or the judgements cannot be read.
        MissingExtraError: If LightGBM is not installed.
    """
    if relevance_step(Pipeline.build(recipe)) is None:
        raise InputError(
            f"no step of the recipe {recipe.name!r} learns from judgements",
            hint="use --recipe search, or add [steps.relevance] behind [steps.fuse]",
            field="judgements",
        )
    require_extra("learning from judgements", "lightgbm")
    return read_judgements(source)


def judged_searches(table: pl.DataFrame, dataset: Dataset) -> LabelledSearches:
    """Read judgements as labels that all count alike.

    Args:
        table: The judgements.
        dataset: The data set of the items.

    Returns:
        The judged items by query.

    Raises:
        InputError: If the judgements lack a column, or none is of an item of the log.
    """
    judged = judgements_of(table, dataset.catalogue)
    return LabelledSearches(
        judged.queries,
        judged.offsets,
        judged.items,
        judged.relevance,
        np.ones(len(judged.items)),
        "judgements",
    )


def with_relevance(
    pipeline: Pipeline,
    dataset: Dataset,
    searches: LabelledSearches | None,
    seed: int,
    progress: Progress,
) -> Pipeline:
    """Let the step `relevance` learn, if there is one, and anything to learn from.

    Args:
        pipeline: The fitted pipeline.
        dataset: The data that it was fitted on.
        searches: The labelled searches; None: there are none.
        seed: The seed of the fits.
        progress: Called with the step, how much of it is done, and how much there is.

    Returns:
        The pipeline, with a step that learned if it gains on queries that it has not seen.
    """
    if searches is None or relevance_step(pipeline) is None:
        return pipeline
    time = int(dataset.interactions.times.max(initial=0))
    live = state_view_of(pipeline, dataset)
    return learn_from_searches(pipeline, searches, live, time=time, seed=seed, progress=progress)
