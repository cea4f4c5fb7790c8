"""What a fit may know beside the data: a seed, what was held out, where to keep its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from plait.data.ragged import Ragged
from plait.data.types import QueryBatch

__all__ = ["FitContext", "Progress", "Tracker", "ValidationSet", "no_progress"]

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done and how much there is (0: nobody knows).

What follows the first " · " says how it goes: loss, metric, speed.
"""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Shows nothing."""


class Tracker(Protocol):
    """Somebody who keeps a record of training runs."""

    def begin(self, run: str, settings: Mapping[str, object]) -> None:
        """A run called `run` starts, or goes on."""

    def report(self, epoch: int, values: Mapping[str, float]) -> None:
        """What was measured after `epoch` epochs: loss, learning_rate, items_per_second, metric."""

    def end(self) -> None:
        """The run is over, well or not."""


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSet:
    """Questions that were kept back from the fit, and the items that came true for each.

    Targets that the questions block or mask are left out; a question without one left asks nothing.
    """

    queries: QueryBatch
    targets: Ragged


@dataclass(frozen=True, slots=True, eq=False)
class FitContext:
    """How a stage is fitted.

    `held`: what early stopping may look at; None where nothing is held out, as when a recipe is
    fitted again on everything. `folder`: where an interrupted fit is taken up; None: nowhere.
    """

    seed: int = 0
    held: ValidationSet | None = None
    folder: Path | None = None
    progress: Progress = no_progress
    trackers: tuple[Tracker, ...] = ()
    name: str = ""
    """What trackers call it."""

    def for_part(self, part: str) -> FitContext:
        """The same for a part of the fit, with a folder and a name of its own."""
        folder = None if self.folder is None else self.folder / part
        return replace(self, folder=folder, name=f"{self.name}-{part}".removeprefix("-"))

    def for_stage(self, stage: str) -> FitContext:
        """What the stage of this name is told: its own folder, and a progress under its name."""

        def told(what: str, done: int, total: int) -> None:
            self.progress(f"{stage} · {what}", done, total)

        return replace(self.for_part(stage), progress=told)
