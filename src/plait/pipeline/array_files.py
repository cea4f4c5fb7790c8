"""Arrays on disk: safetensors files that are mapped, so that processes share one copy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plait.errors import BundleError

__all__ = ["read_arrays", "read_strings", "write_arrays", "write_strings"]

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}

_DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError),
    *(OverflowError, RecursionError),
)
"""What reading a damaged file may raise."""


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays to one safetensors file.

    Args:
        path: The file.
        arrays: The arrays by name.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, str(path))
    except SafetensorError as problem:  # which the library raises for a full disk
        raise OSError(str(problem)) from problem


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Map the arrays of a safetensors file.

    The reader of the library copies; the format (a length, a JSON header, raw bytes) is simple
    enough to map.

    Args:
        path: The file.

    Returns:
        The arrays by name, read-only.

    Raises:
        BundleError: The file is missing or damaged.
    """
    try:
        raw = np.memmap(path, np.uint8, mode="r")
        size = int.from_bytes(raw[:8].tobytes(), "little")
        header = json.loads(raw[8 : 8 + size].tobytes())
        header.pop("__metadata__", None)
        content = raw[8 + size :]
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, entry in header.items():
            low, high = entry["data_offsets"]
            dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
            arrays[name] = np.frombuffer(content[low:high], dtype).reshape(shape)
        return arrays
    except _DAMAGE as problem:
        raise BundleError(f"cannot read {path.name}: {problem}", hint="fit again") from problem


def write_strings(path: Path, words: Sequence[str]) -> None:
    """Write a list of strings as JSON.

    Args:
        path: The file.
        words: The strings.
    """
    path.write_text(json.dumps(list(words), ensure_ascii=False), encoding="utf-8")


def read_strings(path: Path) -> list[str]:
    """Read a list of strings.

    Args:
        path: The file.

    Raises:
        BundleError: The file is missing or damaged.
    """
    try:
        return [str(word) for word in json.loads(path.read_text(encoding="utf-8"))]
    except _DAMAGE as problem:
        raise BundleError(f"cannot read {path.name}: {problem}", hint="fit again") from problem
