"""Hierarchical sequential transduction units (Zhai et al., ICML 2024)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.layers import Dropout, RelativeBias

__all__ = ["HSTU"]


class HSTU(nn.Module):
    """Layers of pointwise gated attention, without softmax, so that sums keep the event count.

    Args:
        dim: The size of a vector.
        num_layers: The number of layers.
        num_heads: Heads of attention; they divide `dim`.
        max_length: The longest history.
        dropout: The dropout of every layer.
        timed: Whether events have times.
    """

    def __init__(
        self,
        dim: int,
        num_layers: int,
        num_heads: int,
        max_length: int,
        dropout: float,
        *,
        timed: bool,
    ) -> None:
        super().__init__()
        self.bias = RelativeBias(num_layers, num_heads, max_length, timed=timed, causal=True)
        self.layers = nn.ModuleList(
            [_Layer(dim, num_heads, max_length, dropout) for _ in range(num_layers)]
        )

    def forward(self, states: Tensor, mask: Tensor, seconds: Tensor | None) -> Tensor:
        """Compute the states of all positions.

        Args:
            states: float32 [B, L, D], item vectors.
            mask: bool [B, L], where events are.
            seconds: int64 [B, L], the times of events.

        Returns:
            float32 [B, L, D].
        """
        biases = self.bias(mask, seconds, masked_value=0.0)
        masked = self.bias(mask, None, masked_value=-1e9)[0] < -1e8
        for layer, bias in zip(self.layers, biases, strict=True):
            states = layer(states, bias, masked)
        return states


class _Layer(nn.Module):
    def __init__(self, dim: int, num_heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self._num_heads, self._max_length = num_heads, max_length
        self.norm1 = nn.LayerNorm(dim)
        self.in_proj = nn.Linear(dim, 4 * dim)
        self.norm2 = nn.LayerNorm(dim)
        self.out_proj = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor, masked: Tensor) -> Tensor:
        batch, length, dim = states.shape
        projections = functional.silu(self.in_proj(self.norm1(states))).chunk(4, dim=-1)
        gate = projections[0]
        value, query, key = (
            projection.view(batch, length, self._num_heads, -1).transpose(1, 2)
            for projection in projections[1:]
        )
        weights = functional.silu(query @ key.transpose(2, 3) + bias) / self._max_length
        attended = weights.masked_fill(masked, 0.0) @ value
        gated = self.norm2(attended.transpose(1, 2).reshape(batch, length, dim)) * gate
        outputs: Tensor = states + self.out_proj(self.dropout(gated))
        return outputs
