"""Transformers over histories: causal (SASRec) and masked (BERT4Rec).

Both with pre-norm and gated residuals (LiGR, Borisyuk et al., 2024; eSASRec, RecSys 2025), which
stay stable where plain post-norm layers collapse at eight blocks.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from plait.models.networks.parts import Dense, Dropout, RelativeBias

__all__ = ["Transformer"]


class Transformer(nn.Module):
    """`blocks` layers of attention and feed-forward over [B, L, D]."""

    def __init__(
        self,
        dim: int,
        blocks: int,
        heads: int,
        longest: int,
        dropout: float,
        *,
        timed: bool,
        causal: bool,
    ) -> None:
        super().__init__()
        self.bias = RelativeBias(heads, longest, timed=timed, causal=causal)
        self.blocks = nn.ModuleList([_Block(dim, heads, dropout) for _ in range(blocks)])

    def forward(self, states: Tensor, there: Tensor, seconds: Tensor | None) -> Tensor:
        """[B, L, D] from [B, L, D], `there` bool [B, L] and seconds [B, L]."""
        bias = self.bias(there, seconds, barred=-1e9)
        for block in self.blocks:
            states = block(states, bias)
        return states


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self.before = nn.LayerNorm(dim)
        self.asks = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim, dim)
        self.between = nn.LayerNorm(dim)
        self.dense = Dense(dim, 2 * dim, dropout)
        self.dense_gate = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """[B, L, D] to [B, L, D]."""
        normed = self.before(states)
        seen = self.dropout(self._attended(normed, bias))
        states = states + self.gate(normed).sigmoid() * seen
        normed = self.between(states)
        thought = self.dropout(self.dense(normed))
        found: Tensor = states + self.dense_gate(normed).sigmoid() * thought
        return found

    def _attended(self, states: Tensor, bias: Tensor) -> Tensor:
        batch, length, dim = states.shape
        parts = self.asks(states).view(batch, length, 3, self._heads, dim // self._heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed: Tensor = self.out(found.transpose(1, 2).reshape(batch, length, dim))
        return mixed
