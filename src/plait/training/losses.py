"""Training losses. Each is a mean over its rows, a scalar.

`states` float [P, D] are the vectors of P queries, `table` float [N, D] the vectors of N items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from plait.training.softmax_loss import full_softmax

__all__ = [
    "Negatives",
    "bce_loss",
    "contrastive",
    "full_softmax",
    "masked_items",
    "sampled_softmax",
]


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


def sampled_softmax(
    states: Tensor,
    positives: Tensor,
    table: Tensor,
    targets: Tensor,
    drawn: Tensor,
    log_expected: Tensor,
) -> Tensor:
    """Compute softmax cross-entropy over the target and shared negatives.

    Sampled softmax (Bengio & Senécal, 2008): the logit of a negative is corrected by how often it
    is expected, so that the sum is an unbiased estimate of the sum over all items. A negative that
    is the target itself is left out.

    Args:
        states: float [P, D].
        positives: float [P, D], the vectors of the targets.
        table: float [M, D], the vectors of the negatives.
        targets: int64 [P], the target items.
        drawn: int64 [M], the negative items.
        log_expected: float [M], the log of how often each is expected.
    """
    positive_logits = (states * positives).sum(1, keepdim=True)
    negative_logits = states @ table.T - log_expected
    negative_logits = negative_logits.masked_fill(drawn == targets[:, None], -torch.inf)
    return functional.cross_entropy(
        torch.cat([positive_logits, negative_logits], 1),
        torch.zeros_like(targets),
        reduction="mean",
    )


def bce_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Compute the mean binary cross-entropy.

    Args:
        logits: float, of any shape.
        labels: 0 or 1, of the same shape.
    """
    return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def masked_items(
    items: Tensor, share: float, mask: int, padding: int, last: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Mask items that the model must predict (BERT4Rec, Sun et al., CIKM 2019).

    At least one item is masked in each row that has any.

    Args:
        items: int64 [B, L], padded at the end.
        share: The share of items that is masked.
        mask: The row that replaces a masked item.
        padding: The row that stands for no item.
        last: In this share of the rows only the last item is masked, as at inference.

    Returns:
        int64 [B, L] items as the model sees them, and bool [B, L], where they are masked.
    """
    present = items != padding
    draws = torch.rand(items.shape, device=items.device).masked_fill(~present, 2.0)
    masked = draws < share
    smallest = functional.one_hot(draws.argmin(1), items.shape[1]).bool()
    masked = masked | (smallest & ~masked.any(1, keepdim=True) & present)
    if last:
        ends = functional.one_hot((present.sum(1) - 1).clamp(min=0), items.shape[1]).bool()
        only_last = torch.rand(len(items), 1, device=items.device) < last
        masked = torch.where(only_last, ends & present, masked)
    return items.masked_fill(masked, mask), masked


def contrastive(left: Tensor, right: Tensor, temperature: float = 0.1) -> Tensor:
    """Compute InfoNCE (van den Oord et al., 2018) in both directions.

    Args:
        left: float [B, D].
        right: float [B, D]; row i belongs to row i of `left`.
        temperature: Cosines are divided by it.
    """
    left, right = functional.normalize(left, dim=1), functional.normalize(right, dim=1)
    logits = left @ right.T / temperature
    labels = torch.arange(len(logits), device=logits.device)
    return (
        functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)
    ) / 2
