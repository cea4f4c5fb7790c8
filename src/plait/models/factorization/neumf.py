"""NeuMF (He et al., WWW 2017): a product of vectors beside a small network, trained together.

A user is the mean of the items of the history, in the vectors of both, so that every user with a
history is known; in training the item to predict is left out of that mean (FISM; Kabbur et al., KDD
2013). The first layer of the network is linear in user and item, so both halves are computed once.

This module needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.array_types import Float32Array, Int64Array
from plait.data.ragged import Ragged
from plait.features.item_vocabulary import Vocabulary
from plait.features.sparse_rows import SparseRows
from plait.models.factorization.neumf_inference import NeuMFScorer
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.batches import Batch
from plait.training.config import TrainingConfig
from plait.training.losses import bce_loss
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.seeding import seeded
from plait.training.trainer import TrainingTask, Validate, train_with_context

__all__ = ["NeuMF", "NeuMFConfig", "PairBatches", "train_neumf", "validation_of", "weights_of"]

_ATTEMPTS = 8
"""How often a negative that the user interacted with is drawn again."""

_MAX_QUERIES = 2000
"""Held-out queries that are evaluated: the network computes every pair of user and item."""


@dataclass(frozen=True, slots=True)
class NeuMFConfig:
    """Settings of the network and its batches.

    Attributes:
        dim: The size of a vector.
        dropout: The dropout of the first layer.
        num_negatives: Negatives of each event.
        max_length: Items of a history that are read; of longer ones a random sample.
    """

    dim: int
    dropout: float
    num_negatives: int
    max_length: int


class NeuMF(nn.Module):
    """Item vectors for product and network; row 0 stands for no item.

    Args:
        n_items: The number of items.
        dim: The size of a vector.
        dropout: The dropout of the first layer.
    """

    def __init__(self, n_items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.gmf_items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.mlp_items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.user_proj = nn.Linear(dim, dim)
        self.item_proj = nn.Linear(dim, dim, bias=False)
        self.hidden = nn.Linear(dim, dim // 2)
        self.out = nn.Linear(dim + dim // 2, 1)
        self.item_bias = nn.Embedding(n_items + 1, 1, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        for embedding in (self.gmf_items, self.mlp_items):
            nn.init.normal_(embedding.weight, std=0.1)
        nn.init.zeros_(self.item_bias.weight)
        with torch.no_grad():  # initially the plain product of both vectors counts in full
            self.out.weight[:, :dim] = 1

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute logits.

        Args:
            batch: `history` int64 [R, L], `positive` int64 [R] and `negatives` int64 [R, N], table
                rows of items.

        Returns:
            float32 [R, 1 + N], of the positive item and the negatives.
        """
        history = batch["history"]
        items = torch.cat([batch["positive"][:, None], batch["negatives"]], 1)
        others = history * (history != batch["positive"][:, None])
        counts = (others > 0).sum(1, keepdim=True).clamp(min=1)
        gmf_users = self.gmf_items(others).sum(1) / counts
        mlp_users = self.mlp_items(others).sum(1) / counts
        projected = self.user_proj(mlp_users)[:, None] + self.item_proj(self.mlp_items(items))
        first = torch.relu(projected)
        second = torch.relu(self.hidden(self.dropout(first)))
        joined = torch.cat([gmf_users[:, None] * self.gmf_items(items), second], 2)
        logits: Tensor = (self.out(joined) + self.item_bias(items)).squeeze(2)
        return logits


