"""Options of a fit in Python: trackers by name, a progress bar, the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.pipeline.fit_context import Progress, Tracker, no_progress
from plait.training.trackers import trackers_from
from plait.utils.progress_bars import bars

__all__ = ["reported_progress", "run_name", "trackers_of"]


def trackers_of(trackers: Any, folder: str | Path | None) -> tuple[Tracker, ...]:
    """Read the trackers that a call names.

    Args:
        trackers: As for `plait.training.trackers.trackers_from`.
        folder: The folder of the fit; named trackers write to `tracking` in it. None: to
            `tracking` in the current folder.

    Returns:
        The trackers.

    Raises:
        InputError: If there is no such name, or an object is no tracker.
        MissingExtraError: If the package of a name is not installed.
    """
    base = Path() if folder is None else Path(folder)
    return trackers_from(trackers, base / "tracking", field="trackers")


@contextmanager
def reported_progress(progress: Progress | bool | None) -> Iterator[Progress]:
    """Report progress as a call asks.

    Args:
        progress: True draws a bar on stderr; a function is called; False or None is silent.

    Yields:
        A function of the work, how much is done and how much there is.
    """
    if callable(progress):
        yield progress
    elif progress:
        with bars() as advance:
            yield advance
    else:
        yield no_progress


def run_name(model: str) -> str:
    """Return the name of a new run in trackers.

    Args:
        model: The name of the model.

    Returns:
        The model and the time.
    """
    return f"{model}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
