"""Progress bars on stderr, driven by callbacks of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bars"]

Advance = Callable[[str, float, float], None]
"""Told what is going on, how much is done and how much there is (0: nobody knows)."""


@contextmanager
def bars() -> Iterator[Advance]:
    """A callback `advance(what, done, total)` that draws one bar for each `what`."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(what: str, done: float, total: float) -> None:
        if what not in tasks:
            progress.start()
            tasks[what] = progress.add_task(what, total=None)
        progress.update(tasks[what], completed=done, total=total or None)

    try:
        yield advance
    finally:
        if tasks:
            progress.stop()
