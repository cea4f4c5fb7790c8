"""Hierarchical sequential transduction units (Zhai et al., ICML 2024)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.layers import Dropout, RelativeBias

__all__ = ["HSTU"]


class HSTU(nn.Module):
    """Layers of pointwise gated attention: no softmax, so that how much was done is not lost."""

    def __init__(
        self, dim: int, blocks: int, heads: int, longest: int, dropout: float, *, timed: bool
    ) -> None:
        super().__init__()
        self.bias = RelativeBias(blocks, heads, longest, timed=timed, causal=True)
        self.blocks = nn.ModuleList([_Unit(dim, heads, longest, dropout) for _ in range(blocks)])

    def forward(self, states: Tensor, there: Tensor, seconds: Tensor | None) -> Tensor:
        """[B, L, D] from [B, L, D], `there` bool [B, L] and seconds [B, L]."""
        biases = self.bias(there, seconds, barred=0.0)
        barred = self.bias(there, None, barred=-1e9)[0] < -1e8
        for block, bias in zip(self.blocks, biases, strict=True):
            states = block(states, bias, barred)
        return states


class _Unit(nn.Module):
    def __init__(self, dim: int, heads: int, longest: int, dropout: float) -> None:
        super().__init__()
        self._heads, self._longest = heads, longest
        self.before = nn.LayerNorm(dim)
        self.inside = nn.Linear(dim, 4 * dim)
        self.between = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor, barred: Tensor) -> Tensor:
        """[B, L, D] to [B, L, D]."""
        batch, length, dim = states.shape
        parts = functional.silu(self.inside(self.before(states)))
        gate, *others = parts.chunk(4, dim=-1)
        value, query, key = (
            one.view(batch, length, self._heads, dim // self._heads).transpose(1, 2)
            for one in others
        )
        weights = functional.silu(query @ key.transpose(2, 3) + bias) / self._longest
        seen = weights.masked_fill(barred, 0.0) @ value
        mixed = self.between(seen.transpose(1, 2).reshape(batch, length, dim)) * gate
        found: Tensor = states + self.out(self.dropout(mixed))
        return found
