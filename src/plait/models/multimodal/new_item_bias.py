"""How much a new item's logit is raised, so that new and known items share one ranking.

The vector of a new item is made of its content alone: its logits are on another level than those of
items whose ids were trained. One number is learned on held-out events: with it new items get as
much probability as they have events, which is where the likelihood of these events is highest.
"""

from __future__ import annotations

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int64Array

__all__ = ["new_item_bias"]

_BOUND = 20.0
"""The largest bias, either way."""

_STEPS = 50
"""Halvings of the interval in which the bias lies."""


def new_item_bias(
    states: Float32Array, table: Float32Array, new: BoolArray, targets: Int64Array
) -> float:
    """Return the bias at which new items are as probable, on average, as they are targets.

    Args:
        states: float32 [H, D], the states after held-out histories.
        table: float32 [N, D], the vectors of all items; those of new items are of content alone.
        new: bool [N], the new items.
        targets: int64 [H], the item that followed each history.

    Returns:
        What is to be added to the logits of new items, -20 to 20; 0 if no item is new, if all are,
        or if no target is new or all are.
    """
    share = float(new[targets].mean()) if len(targets) else 0.0
    if not 0 < share < 1:
        return 0.0
    margins = _log_sums(states, table[new]) - _log_sums(states, table[~new])
    low, high = -_BOUND, _BOUND
    for _ in range(_STEPS):
        middle = (low + high) / 2
        probability = float((1 / (1 + np.exp(-(margins + middle)))).mean())
        low, high = (low, middle) if probability > share else (middle, high)
    return (low + high) / 2


def _log_sums(states: Float32Array, table: Float32Array) -> Float64Array:
    """float64 [H]: the logarithm of the sum of the exponentials of all logits."""
    logits = states @ table.T
    top = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - top).sum(axis=1, dtype=np.float64)
    log_sums: Float64Array = np.log(sums) + top[:, 0]
    return log_sums
