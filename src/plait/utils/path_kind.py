"""The kind of file at a path; a path that cannot exist is treated as missing."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

__all__ = ["PathKind", "path_kind"]

PathKind = Literal["file", "folder", "other", "nothing"]


def path_kind(path: Path) -> PathKind:
    """Return what lies at a path; unlike `Path.is_file`, for paths that no file system can have.

    Args:
        path: Any path, also one that is too long or lies in a folder that may not be read.

    Returns:
        "nothing" also where the operating system refuses to look.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a NUL, or text that is no name
        return "nothing"
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "other"
