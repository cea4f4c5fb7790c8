"""Tries settings near those that the data suggest, on held-out queries, inside a time budget."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from plait.errors import ConflictError, PlaitError, StorageError
from plait.models.sequential.sequential_recommender import NetworkShape, SequenceConfig

__all__ = ["TRIAL_EPOCHS", "Trial", "refined"]

_log = logging.getLogger(__name__)

TRIAL_EPOCHS = 3
"""Epochs of a trial: enough to rank settings, a fraction of a training."""

Trial = Callable[[NetworkShape, int], tuple[float, float]]
"""Maps a network and the number of the trial to the metric after its epochs, and their seconds."""


def refined(
    config: SequenceConfig, shape: NetworkShape, trial: Trial, max_seconds: float
) -> NetworkShape:
    """Return the best network near another one.

    Settings change one at a time: dropout, layers, the local branch, the size of vectors. A change
    that ranks held-out queries better stays. What the recipe names does not change. No trial
    begins that would last beyond the budget, if it takes as long as the slowest one before it.
    A change that cannot be trained, because memory does not suffice or the loss is not finite,
    does not stay, and counts as the slowest trial before it.

    Args:
        config: The settings of the recipe.
        shape: The network that the data suggest.
        trial: Trains a network for `TRIAL_EPOCHS`.
        max_seconds: The budget of all trials.

    Raises:
        PlaitError: The network that the data suggest cannot be trained.
        StorageError: The folder of a trial cannot be written.
        ConflictError: The folder of a trial holds a checkpoint of another run.
    """
    chosen = shape
    best, spent = trial(shape, 0)
    slowest = spent
    for number, (setting, value) in enumerate(_changes(config, shape), 1):
        if spent + slowest > max_seconds:
            break
        candidate = replace(chosen, **{setting: value})
        try:
            metric, seconds = trial(candidate, number)
        except (ConflictError, StorageError):
            raise
        except PlaitError as problem:
            _log.info("%s = %s is not tried: %s", setting, value, problem)
            spent += slowest
            continue
        spent, slowest = spent + seconds, max(slowest, seconds)
        if metric > best:
            best, chosen = metric, candidate
    return chosen


def _changes(config: SequenceConfig, shape: NetworkShape) -> Iterator[tuple[str, Any]]:
    """Another value of each setting that the recipe leaves out."""
    changes: list[tuple[str, Any]] = [
        ("dropout", round(max(shape.dropout - 0.1, 0.0), 2)),
        ("dropout", round(min(shape.dropout + 0.1, 0.8), 2)),
        ("num_layers", shape.num_layers + 1),
        ("embedding_dim", 2 * shape.embedding_dim),
    ]
    if shape.network == "sasrec":
        is_local = shape.local_branch != "none"
        changes.insert(2, ("local_branch", "none" if is_local else "convolution"))
    yield from (change for change in changes if getattr(config, change[0]) is None)
