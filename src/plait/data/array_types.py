"""Aliases for the array types that Plait uses, and the sentinel for a missing index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "ABSENT",
    "BoolArray",
    "Float32Array",
    "Float64Array",
    "Int16Array",
    "Int32Array",
    "Int64Array",
    "ObjectArray",
    "UInt8Array",
    "UInt32Array",
    "UInt64Array",
]

Int16Array = npt.NDArray[np.int16]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
UInt8Array = npt.NDArray[np.uint8]
UInt32Array = npt.NDArray[np.uint32]
UInt64Array = npt.NDArray[np.uint64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
ObjectArray = npt.NDArray[np.object_]

ABSENT = -1
"""The index of no item and no user: pads candidate lists, stands for an unknown user."""
