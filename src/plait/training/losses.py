"""Training losses. Each is a mean over its rows, a scalar.

`states` float [P, D] are the vectors of P queries, `table` float [N, D] the vectors of N items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from plait.training.softmax_loss import full_softmax

__all__ = ["bce_loss", "contrastive", "full_softmax", "sampled_softmax"]


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
