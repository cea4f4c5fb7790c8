"""A strand of your own in one file: what is taken on this day of the week.

Put it into a recipe under the path of its class::

    [models.weekday]
    stage = "own_model:Weekday"
    smooth = 5.0
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from plait.data.types import Dataset, Float32Array, QueryBatch
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.dense import DenseScorer

__all__ = ["Weekday", "WeekdayConfig"]

DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class WeekdayConfig:
    """What `weekday` can be told."""

    smooth: float = 2.0
    """How many interactions of an average day are mixed into each day's counts."""


class Weekday(DenseScorer):
    """Scores an item by its share of what is taken on the day of the week of the question."""

    Config = WeekdayConfig

    def __init__(self, config: Any = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._shares: Float32Array = np.zeros((7, 0), np.float32)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Count by day and item; without times every day is the same."""
        fitted = type(self)(self.config, name=self.name)
        found = dataset.interactions
        days = found.times // DAY % 7 if dataset.clock == "time" else np.zeros_like(found.times)
        counts = np.zeros((7, dataset.n_items))
        np.add.at(counts, (days, found.items), found.weights)
        mean = counts.sum(axis=0) / max(counts.sum(), 1)
        mixed = (counts + self.config.smooth * mean) / (
            counts.sum(axis=1, keepdims=True) + max(self.config.smooth, 1e-9)
        )
        fitted._shares = np.where(mean > 0, mixed, np.nan).astype(np.float32)
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]; NaN for what nobody ever took."""
        days: Any = queries.times // DAY % 7
        shares: Float32Array = self._shares[days]
        return shares

    def save(self, folder: Path) -> None:
        """Write the table."""
        write_arrays(folder / "shares.safetensors", {"shares": self._shares})

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map the table."""
        loaded = cls(config, name=name)
        loaded._shares = read_arrays(folder / "shares.safetensors")["shares"]
        return loaded
