"""Recurrent networks over histories (GRU4Rec, Hidasi et al., ICLR 2016; LSTM)."""

from __future__ import annotations

from torch import Tensor, nn

from plait.models.sequential.layers import Dropout

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """Recurrent layers with residual connections.

    Args:
        cell: `gru` or `lstm`.
        dim: The size of a vector.
        num_layers: The number of layers.
        dropout: The dropout of every layer.
    """

    def __init__(self, cell: str, dim: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        layer = nn.LSTM if cell == "lstm" else nn.GRU
        self.norms = nn.ModuleList([nn.LayerNorm(dim) for _ in range(num_layers)])
        self.layers = nn.ModuleList([layer(dim, dim, batch_first=True) for _ in range(num_layers)])
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor, _mask: Tensor, _seconds: Tensor | None) -> Tensor:
        """Compute the states of all positions.

        Args:
            states: float32 [B, L, D], item vectors; padding at the end changes nothing before it.
            _mask: Ignored, as in all networks of one interface.
            _seconds: Ignored.

        Returns:
            float32 [B, L, D].
        """
        for norm, layer in zip(self.norms, self.layers, strict=True):
            states = states + self.dropout(layer(norm(states))[0])
        return states
