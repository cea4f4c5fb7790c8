"""Progress bars on stderr, driven by callbacks of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bars"]

Advance = Callable[[str, float, float], None]
"""Told what is going on, how much is done and how much there is (0: nobody knows)."""


@contextmanager
def bars() -> Iterator[Advance]:
    """A callback `advance(what, done, total)` that draws one bar for each `what`.

    Where stderr is no terminal nothing is drawn.
    """
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
        TextColumn("{task.description:<28}", markup=False),  # names of files may hold brackets
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
    )
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    tasks: dict[str, TaskID] = {}

    def advance(what: str, done: float, total: float) -> None:
        name, _, detail = what.partition(" · ")
        if name not in tasks:
            progress.start()
            tasks[name] = progress.add_task(name, total=None, detail="")
        progress.update(tasks[name], completed=done, total=total or None, detail=detail)

    try:
        yield advance
    finally:
        if tasks:
            progress.stop()
