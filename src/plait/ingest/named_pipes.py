"""Opens a named pipe for reading, with a time limit for its writer."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

from plait.errors import InputError

__all__ = ["WRITER_SECONDS", "open_fifo"]

WRITER_SECONDS = 60.0
"""How long a writer may take to open the pipe; what it writes may take any time."""


def open_fifo(path: Path, seconds: float | None = None) -> BinaryIO:
    """Open a named pipe for reading, once a writer has opened it.

    Args:
        path: The pipe.
        seconds: How long to wait for the writer; None: `WRITER_SECONDS`.

    Returns:
        The stream.

    Raises:
        InputError: If no process opens the pipe for writing in time.
        OSError: If the pipe cannot be opened.
    """
    seconds = WRITER_SECONDS if seconds is None else seconds
    opened: list[BinaryIO | OSError] = []

    def wait_for_writer() -> None:
        try:
            opened.append(path.open("rb"))
        except OSError as problem:
            opened.append(problem)

    reader = threading.Thread(target=wait_for_writer, name="plait-fifo", daemon=True)
    reader.start()
    reader.join(seconds)
    if reader.is_alive():
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # lets the thread go
        reader.join()
        if not isinstance(opened[0], OSError):
            opened[0].close()
        raise InputError(
            f"no process opened the pipe {path} for writing within {seconds:g} seconds",
            hint="start what writes to it first, or name a file",
        )
    if isinstance(opened[0], OSError):
        raise opened[0]
    return opened[0]
