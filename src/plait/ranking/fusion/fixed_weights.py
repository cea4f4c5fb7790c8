"""Fusion weights by length of history that stand in a recipe, in place of learned ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from plait.errors import InputError
from plait.pipeline.config_validation import Limit, bounded_field

if TYPE_CHECKING:
    from plait.ranking.fusion.band_weights import FusionWeights

__all__ = ["FixedWeights", "check_fixed_weights", "weights_by_band"]


@dataclass(frozen=True, slots=True)
class FixedWeights:
    """Weights by length of history that stand in a recipe, such as those of `plait.fuse`."""

    history_from: tuple[int, ...] = bounded_field((0,), Limit(least=0))
    """The length of a history at which each band begins, ascending from 0."""
    weights: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By model its weight in each band; models that are not named have none. Empty: weights are
    learned."""
    margin: float = 0.0
    """Standard deviations below the mean that stand in for a missing score of kind "learned"."""


def check_fixed_weights(fixed: FixedWeights, where: str) -> None:
    """Check that bands ascend and that each model has a weight for each of them.

    Args:
        fixed: The weights.
        where: What stands before the setting in messages.

    Raises:
        InputError: If they do not.
    """
    starts = fixed.history_from
    if starts[:1] != (0,) or sorted(set(starts)) != list(starts):
        message = f"{where}.history_from is {list(starts)}, expected 0 and then larger numbers"
        raise InputError(message, field=f"{where}.history_from")
    for model, weights in fixed.weights.items():
        if len(weights) != len(starts):
            field_name = f"{where}.weights.{model}"
            message = f"{field_name} has {len(weights)} weights for {len(starts)} bands"
            raise InputError(message, hint="one for each of history_from", field=field_name)


def weights_by_band(fixed: FixedWeights) -> FusionWeights | None:
    """Return fixed weights in the form of learned ones; None if they are to be learned.

    Args:
        fixed: The weights.
    """
    from plait.ranking.fusion.band_weights import FusionWeights

    if not fixed.weights:
        return None
    return FusionWeights(
        tuple(fixed.weights),
        np.array(fixed.history_from, np.int64),
        np.array(list(fixed.weights.values()), np.float32).T,
        np.zeros(len(fixed.history_from), np.int64),
        fixed.margin,
        idle=0.0,
    )
