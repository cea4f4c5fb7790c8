"""Samples negative items for a loss."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Negatives", "unseen_items"]

_MAX_DRAWS = 20
"""How often an item that the history holds is replaced by another draw."""


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


def unseen_items(rows: Tensor, count: int) -> Tensor:
    """Draw one item for each position but the first of each row, uniformly from those not in it.

    Args:
        rows: int64 [B, L], the items of histories as rows of a table from 1 on; 0 is padding.
        count: How many items there are.

    Returns:
        int64 [B, L - 1], rows of the table from 1 on. Where a history holds nearly all items, one
        of its own may be among them.
    """
    shape = (len(rows), max(rows.shape[1] - 1, 0))
    drawn = torch.randint(1, count + 1, shape, device=rows.device)
    for _ in range(_MAX_DRAWS):
        is_seen = (drawn[:, :, None] == rows[:, None, :]).any(dim=2)
        if not is_seen.any():
            break
        drawn = torch.where(is_seen, torch.randint_like(drawn, 1, count + 1), drawn)
    return drawn
