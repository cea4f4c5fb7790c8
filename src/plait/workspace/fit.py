"""Fits a recipe on the whole log, and makes its bundle the current one.

Processes of one `torchrun` share the batches of gradient training; the first one saves the bundle.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.data.plausible_times import with_plausible_times
from plait.data.types import Dataset
from plait.errors import ConflictError, InputError, RecipeError, StorageError
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.eventlog import EventLog
from plait.eventlog.snapshot import snapshot
from plait.features.doubtful_items import doubtful_items
from plait.pipeline.bundle_log_match import event_marks, numbering
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.fit_context import FitContext, Progress, no_progress
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.fusion.pruning import Pruning
from plait.splitting.splits import Split, default_split
from plait.training.pipeline_fit import fit_recipe
from plait.training.process_group import ProcessGroup
from plait.workspace.recipe_choice import RecipeChoice
from plait.workspace.relevance_fit import (
    judged_searches,
    judgements_for,
    taught_before,
    with_relevance,
)

__all__ = ["Progress", "fit", "no_progress"]

_WEEK = 7 * 24 * 3600
"""Seconds after which an interrupted fit is given up."""


NO_CONTEXT = FitContext()
"""Neither trackers nor callbacks."""


class _StageSeconds(dict[str, float]):
    """Seconds by stage; a call adds to them."""

    def __call__(self, stage: str, seconds: float) -> None:
        self[stage] = round(self.get(stage, 0.0) + seconds, 3)


def fit(
    log: EventLog,
    bundles: BundleStore,
    lock: Path,
    choice: RecipeChoice,
    *,
    seed: int = 0,
    progress: Progress = no_progress,
    context: FitContext = NO_CONTEXT,
    prune: bool = False,
    judgements: Any = None,
) -> str:
    """Fit a recipe on everything that a log holds, and put the bundle into use.

    The fusion learns from held-out events, then the models are fitted again on all. Checkpoints of
    gradient training lie in `work`, beside the lock: an interrupted fit continues.

    Args:
        log: The log.
        bundles: Where the bundle is saved.
        lock: The file that is locked while a fit runs.
        choice: The recipe.
        seed: The seed of random choices.
        progress: Called with the step, how much of it is done, and how much there is.
        context: Its trackers and callbacks are those of every training.
        prune: Whether models that add nothing to held-out rankings are left out.
        judgements: Judged items of searches, as a file or a table, from which the step `relevance`
            learns; None: it learns from the log.

    Returns:
        The id of the bundle.

    Raises:
        InputError: If there is nothing to fit on.
        RecipeError: If the recipe cannot be built, or no step orders items.
        ConflictError: If another fit of the same home runs.
    """
    chosen, group = choice.recipe, ProcessGroup.current()
    _check_answers(chosen)
    judged = None if judgements is None else judgements_for(chosen, judgements)
    progress = progress if group.is_main else no_progress
    with _alone(lock) if group.is_main else nullcontext():
        dataset = _read(log, group.broadcast(log.version), progress)
        dataset, n_late = with_plausible_times(dataset, group.broadcast(time.time_ns() // 1000))
        seconds, pruning = _StageSeconds(), Pruning()
        folder = lock.parent / "work" / _fit_name(chosen, dataset.version, seed)
        searches = None if judged is None else judged_searches(judged, dataset)
        context = replace(context, folder=folder, name=_run_name(folder), progress=progress)
        pipeline = _fitted(chosen, dataset, seed, context, seconds, pruning if prune else None)
        bundle = ""
        if group.is_main:
            taught = taught_before(bundles)
            pipeline = with_relevance(pipeline, dataset, log, searches, taught, seed, progress)
            marks = {"shipped_recipe": choice.shipped, **event_marks(log, dataset.version)}
            marks |= _notes(dataset, chosen, n_late, seed, seconds) | _pruned(pruning, seconds)
            bundle = _put_into_use(bundles, pipeline, marks, folder)
        return group.broadcast(bundle)


def _fitted(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    context: FitContext,
    seconds: _StageSeconds,
    pruning: Pruning | None,
) -> Pipeline:
    """The pipeline of a recipe, fitted on all data, its fusion on held-out events."""
    return fit_recipe(
        recipe,
        dataset,
        _held_out(dataset, recipe, seed),
        refit=True,
        seed=seed,
        live=state_view_of,
        watch=seconds,
        progress=context.progress,
        context=context,
        reduce=pruning,
    )


def _put_into_use(
    bundles: BundleStore, pipeline: Pipeline, notes: Mapping[str, Any], work: Path
) -> str:
    """Save a bundle and let it answer; its id.

    The checkpoints of this fit, in `work`, are removed, and those of fits that were never resumed.
    """
    bundle = bundles.save(pipeline, dict(notes))
    bundles.use(bundle)
    for folder in work.parent.glob("fit-*"):
        if folder == work or time.time() - folder.stat().st_mtime > _WEEK:
            shutil.rmtree(folder, ignore_errors=True)
    return bundle


def _read(log: EventLog, until: int, progress: Progress) -> Dataset:
    """The data set of the log up to an offset; raises InputError if it has no items."""
    dataset = snapshot(log, until=until, progress=lambda done, total: progress("read", done, total))
    if not dataset.catalogue.alive.any():
        raise InputError(
            "there is nothing to fit on: the log holds no items and no events",
            hint="plait ingest --home DIR --events FILE, or shop.ingest(events=...)",
        )
    return dataset


def _check_answers(recipe: Recipe) -> None:
    """RecipeError where no step orders an answer: such a recipe can be measured, but not asked."""
    if not any("order" in step.writes for step in Pipeline.build(recipe).steps):
        raise RecipeError(
            f"no step of the recipe {recipe.name!r} orders an answer, so it could not be queried",
            hint="add [steps.policy], behind [steps.fuse]; plait evaluate does without",
            field="steps",
        )


def _run_name(folder: Path) -> str:
    """The name of the run in trackers: that of its first start, also after an interruption."""
    started = folder / "started"
    with suppress(OSError):
        return started.read_text(encoding="utf-8")
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{folder.name.removeprefix('fit-')[:6]}"
    folder.mkdir(parents=True, exist_ok=True)
    started.write_text(name, encoding="utf-8")
    return name


def _fit_name(recipe: Recipe, version: int, seed: int) -> str:
    """The name of the folder in which exactly this fit can be resumed."""
    identity = json.dumps([recipe.to_dict(), version, seed], sort_keys=True)
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return f"fit-{digest}"


def _held_out(dataset: Dataset, recipe: Recipe, seed: int) -> Split | None:
    """The data that the fusion learns from; None for a log without interactions."""
    if not len(dataset.weighted(recipe.event_weights).interactions):
        return None
    goal = tuple(kind for kind in recipe.target_events if kind in dataset.event_types)
    return default_split(dataset, target_events=goal, event_weights=recipe.event_weights, seed=seed)


def _pruned(pruning: Pruning, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The models that were left out, with the seconds that a fit of each took."""
    models = [
        {**model.to_dict(), "seconds": seconds.get(model.name, 0.0)} for model in pruning.pruned
    ]
    return {"pruned": models} if models else {}


def _notes(
    dataset: Dataset, recipe: Recipe, n_late: int, seed: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """What a fit was made on and with, and which items look bought among events that count."""
    doubtful = doubtful_items(dataset.weighted(recipe.event_weights))
    return {
        "times_in_the_future": n_late,
        "doubtful_items": [item.to_dict() for item in doubtful],
        "seed": seed,
        "seconds": seconds,
        "items": dataset.n_items,
        "users": dataset.n_users,
        "events": len(dataset.interactions),
        "numbering": numbering(dataset.catalogue.ids, dataset.n_items),
    }


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock of a home; the system lets go of it when the process ends, however it ends."""
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise StorageError(f"cannot write {lock}: {problem}") from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise ConflictError(
                "another fit of this home is running", hint="wait until it has ended"
            ) from problem
        yield
    finally:
        os.close(handle)
