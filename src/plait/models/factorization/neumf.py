"""NeuMF (He et al., WWW 2017): a product of vectors beside a small network, trained together.

A user is the mean of the items of the history, in the vectors of both parts, so that nobody is
unknown: in training the item that is to be found is left out of that mean (FISM; Kabbur et al., KDD
2013). The first layer of the network is linear in user and item, so both halves are computed once.

This module needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from plait.data.ragged import Ragged
from plait.data.types import Float32Array, Int64Array
from plait.features.sparse_rows import SparseRows
from plait.features.vocabulary import Vocabulary
from plait.models.factorization.neumf_inference import Pairwise
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.config import Batch, TrainingConfig
from plait.training.losses import bce_loss
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.reproducibility import seeded
from plait.training.trainer import TrainingTask, Validate, train_with_context

__all__ = ["NeuMF", "PairBatches", "arrays_of", "trained", "validation"]

_TRIES = 8
"""So often an item that the user took is drawn anew."""

_ASKED = 2000
"""So many held-out questions are asked: the network goes through every pair of user and item."""


class NeuMF(nn.Module):
    """Vectors for both parts, and the network; row 0 stands for nothing."""

    def __init__(self, items: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.product = nn.Embedding(items + 1, dim, padding_idx=0)
        self.deep = nn.Embedding(items + 1, dim, padding_idx=0)
        self.mine = nn.Linear(dim, dim)
        self.theirs = nn.Linear(dim, dim, bias=False)
        self.second = nn.Linear(dim, dim // 2)
        self.out = nn.Linear(dim + dim // 2, 1)
        self.popular = nn.Embedding(items + 1, 1, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        for one in (self.product, self.deep):
            nn.init.normal_(one.weight, std=0.1)
        nn.init.zeros_(self.popular.weight)
        with torch.no_grad():  # at first the plain product of both vectors, as in what it widens
            self.out.weight[:, :dim] = 1

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits [R, 1 + negatives]: of the `right` item, then of the `wrong` ones."""
        history = batch["history"]
        items = torch.cat([batch["right"][:, None], batch["wrong"]], 1)
        kept = history * (history != batch["right"][:, None])
        count = (kept > 0).sum(1, keepdim=True).clamp(min=1)
        product = self.product(kept).sum(1) / count
        deep = self.deep(kept).sum(1) / count
        first = torch.relu(self.mine(deep)[:, None] + self.theirs(self.deep(items)))
        second = torch.relu(self.second(self.dropout(first)))
        both = torch.cat([product[:, None] * self.product(items), second], 2)
        logits: Tensor = (self.out(both) + self.popular(items)).squeeze(2)
        return logits


