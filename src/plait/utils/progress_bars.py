"""Progress bars on stderr, driven by callbacks of the library."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from plait.utils.printable_text import printable_line

__all__ = ["Advance", "bars", "line_reporter"]

Advance = Callable[[str, float, float], None]
"""Takes the name of the work, how much is done and the total (0: unknown)."""

LINE_INTERVAL = 30.0
"""Seconds between two lines where no bar is drawn."""


@contextmanager
def bars() -> Iterator[Advance]:
    """Draw one progress bar for each name of work; without a terminal, print lines.

    Yields:
        A callback `advance(name, done, total)`. A name such as `fit · loss 0.5` is split at the
        dot: the second part is shown behind the bar.
    """
    if not sys.stderr.isatty():
        yield line_reporter()
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
        TextColumn("{task.fields[detail]}", markup=False),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    tasks: dict[str, TaskID] = {}

    def advance(work: str, done: float, total: float) -> None:
        name, _, detail = printable_line(work).partition(" · ")
        if name not in tasks:
            progress.start()
            tasks[name] = progress.add_task(name, total=None, detail="")
        progress.update(tasks[name], completed=done, total=total or None, detail=detail)

    try:
        yield advance
    finally:
        if tasks:
            progress.stop()


def line_reporter(interval: float = LINE_INTERVAL) -> Advance:
    """Make a callback that prints progress as lines, for logs and pipes.

    Args:
        interval: Seconds between two lines; work that is shorter prints none.

    Returns:
        A callback `advance(name, done, total)`.
    """
    start = time.monotonic()
    due = start + interval

    def advance(work: str, done: float, total: float) -> None:
        nonlocal due
        now = time.monotonic()
        if now >= due:
            due = now + interval
            amount = f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}"
            line = f"plait: {now - start:.0f} s: {printable_line(work)}: {amount}"
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    return advance
