"""What a model is asked to make small. Each is a mean over its rows, a scalar.

`states` float [P, D] are what stands for P questions, `table` float [N, D] for N items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from plait.training.softmax_loss import full_softmax

__all__ = [
    "Negatives",
    "bce_loss",
    "bpr_loss",
    "contrastive",
    "full_softmax",
    "masked_items",
    "mse_loss",
    "sampled_softmax",
]


class Negatives:
    """Draws items that nobody asked for, shared by a whole batch.

    By popularity to a power: `power` 0 is uniform, 1 as often as they are taken. `weights` float
    [N], how often each item is taken; those of 0 are never drawn.
    """

    def __init__(self, weights: Tensor, power: float = 0.0) -> None:
        chances = torch.where(weights > 0, weights.double() ** power, 0.0)
        self._edges = torch.cumsum(chances / chances.sum(), 0)
        self._log = torch.log(chances / chances.sum()).float()

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` items, drawn with replacement, and the log of how often each is expected."""
        device = self._edges.device
        points = torch.rand(count, dtype=torch.float64, device=device) * self._edges[-1]
        found = torch.searchsorted(self._edges, points, right=True)
        found = found.clamp(max=len(self._edges) - 1)
        return found, self._log[found] + torch.log(torch.tensor(float(count)))


def sampled_softmax(
    states: Tensor,
    wanted: Tensor,
    table: Tensor,
    targets: Tensor,
    drawn: Tensor,
    log_expected: Tensor,
) -> Tensor:
    """Softmax over the target and shared negatives (Bengio & Senécal, 2008).

    `wanted` [P, D] are the vectors of the `targets` [P], `table` [M, D] those of the `drawn` [M].
    Each negative stands for as many as it was expected less often, so that the sum estimates that
    over all items without bias; one that is the target itself does not count.
    """
    right = (states * wanted).sum(1, keepdim=True)
    wrong = states @ table.T - log_expected
    wrong = wrong.masked_fill(drawn == targets[:, None], -torch.inf)
    return functional.cross_entropy(
        torch.cat([right, wrong], 1), torch.zeros_like(targets), reduction="mean"
    )


def bpr_loss(right: Tensor, wrong: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al., UAI 2009): scores [P] and [P] or [P, M]."""
    gap = (right[:, None] if wrong.dim() > right.dim() else right) - wrong
    return -functional.logsigmoid(gap).mean()


def bce_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of logits and labels 0 or 1, both of one shape."""
    return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def mse_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error."""
    return functional.mse_loss(predicted, wanted)


def masked_items(
    items: Tensor, share: float, mask: int, padding: int, last: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Hide some of `items` int64 [B, L] behind the row `mask` (BERT4Rec, Sun et al., CIKM 2019).

    Returns the items as the model sees them, and bool [B, L] where it must find what was there: a
    `share` of the items and at least one of each row that has any. In a share `last` of the rows
    only the last item is hidden, as it is when the model is asked; padding lies behind.
    """
    there = items != padding
    luck = torch.rand(items.shape, device=items.device).masked_fill(~there, 2.0)
    hidden = luck < share
    first = functional.one_hot(luck.argmin(1), items.shape[1]).bool()
    hidden = hidden | (first & ~hidden.any(1, keepdim=True) & there)
    if last:
        ends = functional.one_hot((there.sum(1) - 1).clamp(min=0), items.shape[1]).bool()
        asked = torch.rand(len(items), 1, device=items.device) < last
        hidden = torch.where(asked, ends & there, hidden)
    return items.masked_fill(hidden, mask), hidden


def contrastive(one: Tensor, other: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE (van den Oord et al., 2018), both ways: rows i of both belong together."""
    left, right = functional.normalize(one, dim=1), functional.normalize(other, dim=1)
    like = left @ right.T / temperature
    same = torch.arange(len(like), device=like.device)
    return (functional.cross_entropy(like, same) + functional.cross_entropy(like.T, same)) / 2
