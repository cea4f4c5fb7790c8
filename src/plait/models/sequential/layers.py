"""What the layers of several networks share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Dropout", "FeatureEmbeddingBag", "RelativeBias", "SwiGLU"]

_TIMES = 32
"""Buckets of the time between two events: each is twice as long as the one before it."""


class RelativeBias(nn.Module):
    """A learned bias for attention by how far apart two events lie, in steps and in time.

    In steps up to `longest`; in time by powers of two of seconds, where there are times (Zhai et
    al., HSTU, ICML 2024). Each of the `layers` has its own, with a row for each of its `heads`.
    """

    def __init__(self, layers: int, heads: int, longest: int, *, timed: bool, causal: bool) -> None:
        super().__init__()
        self._layers, self._longest, self._causal = layers, longest, causal
        self.steps = nn.Parameter(torch.zeros(layers * heads, 2 * longest - 1))
        self.times = nn.Parameter(torch.zeros(layers * heads, _TIMES)) if timed else None

    def forward(
        self, there: Tensor, seconds: Tensor | None, *, barred: float
    ) -> tuple[Tensor, ...]:
        """Of each layer float32 [B or 1, H, L, L] for `there` bool [B, L]; `barred` where nobody
        may look.
        """
        length = there.shape[1]
        place = torch.arange(length, device=there.device)
        away = place[:, None] - place[None, :]
        bias = self.steps[:, away + self._longest - 1][None]
        if self.times is not None and seconds is not None:
            apart = (seconds[:, :, None] - seconds[:, None, :]).abs().double()
            bucket = torch.log2(apart + 1).long().clamp(max=_TIMES - 1)
            bias = bias + self.times[:, bucket].transpose(0, 1)
        if self._causal:
            # Padding lies behind what is there: whoever looks back never sees it.
            bias = bias.masked_fill(away < 0, barred)
        else:
            bias = bias.masked_fill(~there[:, None, None, :], barred)
        return bias.chunk(self._layers, dim=1)


class SwiGLU(nn.Module):
    """A gated feed-forward layer (SwiGLU, Shazeer, 2020)."""

    def __init__(self, dim: int, wide: int, dropout: float) -> None:
        super().__init__()
        self.inside = nn.Linear(dim, 2 * wide)
        self.outside = nn.Linear(wide, dim)
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """[..., D] to [..., D]."""
        gate, value = self.inside(states).chunk(2, dim=-1)
        found: Tensor = self.outside(self.dropout(functional.silu(gate) * value))
        return found


class Dropout(nn.Module):
    """Dropout that draws a byte a number, so that the share is one of 256.

    On a CPU that takes an eighth of the time of torch's own, which small networks spend most of
    their time in.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self._dropped = min(round(share * 256), 255)

    def forward(self, states: Tensor) -> Tensor:
        """The same numbers, some of them zero and the others as much larger."""
        if not self.training or not self._dropped:
            return states
        words = torch.empty((states.numel() + 7) // 8, dtype=torch.int64, device=states.device)
        luck = words.random_(-(2**63), None).view(torch.uint8)[: states.numel()]
        kept = (luck >= self._dropped).view(states.shape)
        return states * kept * (256 / (256 - self._dropped))


class FeatureEmbeddingBag(nn.Module):
    """Each item as the weighted sum of learned vectors of its features.

    As CSR: `features` int64 [M] and `worths` float32 [M], those of item i from `starts[i]` on.
    """

    def __init__(self, features: Tensor, worths: Tensor, starts: Tensor, count: int, dim: int):
        super().__init__()
        self.meaning = nn.Parameter(torch.randn(count, dim) * 0.02)
        rows = torch.repeat_interleave(
            torch.arange(len(starts)), torch.diff(starts, append=torch.tensor([len(features)]))
        )
        order = torch.argsort(features, stable=True)
        counts = torch.bincount(features, minlength=count)
        turned = (rows[order], worths[order], torch.cumsum(counts, 0) - counts)
        for name, one in zip(_PARTS, (features, worths, starts, *turned), strict=True):
            self.register_buffer(name, one, persistent=False)

    def forward(self) -> Tensor:
        """float32 [n, D]."""
        parts = [getattr(self, name) for name in _PARTS]
        found: Tensor = _Sum.apply(self.meaning, *parts)  # type: ignore[no-untyped-call]
        return found


_PARTS = ("features", "worths", "starts", "items", "turned_worths", "turned_starts")


class _Sum(torch.autograd.Function):
    """A sparse matrix times a dense one; the way back is the turned matrix, as fast."""

    @staticmethod
    def forward(ctx: Any, meaning: Tensor, *parts: Tensor) -> Tensor:
        ctx.save_for_backward(*parts[3:])
        return _bags(meaning, *parts[:3])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return _bags(slopes[0].contiguous(), *ctx.saved_tensors), *(None,) * 6


def _bags(vectors: Tensor, places: Tensor, worths: Tensor, starts: Tensor) -> Tensor:
    return functional.embedding_bag(
        places, vectors, starts, mode="sum", per_sample_weights=worths.to(vectors.dtype)
    )
