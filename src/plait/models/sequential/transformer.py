"""Transformers over histories: causal (SASRec) and masked (BERT4Rec).

Both with pre-norm and gated residuals (LiGR, Borisyuk et al., 2025; eSASRec, RecSys 2025), which
stay stable where plain post-norm layers collapse at eight blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.layers import (
    CausalConvolution,
    Dropout,
    GatedRecurrence,
    RelativeBias,
    SwiGLU,
)

__all__ = ["Transformer"]


class Transformer(nn.Module):
    """Layers of attention and feed-forward.

    Args:
        dim: The size of a vector.
        num_layers: The number of layers.
        num_heads: Heads of attention; they divide `dim`.
        max_length: The longest history.
        dropout: The dropout of every layer.
        timed: Whether events have times.
        causal: Whether a position sees only itself and earlier ones.
        local_branch: `none`, `convolution` or `gru`: what every block reads the last events with,
            before attention.
        local_width: How many events the convolution reads.
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
        causal: bool,
        local_branch: str = "none",
        local_width: int = 4,
    ) -> None:
        super().__init__()
        self.bias = RelativeBias(num_layers, num_heads, max_length, timed=timed, causal=causal)
        self.blocks = nn.ModuleList(
            [
                _Block(dim, num_heads, dropout, _local_branch(local_branch, dim, local_width))
                for _ in range(num_layers)
            ]
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
        biases = self.bias(mask, seconds, masked_value=-1e9)
        for block, bias in zip(self.blocks, biases, strict=True):
            states = block(states, bias)
        return states

    def last_state(
        self, states: Tensor, mask: Tensor, seconds: Tensor | None, last: Tensor
    ) -> Tensor:
        """Compute the state of one position in each row.

        The last block computes this position alone, which saves most of the work of a short
        network.

        Args:
            states: float32 [B, L, D], item vectors.
            mask: bool [B, L], where events are.
            seconds: int64 [B, L], the times of events.
            last: int64 [B], the positions.

        Returns:
            float32 [B, D].
        """
        biases = self.bias(mask, seconds, masked_value=-1e9)
        *earlier, (last_block, last_bias) = zip(self.blocks, biases, strict=True)
        for block, bias in earlier:
            states = block(states, bias)
        outputs: Tensor = last_block(states, last_bias, last)
        return outputs[:, 0]


def _local_branch(name: str, dim: int, width: int) -> nn.Module | None:
    if name == "convolution":
        return CausalConvolution(dim, width)
    return GatedRecurrence(dim) if name == "gru" else None


class _Block(nn.Module):
    def __init__(self, dim: int, num_heads: int, dropout: float, local: nn.Module | None) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.local = local
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.gate = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.ffn = SwiGLU(dim, 2 * dim, dropout)
        self.ffn_gate = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, bias: Tensor, positions: Tensor | None = None) -> Tensor:
        """[B, L, D] to [B, L, D], or for `positions` int64 [B] alone to [B, 1, D]."""
        normed = self.norm1(states)
        if self.local is not None:
            normed = normed + self.local(normed)
        queries = normed
        if positions is not None:
            row = torch.arange(len(states), device=states.device)
            states, queries = states[row, positions, None], normed[row, positions, None]
            if len(bias) == 1:
                bias = bias[0, :, positions].transpose(0, 1)[:, :, None]
            else:
                bias = bias[row, :, positions][:, :, None]
        attended = self.dropout(self._attend(queries, normed, bias))
        states = states + self.gate(queries).sigmoid() * attended
        normed = self.norm2(states)
        ffn_out = self.dropout(self.ffn(normed))
        outputs: Tensor = states + self.ffn_gate(normed).sigmoid() * ffn_out
        return outputs

    def _attend(self, queries: Tensor, states: Tensor, bias: Tensor) -> Tensor:
        """Attention of `queries` [B, L or 1, D] over `states` [B, L, D]."""
        if queries is states:
            query, key, value = self._split_heads(self.qkv(states))
        else:
            dim = states.shape[2]
            weight, offset = self.qkv.weight, self.qkv.bias
            (query,) = self._split_heads(functional.linear(queries, weight[:dim], offset[:dim]))
            key, value = self._split_heads(functional.linear(states, weight[dim:], offset[dim:]))
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed: Tensor = self.out_proj(attended.transpose(1, 2).reshape(queries.shape))
        return mixed

    def _split_heads(self, projections: Tensor) -> Tensor:
        """[P, B, H, L, D / H] from [B, L, P * D]."""
        batch, length, _ = projections.shape
        size = self.out_proj.in_features // self._num_heads
        heads = projections.view(batch, length, -1, self._num_heads, size)
        return heads.permute(2, 0, 3, 1, 4)
