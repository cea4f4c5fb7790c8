"""The training of `plait.models.graph.graph`: vectors that are spread over a graph."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from plait.data.types import Float32Array, Int32Array
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.config import ArrayBatches, Batch, TrainingConfig
from plait.training.losses import full_softmax, sampled_softmax
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.reproducibility import seeded
from plait.training.trainer import TrainingTask, Validate, train_with_context

__all__ = [
    "GraphEdges",
    "LayerOutputs",
    "LightGCNConfig",
    "LightGCNResult",
    "trained",
    "validation",
]


@dataclass(frozen=True, slots=True, eq=False)
class GraphEdges:
    """Normalised adjacencies: `taken` [users, n], and `told` [n, E] by relation."""

    taken: sparse.csr_matrix
    told: list[sparse.csr_matrix]


@dataclass(frozen=True, slots=True)
class LightGCNConfig:
    """How vectors are made and compared."""

    embedding_dim: int
    num_layers: int
    num_negatives: int
    temperature: float
    dropout: float


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutputs:
    """What was learned, float32: `items` [n, D], the mean over layers; `lent` [n, D], what an item
    gives to the users who took it; `entities` [E, D], what an entity gives to its items.
    """

    items: Float32Array
    lent: Float32Array
    entities: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class LightGCNResult:
    """What a fit leaves: the layers, the weight of every relation, float32, and for how many epochs
    it was trained: the best number, where something was held out to tell.
    """

    layers: LayerOutputs
    weights: Float32Array
    epochs: int


class _Times(torch.autograd.Function):
    """A constant sparse matrix times a dense one, and its transpose on the way back.

    In float32 whatever the precision: sparse products know no bfloat16 on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Tensor, turned: Tensor) -> Tensor:
        ctx.turned = turned
        with torch.autocast(dense.device.type, enabled=False):
            return matrix @ dense.float()

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return ctx.turned @ slopes[0], None, None