class PairBatches:
    """Batches of events: the history around each, its item, and sampled negatives.

    A batch has `history` int64 [R, L], `positive` int64 [R] and `negatives` int64 [R, N] as table
    rows from 1; 0 pads, and stands for a negative that was not found.

    Args:
        histories: The item positions of every user, from 0.
        n_items: The number of items.
        size: Events in a batch.
        config: Negatives of an event and the length of histories.
        seed: Seed of order, negatives and samples of long histories.
    """

    def __init__(
        self, histories: Ragged, n_items: int, size: int, config: NeuMFConfig, seed: int
    ) -> None:
        lengths = histories.lengths
        self._histories, self._n_items = histories, n_items
        self._size, self._config, self._seed = size, config, seed
        self._events = np.flatnonzero(np.repeat(lengths > 1, lengths))
        self._interactions = np.unique(histories.rows * n_items + histories.values)

    def __len__(self) -> int:
        return (len(self._events) + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """
        order = np.random.default_rng([self._seed, number]).permutation(self._events)
        rows = self._histories.rows
        for batch_number in range(start, len(self)):
            random = np.random.default_rng([self._seed, number, batch_number + 1])
            events = order[batch_number * self._size : (batch_number + 1) * self._size]
            yield {
                "history": self._history(rows[events], random),
                "positive": self._histories.values[events].astype(np.int64) + 1,
                "negatives": self._negatives(rows[events], random),
            }

    def _negatives(self, users: Int64Array, random: np.random.Generator) -> Int64Array:
        """int64 [R, N]: table rows of items that the users did not interact with."""
        items = random.integers(0, self._n_items, (len(users), self._config.num_negatives))
        for attempt in range(_ATTEMPTS):
            keys = users[:, None] * self._n_items + items
            nearest = np.searchsorted(self._interactions, keys)
            nearest = np.minimum(nearest, len(self._interactions) - 1)
            is_positive = self._interactions[nearest] == keys
            if not is_positive.any():
                break
            count = np.count_nonzero(is_positive)
            is_last = attempt == _ATTEMPTS - 1
            items[is_positive] = -1 if is_last else random.integers(0, self._n_items, count)
        return items + 1

    def _history(self, users: Int64Array, random: np.random.Generator) -> Int64Array:
        """int64 [R, L]: table rows of the histories of users."""
        histories: list[Any] = []
        for user in users.tolist():
            history = self._histories[user]
            if len(history) > self._config.max_length:
                history = history[random.permutation(len(history))[: self._config.max_length]]
            histories.append(history)
        return Ragged.from_rows(histories).to_padded().astype(np.int64) + 1


def train_neumf(
    histories: Ragged,
    n_items: int,
    config: NeuMFConfig,
    training: TrainingConfig,
    context: FitContext,
    *,
    validate: Validate | None,
    best_epoch: int,
    identity: Mapping[str, Any],
) -> tuple[dict[str, Float32Array], int]:
    """Train a network.

    Args:
        histories: The item positions of every user, from 0.
        n_items: The number of items.
        config: The network and its batches.
        training: How it is trained.
        context: How the stage is fitted.
        validate: The metric of early stopping, or None.
        best_epoch: The best epoch of an earlier fit, 0 for none.
        identity: What makes two runs the same.

    Returns:
        Weights by name, and the best number of epochs; 0 if no user has two items.

    Raises:
        InputError: A setting needs more memory than there is.
    """
    needs = _memory_needs(histories, n_items, config, training.batch_size)
    hint = f"set max_baskets below {config.max_length}, or make training.batch_size smaller"
    require_memory(needs, "training `factors`", hints={"max_baskets": hint})
    with seeded(context.seed):
        network = NeuMF(n_items, config.dim, config.dropout)
    batches = PairBatches(histories, n_items, training.batch_size, config, context.seed)
    if not len(batches):
        return weights_of(network), 0
    result = train_with_context(
        context,
        network,
        TrainingTask(batches, _objective, validate=validate, metric=METRIC),
        training,
        identity=identity,
        name="neumf",
        best_epoch=best_epoch,
    )
    return weights_of(network), result.best_epoch


def _memory_needs(
    histories: Ragged, n_items: int, config: NeuMFConfig, batch_size: int
) -> dict[str, int]:
    """Bytes by setting, roughly: weights, the activations of a batch, and its histories, of which
    the vectors for product or network are held at a time.
    """
    lengths = histories.lengths
    rows = min(batch_size, int(lengths[lengths > 1].sum()))
    return {
        "factors": weight_bytes((2 * n_items + 3 * config.dim) * config.dim),
        "training.batch_size": 4 * rows * (1 + config.num_negatives) * 12 * config.dim,
        "max_baskets": rows * config.max_length * (4 * config.dim + 3 * 8),
    }


def validation_of(validation: ValidationSet, items: Vocabulary, history: SparseRows) -> Validate:
    """Return a function that computes NDCG@10 of a network as the stage would rank.

    Args:
        validation: Held-out queries and targets.
        items: The items of the network.
        history: The decayed histories of the queries, over item numbers.
    """
    ranking = RankingValidation(validation, items.rows, 1, _MAX_QUERIES)
    histories = history.csr

    def ndcg(network: Any) -> float:
        scorer = NeuMFScorer(weights_of(network), items.rows)

        def scores(queries: Int64Array) -> Tensor:
            dense = scorer.score_all(SparseRows.of(histories[queries]))
            return torch.from_numpy(dense[:, items.numbers])

        batches = ranking.batches(len(items))
        return ranking.ndcg_of_scores((queries, scores(queries)) for queries in batches)

    return ndcg


def weights_of(network: nn.Module) -> dict[str, Float32Array]:
    """Return copies of the weights by name.

    Args:
        network: The network.
    """
    state: Mapping[str, Any] = network.state_dict()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def _objective(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    logits = network(batch)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    is_positive = torch.ones_like(batch["positive"][:, None])
    is_item = torch.cat([is_positive, batch["negatives"]], 1) > 0
    return bce_loss(logits[is_item], labels[is_item])
