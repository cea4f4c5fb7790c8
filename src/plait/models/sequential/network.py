"""Networks that map a history to a vector near the vectors of the items that come next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.models.sequential.hstu import HSTU
from plait.models.sequential.layers import Dropout, FeatureEmbeddingBag
from plait.models.sequential.recurrent import Recurrent
from plait.models.sequential.sequential_recommender import NetworkShape
from plait.models.sequential.transformer import Transformer
from plait.training.sequence_batches import PADDING

__all__ = ["ItemEmbedding", "NextItemModel", "SequentialNetwork", "masked_items"]

_LAST_ONLY = 0.5
"""The share of histories in which a masked transformer must predict the last item alone."""


class SequentialNetwork(nn.Module):
    """A network over histories of item vectors; items can be added after it was trained.

    Args:
        shape: The architecture.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = _layers(shape)
        self.norm = nn.LayerNorm(shape.embedding_dim)
        self.dropout = Dropout(shape.dropout)
        self.mask_vector = nn.Parameter(torch.zeros(shape.embedding_dim)) if shape.masked else None

    def states(self, vectors: Tensor, mask: Tensor, seconds: Tensor | None) -> Tensor:
        """Compute the states of all positions.

        Args:
            vectors: float32 [B, L, D], item vectors.
            mask: bool [B, L], where events are; padding follows them.
            seconds: int64 [B, L], the times of events.

        Returns:
            float32 [B, L, D].
        """
        seconds = seconds if self.shape.timed else None
        states: Tensor = self.norm(self.layers(self.dropout(vectors), mask, seconds))
        return states

    def last_state(self, vectors: Tensor, lengths: Tensor, seconds: Tensor | None) -> Tensor:
        """Compute the state that predicts what follows each history.

        Args:
            vectors: float32 [B, L, D], item vectors, padded at the end.
            lengths: int64 [B], 1 or more.
            seconds: int64 [B, L], the times of events.

        Returns:
            float32 [B, D].
        """
        mask = torch.arange(vectors.shape[1], device=vectors.device) < lengths[:, None]
        last = lengths - 1
        if self.mask_vector is not None:
            vectors, mask = _with_masked_end(vectors, mask, lengths, self.mask_vector)
            last = lengths
        seconds = seconds if self.shape.timed else None
        inputs = self.dropout(vectors)
        if isinstance(self.layers, Transformer):
            last_states = self.layers.last_state(inputs, mask, seconds, last)
        else:
            states = self.layers(inputs, mask, seconds)
            last_states = states[torch.arange(len(states), device=states.device), last]
        normed: Tensor = self.norm(last_states)
        return normed


class ItemEmbedding(nn.Module):
    """Item vectors float32 [count + 1, dim]: a learned vector of each plus those of its features.

    The first row is that of padding.

    Args:
        count: The number of items.
        dim: The size of a vector.
        features: The features of items, or None.
        id_dropout: How often the learned vector of an item is dropped in training.
    """

    def __init__(
        self, count: int, dim: int, features: FeatureEmbeddingBag | None, id_dropout: float
    ) -> None:
        super().__init__()
        self.ids = nn.Parameter(torch.randn(count, dim) * 0.02)
        self.features, self._id_dropout = features, id_dropout

    def forward(self) -> Tensor:
        vectors: Tensor = self.ids
        if self.training and self._id_dropout:
            draws = torch.rand(len(vectors), 1, device=vectors.device)
            vectors = vectors * (draws >= self._id_dropout)
        if self.features is not None:
            vectors = vectors + self.features()
        return functional.pad(vectors, (0, 0, 1, 0))


