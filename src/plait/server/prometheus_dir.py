"""The folder in which worker processes share their metrics, and its cleanup.

Each server has one of its own. Its parent and its workers hold a lock on it, which the system lets
go when the last of them is gone, however they went: so the next start can tell what nobody needs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["OWNER", "PREFIX", "shared_meters"]

PREFIX = "plait-metrics-"
OWNER = "owner"
"""The file in the folder that is locked."""


@contextmanager
def shared_meters(base: Path | None = None) -> Iterator[tuple[Path, int]]:
    """Make a folder for the metrics of the workers, and remove it at the end.

    Folders that dead servers left in `base` are removed too.

    Args:
        base: The parent folder; None: the system's temporary folder.

    Yields:
        The folder, and the descriptor of its lock, which the workers inherit.
    """
    base = base or Path(tempfile.gettempdir())
    _sweep(base)
    draft = Path(tempfile.mkdtemp(prefix="plait-new-", dir=base))
    lock = os.open(draft / OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only now it has the name that others look for: they never see one that is not locked yet.
        folder = draft.rename(base / draft.name.replace("plait-new-", PREFIX))
        try:
            yield folder, lock
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _sweep(base: Path) -> None:
    """Remove our own folders that no process holds."""
    for folder in base.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            if _is_abandoned(folder / OWNER):
                shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(owner: Path) -> bool:
    handle = os.open(owner, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
