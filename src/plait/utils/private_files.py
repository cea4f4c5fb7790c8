"""Folders and files that only their owner may read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["exposed_mode", "make_private_folder", "restrict_new_files"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Make a folder with mode 0700; one that exists stays as it is.

    Args:
        folder: The folder; those above it are made as the process makes folders.

    Raises:
        OSError: If it cannot be made.
    """
    folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)


def restrict_new_files() -> None:
    """Make new files of this process and its children readable by their owner only."""
    os.umask(_OTHERS)


def exposed_mode(path: Path) -> str:
    """Return the mode of a file or folder that others than its owner may use.

    Args:
        path: The file or folder.

    Returns:
        The mode in octal, such as "0755"; "" if no other account may use it, or there is none.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return ""
    return f"{mode:04o}" if mode & _OTHERS else ""
