"""Array types, and the number of nobody."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ABSENT", "Bools", "Floats", "Longs", "Numbers"]

Numbers = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

ABSENT = -1
"""The number of nobody and nothing: pads candidate lists, stands for an unknown user."""
