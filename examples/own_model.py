"""A model in one file: recommends what is popular on the query's day of the week.

A recipe names it by the path of its class::

    [models.weekday]
    stage = "own_model:Weekday"
    smoothing = 5.0
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.types import Dataset, Float32Array, QueryBatch
from plait.pipeline.full_catalogue_scorer import DenseScorer

__all__ = ["Weekday", "WeekdayConfig"]

MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class WeekdayConfig:
    """Settings of `Weekday`."""

    smoothing: float = 2.0
    """How many interactions of an average day are added to the counts of each day."""


class Weekday(DenseScorer[WeekdayConfig]):
    """Scores an item by its share of the interactions on the query's day of the week."""

    Config = WeekdayConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_shares": Float32Array}

    def __init__(self, config: WeekdayConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._shares: Float32Array = np.zeros((7, 0), np.float32)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Count interactions by day and item; without times all days are the same."""
        fitted = self.clone()
        events = dataset.interactions
        has_times = dataset.clock == "time"
        days = (
            events.times // MICROSECONDS_PER_DAY % 7 if has_times else np.zeros_like(events.times)
        )
        counts = np.zeros((7, dataset.n_items))
        np.add.at(counts, (days, events.items), events.weights)
        mean_share = counts.sum(axis=0) / max(counts.sum(), 1)
        smoothed = (counts + self.config.smoothing * mean_share) / (
            counts.sum(axis=1, keepdims=True) + max(self.config.smoothing, 1e-9)
        )
        fitted._shares = np.where(mean_share > 0, smoothed, np.nan).astype(np.float32)
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]; NaN for items without interactions."""
        days: Any = queries.times // MICROSECONDS_PER_DAY % 7
        shares: Float32Array = self._shares[days]
        return shares
