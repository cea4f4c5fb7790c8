"""Transformers over histories: causal (SASRec) and masked (BERT4Rec).

Both with pre-norm and gated residuals (LiGR, Borisyuk et al., 2024; eSASRec, RecSys 2025), which
stay stable where plain post-norm layers collapse at eight blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.layers import Dropout, RelativeBias, SwiGLU

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
        self.bias = RelativeBias(blocks, heads, longest, timed=timed, causal=causal)
        self.blocks = nn.ModuleList([_Block(dim, heads, dropout) for _ in range(blocks)])

    def forward(self, states: Tensor, there: Tensor, seconds: Tensor | None) -> Tensor:
        """[B, L, D] from [B, L, D], `there` bool [B, L] and seconds [B, L]."""
        biases = self.bias(there, seconds, barred=-1e9)
        for block, bias in zip(self.blocks, biases, strict=True):
            states = block(states, bias)
        return states

    def last_state(
        self, states: Tensor, there: Tensor, seconds: Tensor | None, last: Tensor
    ) -> Tensor:
        """[B, D]: what `forward` has at the places `last` int64 [B].

        The last block is asked there alone: that is most of the work of a short network.
        """
        *before, end = zip(self.blocks, self.bias(there, seconds, barred=-1e9), strict=True)
        for block, bias in before:
            states = block(states, bias)
        block, bias = end
        found: Tensor = block(states, bias, last)
        return found[:, 0]


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self.before = nn.LayerNorm(dim)
        self.asks = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim, dim)
        self.between = nn.LayerNorm(dim)
        self.dense = SwiGLU(dim, 2 * dim, dropout)
        self.dense_gate = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor, at: Tensor | None = None) -> Tensor:
        """[B, L, D] to [B, L, D], or at the places `at` int64 [B] alone, [B, 1, D]."""
        normed = self.before(states)
        asking = normed
        if at is not None:
            row = torch.arange(len(states), device=states.device)
            states, asking = states[row, at, None], normed[row, at, None]
            shared = len(bias) == 1
            bias = (bias[0, :, at].transpose(0, 1) if shared else bias[row, :, at])[:, :, None]
        seen = self.dropout(self._attended(asking, normed, bias))
        states = states + self.gate(asking).sigmoid() * seen
        normed = self.between(states)
        thought = self.dropout(self.dense(normed))
        found: Tensor = states + self.dense_gate(normed).sigmoid() * thought
        return found

    def _attended(self, asking: Tensor, states: Tensor, bias: Tensor) -> Tensor:
        if asking is states:
            query, key, value = self._parted(self.asks(states))
        else:
            dim = states.shape[2]
            weight, shift = self.asks.weight, self.asks.bias
            (query,) = self._parted(functional.linear(asking, weight[:dim], shift[:dim]))
            key, value = self._parted(functional.linear(states, weight[dim:], shift[dim:]))
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed: Tensor = self.out(found.transpose(1, 2).reshape(asking.shape))
        return mixed

    def _parted(self, joined: Tensor) -> Tensor:
        """[P, B, H, L, D / H] from [B, L, P * D]."""
        batch, length, _ = joined.shape
        size = self.out.in_features // self._heads
        return joined.view(batch, length, -1, self._heads, size).permute(2, 0, 3, 1, 4)
