"""Fits a recipe on everything the log holds, and makes the bundle the current one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from plait.core.bundle import BundleStore
from plait.core.recipe import Recipe, load_recipe
from plait.core.types import Dataset
from plait.data.dataset import snapshot
from plait.data.log import Log
from plait.errors import ConflictError, InputError, StorageError
from plait.evaluate.answering import live_of
from plait.learn.fitting import fit_recipe
from plait.measure.splits import Split, default_split
from plait.shop.identity import numbering

__all__ = ["Progress", "fit", "silent"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is (0: nobody knows)."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""


def fit(
    log: Log,
    bundles: BundleStore,
    lock: Path,
    recipe: str | Path | Recipe,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> str:
    """The id of the bundle that was fitted and put into use.

    The few scalars of fusion are learned from held-out events, then the strands are fitted again on
    everything. Raises InputError where there is nothing to fit on, RecipeError for a recipe that
    does not build, ConflictError while another fit of the same home runs.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    with _alone(lock):
        dataset = snapshot(log, progress=lambda done, total: progress("read", done, total))
        if not dataset.catalogue.alive.any():
            raise InputError(
                "there is nothing to fit on: the log holds no items and no events",
                hint="plait ingest --home DIR --events FILE, or shop.ingest(events=...)",
            )
        seconds: dict[str, float] = {}

        def watch(stage: str, took: float) -> None:
            seconds[stage] = round(seconds.get(stage, 0.0) + took, 3)

        pipeline = fit_recipe(
            chosen,
            dataset,
            _held_out(dataset, chosen, seed),
            refit=True,
            seed=seed,
            live=live_of,
            watch=watch,
            progress=progress,
        )
        bundle = bundles.save(pipeline, _notes(dataset, seed, seconds))
        bundles.use(bundle)
    return bundle


def _held_out(dataset: Dataset, recipe: Recipe, seed: int) -> Split | None:
    """What the fusion may learn from; None where nobody did anything yet."""
    if not len(dataset.weighted(recipe.kinds).interactions):
        return None
    goal = tuple(kind for kind in recipe.goal if kind in dataset.kinds)
    return default_split(dataset, goal=goal, kinds=recipe.kinds, seed=seed)


def _notes(dataset: Dataset, seed: int, seconds: dict[str, float]) -> dict[str, Any]:
    return {
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
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
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