class LightGCN(nn.Module):
    """Vectors of items and entities (LightGCN; He et al., SIGIR 2020).

    `taken` [users, n] and `told` [n, E] by relation are normalised adjacencies. A relation has one
    weight, learned. The adjacencies are no buffers: several processes have the same ones, and what
    would keep them so (DistributedDataParallel) knows no sparse tensor.
    """

    def __init__(
        self, taken: sparse.csr_matrix, told: list[sparse.csr_matrix], spread: LightGCNConfig
    ) -> None:
        super().__init__()
        self.spread = spread
        self.relations = len(told)
        entities = told[0].shape[1] if told else 0
        self.own = nn.Parameter(0.1 * torch.randn(taken.shape[1], spread.embedding_dim))
        self.entities = nn.Parameter(0.1 * torch.randn(entities, spread.embedding_dim))
        self.weights = nn.Parameter(torch.zeros(len(told)))
        for one in (self.entities, self.weights):
            # Several processes wait for the gradient of whatever may have one.
            one.requires_grad_(bool(told))
        self._edges: dict[str, Tensor] = {}
        for name, matrix in [("taken", taken), *[(f"told{n}", m) for n, m in enumerate(told)]]:
            self._edges[name] = _tensor(matrix)
            self._edges[f"{name}_turned"] = _tensor(matrix.T)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """States [P, D] of the users less the item that is to be found, and all items [n, D]."""
        items, lent, _ = self.layers()
        users = self._times("taken", lent)[batch["user"]]
        users = users - batch["share"][:, None] * lent[batch["item"]]
        return functional.normalize(users, dim=1), functional.normalize(items, dim=1)

    def layers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Items [n, D], what they lend [n, D], and what entities lend [E, D]."""
        items: Tensor = self.own
        entities: Tensor = self.entities
        if self.training and self.spread.dropout:
            kept = torch.rand(len(items), 1, device=items.device) >= self.spread.dropout
            items = items * kept
        whole, lent, lasting = items, items, entities
        for layer in range(self.spread.num_layers):
            over = self._times("taken_turned", self._times("taken", items))
            for relation in range(self.relations):
                weight = functional.softplus(self.weights[relation])
                over = over + weight * self._times(f"told{relation}", entities)
            entities = self._about(items)
            items = over
            whole = whole + items
            if layer + 1 < self.spread.num_layers:
                lent, lasting = lent + items, lasting + entities
        share = 1 / (self.spread.num_layers + 1)
        return whole * share, lent * share, lasting * share

    def _about(self, items: Tensor) -> Tensor:
        """The entities [E, D] as their items make them."""
        found = torch.zeros_like(self.entities)
        for relation in range(self.relations):
            weight = functional.softplus(self.weights[relation])
            found = found + weight * self._times(f"told{relation}_turned", items)
        return found

    def _times(self, name: str, dense: Tensor) -> Tensor:
        other = name.removesuffix("_turned") if name.endswith("_turned") else f"{name}_turned"
        for one in (name, other):
            self._edges[one] = self._edges[one].to(dense.device)
        found: Tensor = _Times.apply(dense, self._edges[name], self._edges[other])  # type: ignore[no-untyped-call]
        return found


def trained(
    edges: GraphEdges,
    spread: LightGCNConfig,
    training: TrainingConfig,
    context: FitContext,
    *,
    validate: Validate | None,
    best: int,
    identity: Mapping[str, Any],
) -> LightGCNResult:
    """What a network learns from the edges between users and items, user by user.

    `best`: how many epochs an earlier fit found best, 0 for none.
    """
    require_memory(_needs(edges, spread, training), "training `graph`")
    with seeded(context.seed):
        network = LightGCN(edges.taken, edges.told, spread)
    events = edges.taken.tocoo()
    several = np.diff(edges.taken.indptr)[events.row] > 1
    epochs = 0
    if several.any():
        rows: Batch = {
            "user": events.row[several].astype(np.int64),
            "item": events.col[several].astype(np.int64),
            "share": events.data[several],
        }
        batches = ArrayBatches(rows, training.batch_size, seed=context.seed)
        outcome = train_with_context(
            context,
            network,
            TrainingTask(batches, _objective, validate=validate, metric=METRIC),
            training,
            best_epoch=best,
            identity=identity,
            name="graph",
        )
        epochs = outcome.best_epoch
    network.eval()
    with torch.no_grad():
        found = [one.cpu().numpy() for one in network.layers()]
        weights = functional.softplus(network.weights).cpu().numpy()
    return LightGCNResult(LayerOutputs(*found), weights, epochs)


def _needs(edges: GraphEdges, spread: LightGCNConfig, training: TrainingConfig) -> dict[str, int]:
    """Bytes by setting, roughly: weights, what spreads over all nodes, one batch."""
    users, items = edges.taken.shape
    nodes = items + max((one.shape[1] for one in edges.told), default=0)
    spreading = 2 * (users + nodes) * (spread.num_layers + 1) + 6 * training.batch_size
    return {
        "embedding_dim": weight_bytes(nodes * spread.embedding_dim)
        + 4 * spreading * spread.embedding_dim,
        "training.batch_size": 4 * 3 * training.batch_size * spread.num_negatives,
    }


def validation(held: ValidationSet, rows: Int32Array, histories: sparse.csr_matrix) -> Validate:
    """NDCG of held-out questions. `rows` int32 [n_items]: the row of each item from 1 on, 0: none.

    `histories` [B, n]: what every item that the network knows counts in each question.
    """
    asked = RankingValidation(held, rows, 1)
    known = torch.from_numpy(np.diff(histories.indptr) > 0)

    def ndcg(network: Any) -> float:
        items, lent, _ = network.layers()
        items = functional.normalize(items, dim=1)
        users = functional.normalize(_tensor(histories).to(lent.device) @ lent, dim=1)
        users[~known] = torch.nan  # as the stage answers: a history that is not known finds nothing
        batches = asked.batches(len(items))
        return asked.ndcg_of_scores((rows, users[rows] @ items.T) for rows in batches)

    return ndcg


def _objective(network: Any, batch: Mapping[str, Tensor]) -> Tensor:
    states, table = network(batch)
    spread = getattr(network, "module", network).spread
    states = states / spread.temperature
    if spread.num_negatives == 0 or spread.num_negatives >= len(table):
        return full_softmax(states, table, batch["item"])
    drawn = torch.randint(len(table), (spread.num_negatives,), device=table.device)
    expected = torch.full(
        (spread.num_negatives,),
        float(np.log(spread.num_negatives / len(table))),
        device=table.device,
    )
    return sampled_softmax(
        states, table[batch["item"]], table[drawn], batch["item"], drawn, expected
    )


def _tensor(matrix: sparse.csr_matrix) -> Tensor:
    rows = matrix.tocsr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta state"
        return torch.sparse_csr_tensor(
            torch.from_numpy(rows.indptr.astype(np.int64)),
            torch.from_numpy(rows.indices.astype(np.int64)),
            torch.from_numpy(rows.data.astype(np.float32)),
            rows.shape,
            check_invariants=False,
        )
