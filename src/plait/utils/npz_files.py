"""Reads .npz files, in which whatever is damaged is one kind of error."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["read_npz"]

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, LookupError, TypeError, ValueError),
    *(MemoryError, OverflowError, NotImplementedError, RuntimeError),
)
"""What numpy and zipfile raise for damaged files: MemoryError for an array that claims terabytes,
RuntimeError for an encrypted member, OSError for a place before the beginning."""


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read all arrays of a file; nothing is unpickled.

    Args:
        path: The file.

    Returns:
        The arrays by name.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is no .npz file, or damaged.
    """
    with path.open("rb") as raw:
        try:
            archive = np.load(raw, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array")
            with archive:
                arrays = {name: archive[name] for name in archive.files}
        except _DAMAGE as problem:
            raise ValueError(f"it is no whole .npz file: {problem}") from problem
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # numpy returns other members as bytes
            raise ValueError(f"{name} in it is no array")
    return arrays
