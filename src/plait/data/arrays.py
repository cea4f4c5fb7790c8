"""Array types, and the number of nobody."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ABSENT", "BoolArray", "Float32Array", "Int32Array", "Int64Array"]

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

ABSENT = -1
"""The number of nobody and nothing: pads candidate lists, stands for an unknown user."""
