"""Samples negative items for a loss."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Negatives"]


class Negatives:
    """A sampler of negative items, shared by all rows of a batch.

    Args:
        weights: float [N], how often each item occurs; items of weight 0 are never drawn.
        power: Items are drawn by their weight to this power; 0 is uniform.
    """

    def __init__(self, weights: Tensor, power: float = 0.0) -> None:
        unnormalized = torch.where(weights > 0, weights.double() ** power, 0.0)
        chances = unnormalized / unnormalized.sum()
        self._edges = torch.cumsum(chances, 0)
        self._log_chances = torch.log(chances).float()

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw items with replacement.

        Args:
            count: How many.

        Returns:
            int64 [count] items, and float32 [count], the log of how often each is expected among
            them.
        """
        device = self._edges.device
        points = torch.rand(count, dtype=torch.float64, device=device) * self._edges[-1]
        items = torch.searchsorted(self._edges, points, right=True)
        items = items.clamp(max=len(self._edges) - 1)
        return items, self._log_chances[items] + torch.log(torch.tensor(float(count)))
