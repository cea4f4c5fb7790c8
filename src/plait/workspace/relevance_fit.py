"""Lets the step `relevance` of a recipe learn from judgements, or from the clicks of the log."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import polars as pl

from plait.data.types import Dataset
from plait.errors import BundleError, InputError, MissingExtraError, NotReadyError
from plait.evaluation.judged.judgements import judgements_of
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.eventlog import EventLog
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.fit_context import Progress
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.relevance.labelled_searches import (
    LabelledSearches,
    learn_from_searches,
    relevance_step,
    with_learned,
)
from plait.ranking.relevance.relevance_trees import LearnedRelevance
from plait.utils.optional_imports import is_installed, require_extra
from plait.workspace.clicked_searches import clicked_searches
from plait.workspace.judgement_files import read_judgements

__all__ = ["judged_searches", "judgements_for", "taught_before", "with_relevance"]

JUDGEMENTS = "judgements"
"""The source of what a file of judgements teaches."""


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
        JUDGEMENTS,
    )


def taught_before(bundles: BundleStore) -> LearnedRelevance | None:
    """Return what judgements taught the bundle in use; None for nothing.

    Args:
        bundles: The bundles of the home.
    """
    with suppress(BundleError, MissingExtraError, NotReadyError):
        step = relevance_step(bundles.load())
        learned = None if step is None else step.learned
        return learned if learned is not None and learned.source == JUDGEMENTS else None
    return None


def with_relevance(
    pipeline: Pipeline,
    dataset: Dataset,
    log: EventLog,
    searches: LabelledSearches | None,
    taught: LearnedRelevance | None,
    seed: int,
    progress: Progress,
) -> Pipeline:
    """Let the step `relevance` learn, if there is one, and anything to learn from.

    Args:
        pipeline: The fitted pipeline.
        dataset: The data that it was fitted on.
        log: The log.
        searches: The judged searches; None: it keeps what it was taught.
        taught: What earlier judgements taught; None: it learns from the clicks of the log.
        seed: The seed of the fits.
        progress: Called with the step, how much of it is done, and how much there is.

    Returns:
        The pipeline, with a step that learned if it gains on queries that it has not seen.
    """
    if relevance_step(pipeline) is None:
        return pipeline
    if searches is None and taught is not None:
        return with_learned(pipeline, taught)
    if searches is None and is_installed("lightgbm"):
        evidence = dataset.weighted(pipeline.recipe.event_weights)
        searches = clicked_searches(log, evidence)
    if searches is None:
        return pipeline
    time = int(dataset.interactions.times.max(initial=0))
    live = state_view_of(pipeline, dataset)
    return learn_from_searches(pipeline, searches, live, time=time, seed=seed, progress=progress)