class PairBatches:
    """Every event as a row: the history around it, the item, and `negatives` items drawn anew each
    epoch that the user did not take; 0 in place of one that was not found. Of long histories
    `longest` items are drawn.
    """

    def __init__(
        self, histories: Ragged, n_items: int, size: int, negatives: int, longest: int, seed: int
    ) -> None:
        lengths = histories.lengths
        self._histories, self._n_items = histories, n_items
        self._size, self._negatives = size, negatives
        self._longest, self._seed = longest, seed
        self._events = np.flatnonzero(np.repeat(lengths > 1, lengths))
        self._taken = np.unique(histories.rows * n_items + histories.values)

    def __len__(self) -> int:
        return (len(self._events) + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from `start` on; rows of item places from 1 on, 0 pads."""
        order = np.random.default_rng([self._seed, number]).permutation(self._events)
        rows = self._histories.rows
        for place in range(start, len(self)):
            random = np.random.default_rng([self._seed, number, place + 1])
            chosen = order[place * self._size : (place + 1) * self._size]
            yield {
                "history": self._around(rows[chosen], random),
                "right": self._histories.values[chosen].astype(np.int64) + 1,
                "wrong": self._wrong(rows[chosen], random),
            }

    def _wrong(self, users: Int64Array, random: np.random.Generator) -> Int64Array:
        """int64 [R, negatives]: items that the users did not take, from 1 on."""
        found = random.integers(0, self._n_items, (len(users), self._negatives))
        for again in range(_TRIES):
            cells = users[:, None] * self._n_items + found
            near = np.minimum(np.searchsorted(self._taken, cells), len(self._taken) - 1)
            taken = self._taken[near] == cells
            if not taken.any():
                break
            left = np.count_nonzero(taken)
            found[taken] = random.integers(0, self._n_items, left) if again < _TRIES - 1 else -1
        return found + 1

    def _around(self, users: Int64Array, random: np.random.Generator) -> Int64Array:
        drawn: list[Any] = []
        for user in users.tolist():
            mine = self._histories[user]
            if len(mine) > self._longest:
                mine = mine[random.permutation(len(mine))[: self._longest]]
            drawn.append(mine)
        return Ragged.from_rows(drawn).to_padded().astype(np.int64) + 1


def trained(
    histories: Ragged,
    n_items: int,
    training: TrainingConfig,
    context: FitContext,
    *,
    dim: int,
    dropout: float,
    negatives: int,
    longest: int,
    validate: Validate | None,
    best: int,
    identity: Mapping[str, Any],
) -> tuple[dict[str, Float32Array], int]:
    """The arrays of a network trained on `histories`, item places 0 to `n_items` - 1.

    And for how many epochs it was trained: the best number, where something was held out to tell.
    `best` is that of an earlier fit, 0 for none.
    """
    longest = min(longest, int(histories.lengths.max(initial=0)))
    needs = _needs(histories, n_items, training.batch_size, dim, negatives, longest)
    hints = {"max_baskets": f"set max_baskets below {longest}, or make training.batch_size smaller"}
    require_memory(needs, "training `factors`", hints=hints)
    with seeded(context.seed):
        network = NeuMF(n_items, dim, dropout)
    pairs = PairBatches(histories, n_items, training.batch_size, negatives, longest, context.seed)
    if not len(pairs):
        return arrays_of(network), 0
    outcome = train_with_context(
        context,
        network,
        TrainingTask(pairs, _objective, validate=validate, metric=METRIC),
        training,
        best_epoch=best,
        identity=identity,
        name="neumf",
    )
    return arrays_of(network), outcome.best_epoch


def _needs(
    histories: Ragged, n_items: int, batch: int, dim: int, negatives: int, longest: int
) -> dict[str, int]:
    """Bytes by setting, roughly: weights, what a batch is made of, and the histories around it, of
    which the vectors of one part are there at a time.
    """
    lengths = histories.lengths
    rows = min(batch, int(lengths[lengths > 1].sum()))
    return {
        "factors": weight_bytes((2 * n_items + 3 * dim) * dim),
        "training.batch_size": 4 * rows * (1 + negatives) * 12 * dim,
        "max_baskets": rows * longest * (4 * dim + 3 * 8),
    }


def validation(held: ValidationSet, items: Vocabulary, taken: SparseRows) -> Validate:
    """NDCG of held-out questions with the histories `taken`, answered as the stage would."""
    asked = RankingValidation(held, items.rows, 1, _ASKED)
    histories = sparse.csr_matrix(
        (taken.weights, taken.columns, taken.offsets), shape=(len(taken), taken.width)
    )

    def ndcg(network: Any) -> float:
        learned = Pairwise(arrays_of(network), items.rows)

        def scores(rows: Int64Array) -> Tensor:
            return torch.from_numpy(learned.dense(SparseRows.of(histories[rows]))[:, items.numbers])

        return asked.ndcg_of_scores((rows, scores(rows)) for rows in asked.batches(len(items)))

    return ndcg


def arrays_of(network: NeuMF) -> dict[str, Float32Array]:
    """Weights by name; float32."""
    state: Mapping[str, Any] = network.state_dict()
    return {name: one.detach().cpu().numpy().copy() for name, one in state.items()}


def _objective(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    logits = network(batch)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    shown = torch.cat([torch.ones_like(batch["right"][:, None]), batch["wrong"]], 1) > 0
    return bce_loss(logits[shown], labels[shown])
