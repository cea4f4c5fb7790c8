"""Recurrent networks over histories (GRU4Rec, Hidasi et al., ICLR 2016; LSTM)."""

from __future__ import annotations

from torch import Tensor, nn

from plait.models.sequential.layers import Dropout

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """`blocks` recurrent layers, each with a residual, over [B, L, D]."""

    def __init__(self, kind: str, dim: int, blocks: int, dropout: float) -> None:
        super().__init__()
        layer = nn.LSTM if kind == "lstm" else nn.GRU
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(blocks)])
        self.layers = nn.ModuleList([layer(dim, dim, batch_first=True) for _ in range(blocks)])
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, _there: Tensor, _seconds: Tensor | None) -> Tensor:
        """[B, L, D] from [B, L, D]; padding lies behind what is there and changes nothing."""
        for norm, layer in zip(self.norms, self.layers, strict=True):
            states = states + self.dropout(layer(norm(states))[0])
        return states
