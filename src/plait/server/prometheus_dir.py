"""Makes the folder in which worker processes share their metrics.

Each server has one of its own, which its parent and its workers hold, see
`plait.utils.owned_folders`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plait.utils.owned_folders import OWNER, make_owned_folder, sweep_owned_folders

__all__ = ["OWNER", "PREFIX", "shared_meters"]

PREFIX = "plait-metrics-"


@contextmanager
def shared_meters(base: Path | None = None) -> Iterator[tuple[Path, int]]:
    """Make a folder for the metrics of the workers, and remove it at the end.

    Folders that dead servers and fits left in `base` are removed too.

    Args:
        base: The parent folder; None: the system's temporary folder.

    Yields:
        The folder, and the descriptor of its lock, which the workers inherit.
    """
    sweep_owned_folders(base)
    folder = make_owned_folder("metrics", base)
    try:
        yield folder.path, folder.lock
    finally:
        folder.close()
