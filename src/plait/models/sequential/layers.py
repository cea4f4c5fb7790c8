"""Layers that several networks share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "CausalConvolution",
    "Dropout",
    "FeatureEmbeddingBag",
    "GatedRecurrence",
    "RelativeBias",
    "SwiGLU",
]

_TIME_BUCKETS = 32
"""Buckets of the time between two events; each is twice as long as the one before it."""


class RelativeBias(nn.Module):
    """A learned attention bias by the distance of two events, in positions and in time.

    In positions up to `max_length`; in time, where there are times, by powers of two of seconds
    (Zhai et al., HSTU, ICML 2024). Every layer has a bias of its own for each of its heads.

    Args:
        layers: The number of layers.
        heads: Heads of each layer.
        max_length: The longest history.
        timed: Whether events have times.
        causal: Whether a position sees only itself and earlier ones.
    """

    def __init__(
        self, layers: int, heads: int, max_length: int, *, timed: bool, causal: bool
    ) -> None:
        super().__init__()
        self._layers, self._max_length, self._causal = layers, max_length, causal
        self.steps = nn.Parameter(torch.zeros(layers * heads, 2 * max_length - 1))
        self.times = nn.Parameter(torch.zeros(layers * heads, _TIME_BUCKETS)) if timed else None

    def forward(
        self, mask: Tensor, seconds: Tensor | None, *, masked_value: float
    ) -> tuple[Tensor, ...]:
        """Compute the bias of every layer.

        Args:
            mask: bool [B, L], where events are; padding follows them.
            seconds: int64 [B, L], the times of events.
            masked_value: The bias where a position may not look.

        Returns:
            For each layer float32 [B or 1, H, L, L].
        """
        positions = torch.arange(mask.shape[1], device=mask.device)
        distances = positions[:, None] - positions[None, :]
        bias = self.steps[:, distances + self._max_length - 1][None]
        if self.times is not None and seconds is not None:
            intervals = (seconds[:, :, None] - seconds[:, None, :]).abs().double()
            buckets = torch.log2(intervals + 1).long().clamp(max=_TIME_BUCKETS - 1)
            bias = bias + self.times[:, buckets].transpose(0, 1)
        if self._causal:
            # Padding follows the events: a position that looks back never sees it.
            bias = bias.masked_fill(distances < 0, masked_value)
        else:
            bias = bias.masked_fill(~mask[:, None, None, :], masked_value)
        return bias.chunk(self._layers, dim=1)


class CausalConvolution(nn.Module):
    """The sum of the last events, each dimension with weights of its own (depthwise convolution).

    Args:
        dim: The size of a vector.
        width: How many events are read, the current one and those before it.
    """

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self._width = width
        self.layer = nn.Conv1d(dim, dim, width, groups=dim)
        for parameter in self.layer.parameters():
            nn.init.zeros_(parameter)  # training begins with the network without the branch

    def forward(self, states: Tensor) -> Tensor:
        past = functional.pad(states.transpose(1, 2), (self._width - 1, 0))
        outputs: Tensor = self.layer(past).transpose(1, 2)
        return outputs


class GatedRecurrence(nn.Module):
    """A GRU over the events up to each position (Cho et al., EMNLP 2014), [B, L, dim] to the same.

    Args:
        dim: The size of a vector.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer = nn.GRU(dim, dim, batch_first=True)

    def forward(self, states: Tensor) -> Tensor:
        outputs: Tensor = self.layer(states)[0]
        return outputs


class SwiGLU(nn.Module):
    """A gated feed-forward layer (SwiGLU, Shazeer, 2020), [..., dim] to [..., dim].

    Args:
        dim: The size of a vector.
        hidden_dim: The size of the hidden layer.
        dropout: The dropout of the hidden layer.
    """

    def __init__(self, dim: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim, 2 * hidden_dim)
        self.out_proj = nn.Linear(hidden_dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        gate, value = self.in_proj(states).chunk(2, dim=-1)
        outputs: Tensor = self.out_proj(self.dropout(functional.silu(gate) * value))
        return outputs


class Dropout(nn.Module):
    """Dropout that draws one random byte for each value, so that the rate is a multiple of 1/256.

    On a CPU it takes an eighth of the time of torch's own, in which small networks spend most of
    their time.

    Args:
        rate: The share of values that become zero in training; the others are scaled up.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._n_dropped = min(round(rate * 256), 255)

    def forward(self, states: Tensor) -> Tensor:
        if not self.training or not self._n_dropped:
            return states
        words = torch.empty((states.numel() + 7) // 8, dtype=torch.int64, device=states.device)
        draws = words.random_(-(2**63), None).view(torch.uint8)[: states.numel()]
        retained = (draws >= self._n_dropped).view(states.shape)
        return states * retained * (256 / (256 - self._n_dropped))


class FeatureEmbeddingBag(nn.Module):
    """Item vectors float32 [n, dim], each the weighted sum of learned vectors of its features.

    Args:
        features: int64 [M], the features of all items, one item after the other.
        weights: float32 [M], their weights.
        starts: int64 [n], where the features of each item begin.
        count: The number of features.
        dim: The size of a vector.
    """

    def __init__(self, features: Tensor, weights: Tensor, starts: Tensor, count: int, dim: int):
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(count, dim) * 0.02)
        lengths = torch.diff(starts, append=torch.tensor([len(features)]))
        items = torch.repeat_interleave(torch.arange(len(starts)), lengths)
        order = torch.argsort(features, stable=True)
        counts = torch.bincount(features, minlength=count)
        transposed = (items[order], weights[order], torch.cumsum(counts, 0) - counts)
        buffers = (features, weights, starts, *transposed)
        for name, tensor in zip(_BUFFERS, buffers, strict=True):
            self.register_buffer(name, tensor, persistent=False)

    def forward(self) -> Tensor:
        buffers = [getattr(self, name) for name in _BUFFERS]
        sums: Tensor = _WeightedSum.apply(self.vectors, *buffers)  # type: ignore[no-untyped-call]
        return sums


_BUFFERS = (
    "features",
    "weights",
    "starts",
    "transposed_items",
    "transposed_weights",
    "transposed_starts",
)
"""A sparse matrix by rows, and its transpose."""


class _WeightedSum(torch.autograd.Function):
    """A sparse matrix times a dense one; the backward pass multiplies by the transpose."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, *matrices: Tensor) -> Tensor:
        ctx.save_for_backward(*matrices[3:])
        return _weighted_sums(vectors, *matrices[:3])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return _weighted_sums(gradients[0].contiguous(), *ctx.saved_tensors), *(None,) * 6


def _weighted_sums(vectors: Tensor, columns: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
    return functional.embedding_bag(
        columns, vectors, starts, mode="sum", per_sample_weights=weights.to(vectors.dtype)
    )
