"""The settings of `sequence` that follow the data where a recipe leaves them out.

Three figures of the training data decide: how long histories are, how many events an item has, and
how many items there are. Long histories pay for depth, and items with many events need little
dropout; short histories of rare items are learned by heart at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from plait.data.array_types import Int64Array
from plait.models.sequential.sequential_recommender import (
    DEFAULT_DIM,
    NetworkShape,
    SequenceConfig,
)

__all__ = ["HistoryStatistics", "loss_for", "shape_for"]

_MIN_LENGTH, _MAX_LENGTH = 50, 200
"""Bounds of the events that are read."""

_RARE, _FREQUENT = 20.0, 200.0
"""Events of an item up to which dropout is largest, and from which on it is smallest."""

_LARGEST_DROPOUT, _SMALLEST_DROPOUT = 0.5, 0.2

_MAX_SOFTMAX_ITEMS = 50_000
"""With more items a softmax over all of them takes longer than its gain in quality justifies."""


@dataclass(frozen=True, slots=True)
class HistoryStatistics:
    """What the rule reads from the training data.

    Attributes:
        events_per_item: How many events an item has on average.
        long_history: How many events nine of ten histories do not exceed.
    """

    events_per_item: float
    long_history: int

    @staticmethod
    def of(lengths: Int64Array, n_items: int) -> HistoryStatistics:
        """Compute the statistics of histories.

        Args:
            lengths: int64 [B], the events of each history, at least one history.
            n_items: Items with an event.
        """
        per_item = float(lengths.sum()) / max(n_items, 1)
        return HistoryStatistics(per_item, math.ceil(np.quantile(lengths, 0.9)))


def shape_for(
    config: SequenceConfig,
    statistics: HistoryStatistics,
    *,
    timed: bool,
    earlier: NetworkShape | None = None,
) -> NetworkShape:
    """Return the network of a fit: what the recipe names, and for the rest what the data suggest.

    Args:
        config: The settings of the recipe.
        statistics: The training data.
        timed: Whether events have times.
        earlier: The network of an earlier fit of the same stage, whose size is retained.
    """
    suggested = _suggested(config, statistics)
    if earlier is not None:
        suggested |= {name: getattr(earlier, name) for name in suggested}
    named = {name: getattr(config, name) for name in suggested}
    return NetworkShape(
        **(suggested | {name: value for name, value in named.items() if value is not None}),
        network=config.network,
        num_heads=config.num_heads,
        # A masked position has no time at inference, so a masked network must not learn from times.
        timed=timed and config.network != "bert4rec",
        mask_probability=config.mask_probability,
        local_width=config.local_width,
    )


def loss_for(config: SequenceConfig, n_items: int) -> Literal["softmax", "sampled", "bce"]:
    """Return the loss of a fit.

    Args:
        config: The settings of the recipe.
        n_items: Items with an event.
    """
    if config.loss != "auto":
        return config.loss
    return "sampled" if n_items > _MAX_SOFTMAX_ITEMS else "softmax"


def _suggested(config: SequenceConfig, statistics: HistoryStatistics) -> dict[str, Any]:
    """The settings that the data suggest, by name."""
    length = -(-statistics.long_history // _MIN_LENGTH) * _MIN_LENGTH
    is_long = statistics.long_history > _MIN_LENGTH
    share = math.log(statistics.events_per_item / _RARE) / math.log(_FREQUENT / _RARE)
    dropout = float(np.interp(share, (0, 1), (_LARGEST_DROPOUT, _SMALLEST_DROPOUT)))
    return {
        "embedding_dim": DEFAULT_DIM,
        "num_layers": 2 if is_long else 1,
        "local_branch": "convolution" if is_long and config.network == "sasrec" else "none",
        "max_length": min(max(length, _MIN_LENGTH), _MAX_LENGTH),
        "dropout": round(dropout, 2),
    }
