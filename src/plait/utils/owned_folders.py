"""Temporary folders that their process removes, or the next start if the process died.

The owner holds a lock on a file in the folder. The system lets go of it when the last process that
holds it is gone, however it went.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OWNER", "OwnedFolder", "make_owned_folder", "sweep_owned_folders"]

OWNER = "owner"
"""The file in the folder that is locked."""

_DRAFT = "plait-new-"
_KINDS = ("copy", "dictionary", "metrics", "ratings", "words")


@dataclass(frozen=True, slots=True)
class OwnedFolder:
    """A temporary folder with mode 0700.

    Attributes:
        path: The folder.
        lock: The descriptor of its lock, which child processes may inherit.
    """

    path: Path
    lock: int

    def close(self) -> None:
        """Remove the folder and let go of the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self.lock)


def make_owned_folder(kind: str, base: Path | None = None) -> OwnedFolder:
    """Make a temporary folder that only this account may read.

    Args:
        kind: What it is for: "copy" (of a file), "dictionary", "metrics", "ratings" or "words".
        base: The parent folder; None: the system's temporary folder.

    Returns:
        The folder, to be removed by the caller.

    Raises:
        OSError: If it cannot be made.
    """
    draft = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=base))
    lock = os.open(draft / OWNER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Only now it has the name that others look for: they never see one that is not locked yet.
    folder = draft.rename(draft.with_name(draft.name.replace(_DRAFT, f"plait-{kind}-")))
    return OwnedFolder(folder, lock)


def sweep_owned_folders(base: Path | None = None) -> None:
    """Remove the folders of this account whose owners are gone.

    Args:
        base: The parent folder; None: the system's temporary folder.
    """
    base = base or Path(tempfile.gettempdir())
    for folder in (path for kind in _KINDS for path in base.glob(f"plait-{kind}-*")):
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
