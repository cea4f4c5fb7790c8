"""Progress bars on stderr, driven by callbacks of the library."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["bars"]

Advance = Callable[[str, float, float], None]
"""Told what is going on, how much is done and how much there is (0: nobody knows)."""

EVERY = 30.0
"""Seconds between two lines where no bar is drawn."""


@contextmanager
def bars() -> Iterator[Advance]:
    """A callback `advance(what, done, total)` that draws one bar for each `what`.

    Where stderr is no terminal, a line says twice a minute how far it is.
    """
    if not sys.stderr.isatty():
        yield _lines()
        return
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
    progress = Progress(*columns, console=Console(stderr=True))
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


def _lines(every: float = EVERY) -> Advance:
    """For logs and pipes: how far it is, every so many seconds; short jobs say nothing."""
    begun = time.monotonic()
    due = begun + every

    def advance(what: str, done: float, total: float) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + every
            share = f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}"
            print(f"plait: {now - begun:.0f} s: {what}: {share}", file=sys.stderr, flush=True)

    return advance
