"""What this user comes back to: personal frequency, recent baskets first.

The personal part of TIFU-KNN (Hu et al., SIGIR 2020): a basket counts `decay` to the power of the
baskets since. It needs no fit and therefore knows every event the moment it is folded in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.core.dense import DenseStage
from plait.core.types import ABSENT, Floats, Numbers, Queries
from plait.models.bag import decayed

__all__ = ["Repeat", "RepeatConfig"]


@dataclass(frozen=True, slots=True)
class RepeatConfig:
    """What `repeat` can be told."""

    decay: float = 0.9
    """What a basket counts against the one after it."""
    longest: int = 100
    """How many baskets back are read; 0: all."""


class Repeat(DenseStage):
    """Scores the items of the user's own history, NaN for all others."""

    Config = RepeatConfig
    above = 0.0

    def dense(self, queries: Queries) -> Floats:
        """float32 [B, n]: the decayed frequency."""
        items = queries.history.items
        width = int(items.max(initial=-1)) + 1
        often = decayed(queries.history, self.config.decay, width, self.config.longest).toarray()
        return np.where(often > 0, often, np.nan).astype(np.float32)

    def because(self, queries: Queries, numbers: Numbers) -> Numbers:
        """The item itself where the user took it before."""
        rows = np.repeat(np.arange(len(numbers))[:, None], numbers.shape[1], axis=1)
        width = max(int(numbers.max(initial=0)), int(queries.history.items.max(initial=0))) + 1
        own = np.zeros((len(numbers), width), np.bool_)
        own[queries.history.rows, queries.history.items] = True
        there = (numbers >= 0) & own[rows, np.maximum(numbers, 0)]
        return np.where(there, numbers, ABSENT).astype(np.int32)