class NextItemModel(nn.Module):
    """Network and item vectors, trained together.

    Args:
        network: The network over histories.
        items: Computes the item vectors float32 [n + 1, D], the first for padding.
    """

    def __init__(self, network: SequentialNetwork, items: nn.Module) -> None:
        super().__init__()
        self.network, self.items = network, items

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the states of all training examples of a batch.

        Args:
            batch: `items` int64 [B, L] and, if timed, `seconds` int64 [B, L].

        Returns:
            States float32 [P, D], item vectors float32 [n, D] and target items int64 [P].
        """
        table = self.items()
        rows, seconds = batch["items"], batch.get("seconds")
        if self.network.mask_vector is None:
            inputs, targets = rows[:, :-1], rows[:, 1:]
            seconds = None if seconds is None else seconds[:, :-1]
            vectors = functional.embedding(inputs, table)
            predicted = targets != PADDING
        else:
            inputs = targets = rows
            share = self.network.shape.mask_probability
            _, predicted = masked_items(rows, share, PADDING, PADDING, _LAST_ONLY)
            vectors = functional.embedding(rows, table)
            vectors = torch.where(predicted[..., None], self.network.mask_vector, vectors)
        states = self.network.states(vectors, inputs != PADDING, seconds)
        return states[predicted], table[1:], targets[predicted] - 1

    def targets(self, batch: Mapping[str, Any]) -> float:
        """Return the number of targets of a batch, under masking the expected number.

        Args:
            batch: `items` int64 [B, L].
        """
        is_event = batch["items"] != PADDING
        if self.network.mask_vector is None:
            return float(is_event[:, 1:].sum())
        share, lengths = self.network.shape.mask_probability, is_event.sum(1)
        drawn = lengths * share + (1 - share) ** lengths  # if no item is drawn, one is masked
        return float((_LAST_ONLY + (1 - _LAST_ONLY) * drawn).sum())


def _layers(shape: NetworkShape) -> nn.Module:
    sizes = (shape.embedding_dim, shape.num_layers, shape.num_heads)
    max_length = shape.max_length + 1
    if shape.network in ("gru", "lstm"):
        return Recurrent(shape.network, shape.embedding_dim, shape.num_layers, shape.dropout)
    if shape.network == "hstu":
        return HSTU(*sizes, max_length, shape.dropout, timed=shape.timed)
    return Transformer(
        *sizes,
        max_length,
        shape.dropout,
        timed=shape.timed,
        causal=not shape.masked,
        local_branch=shape.local_branch,
        local_width=shape.local_width,
    )


def _with_masked_end(
    vectors: Tensor, mask: Tensor, lengths: Tensor, mask_vector: Tensor
) -> tuple[Tensor, Tensor]:
    """Histories followed by a masked position, which the network is to predict."""
    row = torch.arange(len(vectors), device=vectors.device)
    vectors = functional.pad(vectors, (0, 0, 0, 1))
    vectors[row, lengths] = mask_vector
    mask = functional.pad(mask, (0, 1))
    mask[row, lengths] = True
    return vectors, mask


def masked_items(
    items: Tensor, share: float, mask: int, padding: int, last: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Mask items that the model must predict (BERT4Rec, Sun et al., CIKM 2019).

    At least one item is masked in each row that has any.

    Args:
        items: int64 [B, L], padded at the end.
        share: The share of items that is masked.
        mask: The row that replaces a masked item.
        padding: The row that stands for no item.
        last: In this share of the rows only the last item is masked, as at inference.

    Returns:
        int64 [B, L] items as the model sees them, and bool [B, L], where they are masked.
    """
    present = items != padding
    draws = torch.rand(items.shape, device=items.device).masked_fill(~present, 2.0)
    masked = draws < share
    smallest = functional.one_hot(draws.argmin(1), items.shape[1]).bool()
    masked = masked | (smallest & ~masked.any(1, keepdim=True) & present)
    if last:
        ends = functional.one_hot((present.sum(1) - 1).clamp(min=0), items.shape[1]).bool()
        only_last = torch.rand(len(items), 1, device=items.device) < last
        masked = torch.where(only_last, ends & present, masked)
    return items.masked_fill(masked, mask), masked
