"""Softmax over all items without the matrix of all logits.

Loss and gradients are computed together, a few rows of questions at a time: the whole matrix [P, N]
would be the largest thing in memory by far, and passing over it the slowest (the idea of Cut Your
Losses, Wijmans et al., ICLR 2025). What is common to a row is divided out of its small factors and
not out of the large matrix, and while no logit can be large, none is made smaller before the
exponential: two passes over that matrix less, of four.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["full_softmax"]

_CELLS = 1 << 21
"""Logits computed at a time: they stay in the cache of the processor, or near it."""


_SAFE = 60.0
"""Exponentials of logits up to this are finite, and so are their sums."""


def full_softmax(
    states: Tensor, table: Tensor, targets: Tensor, *, smoothing: float = 0.0, half: bool = False
) -> Tensor:
    """Mean cross-entropy of `states` [P, D] against all items of `table` [N, D]; `targets` [P].

    `smoothing` spreads that share of the target over all items (Szegedy et al., CVPR 2016). `half`
    takes the products in bfloat16.
    """
    found: Tensor = _Softmax.apply(states, table, targets, smoothing, half)  # type: ignore[no-untyped-call]
    return found


class _Softmax(torch.autograd.Function):
    """The gradients of the mean are made on the way forward and scaled on the way back."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, smoothing: float, half: bool
    ) -> Tensor:
        kind = torch.bfloat16 if half else states.dtype
        rows, columns = states.to(kind), table.detach().to(kind)
        sums, to_states, to_table = _over_all(rows, columns, states.dtype)
        right = table.detach()[targets]
        mean = table.detach().mean(0)
        wanted = (1 - smoothing) * right + smoothing * mean
        loss = sums - (states * wanted).sum(1)
        to_states -= wanted
        to_table.index_add_(0, targets, states.detach() * (smoothing - 1))
        to_table -= states.detach().sum(0) * (smoothing / len(table))
        ctx.save_for_backward(to_states, to_table)
        return loss.mean() if len(states) else loss.sum()

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        to_states, to_table = ctx.saved_tensors
        slope = slopes[0] / max(len(to_states), 1)
        return to_states * slope, to_table * slope, None, None, None


def _over_all(rows: Tensor, columns: Tensor, kind: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of the sums [P], and the slopes of their total: [P, D] and [N, D]."""
    size = max(_CELLS // len(columns), 1)
    sums = torch.empty(len(rows), dtype=kind, device=rows.device)
    to_rows = torch.empty(rows.shape, dtype=kind, device=rows.device)
    to_columns = torch.zeros(columns.shape, dtype=kind, device=rows.device)
    small = _largest(rows) * _largest(columns) < _SAFE
    for low in range(0, len(rows), size):
        part = slice(low, low + size)
        mine = rows[part]
        powers = mine @ columns.T
        top = powers.new_zeros(()) if small else powers.amax(1, keepdim=True)
        powers = powers.exp_() if small else powers.sub_(top).exp_()
        whole = powers.sum(1, keepdim=True, dtype=kind)
        sums[part] = (whole.log() + top)[:, 0]
        to_rows[part] = (powers @ columns) / whole
        to_columns += powers.T @ (mine / whole).to(mine.dtype)
    return sums, to_rows, to_columns


def _largest(vectors: Tensor) -> float:
    """The length of the longest of `vectors` [N, D]; 0 where there are none."""
    return float(torch.linalg.vector_norm(vectors.float(), dim=1).max()) if len(vectors) else 0.0
