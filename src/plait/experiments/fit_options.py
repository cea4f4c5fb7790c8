"""Options of a fit in Python: trackers by name, a progress bar, the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plait.errors import InputError
from plait.pipeline.fit_context import Progress, Tracker, no_progress
from plait.training.trackers import tracker
from plait.utils.plain_arguments import as_list
from plait.utils.progress_bars import bars

__all__ = ["callbacks_of", "reported_progress", "run_name", "trackers_of"]

_METHODS = ("begin", "report", "end")


def trackers_of(trackers: Any, folder: str | Path | None) -> tuple[Tracker, ...]:
    """Read the trackers that a call names.

    Args:
        trackers: Trackers, or names of `plait.training.trackers.TRACKERS`; one or several.
        folder: The folder of the fit; named trackers write to `tracking` in it. None: to
            `tracking` in the current folder.

    Returns:
        The trackers.

    Raises:
        InputError: If there is no such name, or an object is no tracker.
        MissingExtraError: If the package of a name is not installed.
    """
    base = Path() if folder is None else Path(folder)
    result: list[Tracker] = []
    for entry in as_list(trackers):
        if isinstance(entry, str):
            result.append(tracker(entry, base / "tracking"))
        elif all(callable(getattr(entry, name, None)) for name in _METHODS):
            result.append(entry)
        else:
            raise InputError(
                f"{entry!r} is no tracker: it has no begin, report and end",
                hint='pass plait.Curve(), or a name such as "tensorboard"',
                field="trackers",
            )
    return tuple(result)


def callbacks_of(callbacks: Any) -> tuple[Callable[..., Any], ...]:
    """Read the callbacks that a call names.

    Args:
        callbacks: A function or several.

    Raises:
        InputError: If something is no function.
    """
    functions = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    for function in functions:
        if not callable(function):
            message = f"{function!r} is no callback"
            hint = 'pass functions of an epoch and its values that return None or "stop"'
            raise InputError(message, hint=hint, field="callbacks")
    return functions


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
