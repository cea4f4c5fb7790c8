"""Softmax cross-entropy over all items without the matrix of all logits.

Loss and gradients are computed together, a few rows at a time: the whole matrix [P, N] would need
by far the most memory, and passing over it the most time (the idea of Cut Your Losses, Wijmans et
al., ICLR 2025). What is common to a row is divided out of its small factors and not out of the
large matrix, and while no logit can be large the maximum is not subtracted before the exponential:
that saves two of four passes over that matrix.
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
    """Compute the mean cross-entropy of states against all items.

    Args:
        states: float [P, D].
        table: float [N, D], the vectors of all items.
        targets: int64 [P], the target items.
        smoothing: The share of the target spread over all items (label smoothing, Szegedy et al.,
            CVPR 2016).
        half: Whether products are computed in bfloat16.
    """
    loss: Tensor = _Softmax.apply(states, table, targets, smoothing, half)  # type: ignore[no-untyped-call]
    return loss


class _Softmax(torch.autograd.Function):
    """Computes the gradients of the mean in the forward pass, scales them in the backward one."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, table: Tensor, targets: Tensor, smoothing: float, half: bool
    ) -> Tensor:
        dtype = torch.bfloat16 if half else states.dtype
        rows, columns = states.to(dtype), table.detach().to(dtype)
        log_sums, states_grad, table_grad = _log_sums(rows, columns, states.dtype)
        positives = table.detach()[targets]
        mean = table.detach().mean(0)
        smoothed = (1 - smoothing) * positives + smoothing * mean
        loss = log_sums - (states * smoothed).sum(1)
        states_grad -= smoothed
        table_grad.index_add_(0, targets, states.detach() * (smoothing - 1))
        table_grad -= states.detach().sum(0) * (smoothing / len(table))
        ctx.save_for_backward(states_grad, table_grad)
        return loss.mean() if len(states) else loss.sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        states_grad, table_grad = ctx.saved_tensors
        scale = gradients[0] / max(len(states_grad), 1)
        return states_grad * scale, table_grad * scale, None, None, None


def _log_sums(rows: Tensor, columns: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of the sums of exponentials [P]; gradients of their total [P, D] and [N, D]."""
    block_size = max(_CELLS // len(columns), 1)
    log_sums = torch.empty(len(rows), dtype=dtype, device=rows.device)
    rows_grad = torch.empty(rows.shape, dtype=dtype, device=rows.device)
    columns_grad = torch.zeros(columns.shape, dtype=dtype, device=rows.device)
    is_small = _largest_norm(rows) * _largest_norm(columns) < _SAFE
    for low in range(0, len(rows), block_size):
        block = slice(low, low + block_size)
        exponentials = rows[block] @ columns.T
        top = exponentials.new_zeros(()) if is_small else exponentials.amax(1, keepdim=True)
        exponentials = exponentials.exp_() if is_small else exponentials.sub_(top).exp_()
        sums = exponentials.sum(1, keepdim=True, dtype=dtype)
        log_sums[block] = (sums.log() + top)[:, 0]
        rows_grad[block] = (exponentials @ columns) / sums
        columns_grad += exponentials.T @ (rows[block] / sums).to(rows.dtype)
    return log_sums, rows_grad, columns_grad


def _largest_norm(vectors: Tensor) -> float:
    """The norm of the longest of `vectors` [N, D]; 0 for no vectors."""
    return float(torch.linalg.vector_norm(vectors.float(), dim=1).max()) if len(vectors) else 0.0
