"""From a history to a vector that points at what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.hstu import HSTU
from plait.models.sequential.layers import Dropout, FeatureEmbeddingBag
from plait.models.sequential.recurrent import Recurrent
from plait.models.sequential.transformer import Transformer
from plait.training.losses import masked_items
from plait.training.sequence_batches import PADDING

__all__ = ["ItemEmbedding", "NetworkShape", "NextItemModel", "SequentialNetwork"]


_LAST = 0.5
"""In so many of the histories a masked transformer must find the last item and no other."""


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """What a network is built from."""

    network: str
    embedding_dim: int
    num_layers: int
    num_heads: int
    max_length: int
    dropout: float
    timed: bool
    """Whether events have times."""
    words: int = 0
    """Features that items are described by; 0: none."""
    mask_probability: float = 0.2
    """The share of a history that a masked transformer must find."""

    @property
    def masked(self) -> bool:
        """Whether the network looks both ways and fills gaps."""
        return self.network == "bert4rec"


class SequentialNetwork(nn.Module):
    """A network over histories, without the items: these may come after it was trained."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = _layers(shape)
        self.norm = nn.LayerNorm(shape.embedding_dim)
        self.dropout = Dropout(shape.dropout)
        self.mask = nn.Parameter(torch.zeros(shape.embedding_dim)) if shape.masked else None

    def states(self, vectors: Tensor, there: Tensor, seconds: Tensor | None) -> Tensor:
        """float32 [B, L, D] from item vectors [B, L, D]; what is not `there` is padding, behind."""
        given = self.dropout(vectors)
        found: Tensor = self.norm(self.layers(given, there, seconds if self.shape.timed else None))
        return found

    def last_state(self, vectors: Tensor, lengths: Tensor, seconds: Tensor | None) -> Tensor:
        """float32 [B, D]: what comes after histories [B, L, D]; `lengths` are 1 or more."""
        there = torch.arange(vectors.shape[1], device=vectors.device) < lengths[:, None]
        last = lengths - 1
        if self.mask is not None:
            vectors, there = _with_gap(vectors, there, lengths, self.mask)
            last = lengths
        seconds = seconds if self.shape.timed else None
        given = self.dropout(vectors)
        if isinstance(self.layers, Transformer):
            states = self.layers.last_state(given, there, seconds, last)
        else:
            whole = self.layers(given, there, seconds)
            states = whole[torch.arange(len(whole), device=whole.device), last]
        found: Tensor = self.norm(states)
        return found


class ItemEmbedding(nn.Module):
    """The vectors of items: one of their own, and what their words add up to."""

    def __init__(
        self, count: int, dim: int, words: FeatureEmbeddingBag | None, id_dropout: float
    ) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(count, dim) * 0.02)
        self.words, self._id_dropout = words, id_dropout

    def forward(self) -> Tensor:
        """float32 [count + 1, D]; the first row is the padding's."""
        found: Tensor = self.own
        if self.training and self._id_dropout:
            kept = torch.rand(len(found), 1, device=found.device) >= self._id_dropout
            found = found * kept
        if self.words is not None:
            found = found + self.words()
        return functional.pad(found, (0, 0, 1, 0))


class NextItemModel(nn.Module):
    """What is trained: items and network together."""

    def __init__(self, network: SequentialNetwork, items: ItemEmbedding) -> None:
        super().__init__()
        self.network, self.items = network, items

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """States [P, D] that ask, items [n, D] to choose from, and the right ones, int64 [P]."""
        table = self.items()
        rows, seconds = batch["items"], batch.get("seconds")
        if self.network.mask is None:
            shown, wanted = rows[:, :-1], rows[:, 1:]
            seconds = None if seconds is None else seconds[:, :-1]
            vectors = functional.embedding(shown, table)
            asked = wanted != PADDING
        else:
            wanted = rows
            share = self.network.shape.mask_probability
            _, asked = masked_items(rows, share, PADDING, PADDING, _LAST)
            vectors = functional.embedding(rows, table)
            vectors = torch.where(asked[..., None], self.network.mask, vectors)
            shown = rows
        states = self.network.states(vectors, shown != PADDING, seconds)
        return states[asked], table[1:], wanted[asked] - 1

    def targets(self, batch: Mapping[str, Any]) -> float:
        """How many items of a batch are asked for; under a mask: how many on average."""
        there = batch["items"] != PADDING
        if self.network.mask is None:
            return float(there[:, 1:].sum())
        share, lengths = self.network.shape.mask_probability, there.sum(1)
        drawn = lengths * share + (1 - share) ** lengths  # where none is drawn one is asked for
        return float((_LAST + (1 - _LAST) * drawn).sum())


def _layers(shape: NetworkShape) -> nn.Module:
    name, sizes = shape.network, (shape.embedding_dim, shape.num_layers, shape.num_heads)
    longest = shape.max_length + 1
    if name in ("gru", "lstm"):
        return Recurrent(name, shape.embedding_dim, shape.num_layers, shape.dropout)
    if name == "hstu":
        return HSTU(*sizes, longest, shape.dropout, timed=shape.timed)
    return Transformer(*sizes, longest, shape.dropout, timed=shape.timed, causal=not shape.masked)


def _with_gap(
    vectors: Tensor, there: Tensor, lengths: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Histories with a gap behind them that is to be filled."""
    row = torch.arange(len(vectors), device=vectors.device)
    vectors = functional.pad(vectors, (0, 0, 0, 1))
    vectors[row, lengths] = mask
    there = functional.pad(there, (0, 1))
    there[row, lengths] = True
    return vectors, there
