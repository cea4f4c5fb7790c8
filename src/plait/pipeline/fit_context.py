"""Inputs of a fit beside the data: a seed, a validation set, a folder for checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from plait.data.ragged import Ragged
from plait.data.types import QueryBatch

if TYPE_CHECKING:
    from plait.pipeline.fit_cache import FitCache

__all__ = ["Callback", "FitContext", "Progress", "Tracker", "ValidationSet", "no_progress"]

Progress = Callable[[str, int, int], None]
"""Called with the name of the work, how much of it is done and how much there is (0: unknown).

The name may have details, such as the loss and the speed, after a first " · ".
"""


Callback = Callable[[int, Mapping[str, float]], str | None]
"""Called after each epoch of a training with the number of finished epochs and the values that
trackers get; "stop" ends the training there, None goes on."""


def no_progress(_work: str, _done: int, _total: int) -> None:
    """Report nothing.

    Args:
        _work: Ignored.
        _done: Ignored.
        _total: Ignored.
    """


class Tracker(Protocol):
    """A record of training runs, such as TensorBoard."""

    def begin(self, run: str, settings: Mapping[str, object]) -> None:
        """Record that a run starts or is resumed.

        Args:
            run: The name of the run.
            settings: Its settings.
        """

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """Record measurements.

        Args:
            epoch: The number of finished epochs.
            values: loss, learning_rate, items_per_second and metric.
        """

    def end(self) -> None:
        """Record that the run has ended, successfully or not."""


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSet:
    """Queries that were held out from the fit.

    Attributes:
        queries: B queries.
        targets: The relevant items of each query; those that it blocks or masks are left out, and a
            query without any is ignored.
    """

    queries: QueryBatch
    targets: Ragged


@dataclass(frozen=True, slots=True, eq=False)
class FitContext:
    """How a stage is fitted.

    Attributes:
        seed: The seed of random choices.
        held: The validation set for early stopping; None where nothing is held out, as when a
            recipe is fitted again on all data.
        folder: Where checkpoints of an interrupted fit are kept; None: nowhere.
        progress: Called during the fit.
        trackers: Where training runs are recorded.
        name: The name of the run in trackers.
        callbacks: Called after each epoch; each may stop the training.
        warm_start: Whether a fitted stage goes on from what it learned, where it can.
        warm_share: The share of its epochs, rounds or samples that such a stage makes.
        cache: Models that were fitted on the same data before; None: every model is fitted.
    """

    seed: int = 0
    held: ValidationSet | None = None
    folder: Path | None = None
    progress: Progress = no_progress
    trackers: tuple[Tracker, ...] = ()
    name: str = ""
    callbacks: tuple[Callback, ...] = ()
    warm_start: bool = False
    warm_share: float = 1.0
    cache: FitCache | None = None

    def rounds(self, first: int) -> int:
        """How many epochs, rounds or samples a fit makes.

        Args:
            first: How many a first fit makes, 1 or more.

        Returns:
            Under a warm start `warm_share` of them, rounded up; otherwise all.
        """
        return math.ceil(self.warm_share * first) if self.warm_start else first

    def for_part(self, part: str) -> FitContext:
        """The context of a part of the fit, with its own folder and run name.

        Args:
            part: The name of the part.
        """
        folder = None if self.folder is None else self.folder / part
        return replace(self, folder=folder, name=f"{self.name}-{part}".removeprefix("-"))

    def for_stage(self, stage: str) -> FitContext:
        """The context of a stage, with its own folder, and its name in the progress.

        Args:
            stage: The name of the stage.
        """

        def progress(work: str, done: int, total: int) -> None:
            self.progress(f"{stage} · {work}", done, total)

        return replace(self.for_part(stage), progress=progress)
