"""Training of `plait.models.graph.graph_recommender`: vectors that are propagated over a graph."""

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

from plait.data.array_types import Float32Array, Int32Array
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.batches import ArrayBatches, Batch
from plait.training.config import TrainingConfig
from plait.training.losses import full_softmax, sampled_softmax
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.seeding import seeded
from plait.training.trainer import TrainingTask, Validate, train_with_context

__all__ = [
    "GraphEdges",
    "LayerOutputs",
    "LightGCN",
    "LightGCNConfig",
    "LightGCNResult",
    "LightGCNWeights",
    "train_lightgcn",
    "validation_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class GraphEdges:
    """Normalised adjacency matrices.

    Attributes:
        interactions: CSR [users, n].
        relations: For each relation CSR [n, E], the entities of items.
    """

    interactions: sparse.csr_matrix
    relations: list[sparse.csr_matrix]

    @property
    def n_entities(self) -> int:
        """The number of entities."""
        return int(self.relations[0].shape[1]) if self.relations else 0


@dataclass(frozen=True, slots=True)
class LightGCNConfig:
    """How vectors are propagated and compared; the settings of `GraphConfig` of the same names.

    Attributes:
        embedding_dim: The size of a vector.
        num_layers: Propagation steps.
        num_negatives: Sampled negatives; 0: all items.
        temperature: Cosines are divided by it.
        dropout: How often an item's own vector is dropped in training.
    """

    embedding_dim: int
    num_layers: int
    num_negatives: int
    temperature: float
    dropout: float


@dataclass(frozen=True, slots=True, eq=False)
class LightGCNWeights:
    """The weights of a network.

    Attributes:
        items: float32 [n, D], the embeddings of items.
        entities: float32 [E, D], those of entities.
        relations: float32 [R], the logit of each relation.
    """

    items: Float32Array
    entities: Float32Array
    relations: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class LayerOutputs:
    """Propagated vectors.

    Attributes:
        items: float32 [n, D], the mean over layers.
        item_messages: float32 [n, D], what an item passes to its users.
        entity_messages: float32 [E, D], what an entity passes to its items.
    """

    items: Float32Array
    item_messages: Float32Array
    entity_messages: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class LightGCNResult:
    """The result of a fit.

    Attributes:
        layers: The propagated vectors.
        relation_weights: float32, a weight for each relation.
        weights: What was learned, before it is propagated.
        epochs: The best number of epochs; all epochs if there was no validation set.
    """

    layers: LayerOutputs
    relation_weights: Float32Array
    weights: LightGCNWeights
    epochs: int


class _SparseProduct(torch.autograd.Function):
    """A constant sparse matrix times a dense one; its transpose in the backward pass.

    In float32 whatever the precision: sparse products have no bfloat16 on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.transpose = transpose
        with torch.autocast(dense.device.type, enabled=False):
            return matrix @ dense.float()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.transpose @ gradients[0], None, None


class LightGCN(nn.Module):
    """Vectors of items and entities (LightGCN; He et al., SIGIR 2020), a weight for each relation.

    The adjacency matrices are not buffers: all processes have the same ones, and
    DistributedDataParallel, which synchronises buffers, does not support sparse tensors.

    Args:
        edges: The graph.
        config: How vectors are propagated and compared.
    """

    def __init__(self, edges: GraphEdges, config: LightGCNConfig) -> None:
        super().__init__()
        self.config = config
        self.n_relations = len(edges.relations)
        dim, n_items = config.embedding_dim, edges.interactions.shape[1]
        self.item_vectors = nn.Parameter(0.1 * torch.randn(n_items, dim))
        self.entity_vectors = nn.Parameter(0.1 * torch.randn(edges.n_entities, dim))
        self.relation_logits = nn.Parameter(torch.zeros(self.n_relations))
        for parameter in (self.entity_vectors, self.relation_logits):
            # Several processes wait for the gradient of every parameter that requires one.
            parameter.requires_grad_(bool(self.n_relations))
        self._edges: dict[str, Tensor] = {}
        matrices = {"interactions": edges.interactions}
        matrices |= {f"relation{n}": matrix for n, matrix in enumerate(edges.relations)}
        for name, matrix in matrices.items():
            self._edges[name] = _sparse_tensor(matrix)
            self._edges[f"{name}{_TRANSPOSED}"] = _sparse_tensor(matrix.T)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Compute states and item vectors, both of length 1.

        Args:
            batch: `user` and `item` int64 [P], and `share` float32 [P], the edge between them.

        Returns:
            States float32 [P, D] of the users without the item to predict, and float32 [n, D].
        """
        items, messages, _ = self.layers()
        users = self._propagate("interactions", messages)[batch["user"]]
        users = users - batch["share"][:, None] * messages[batch["item"]]
        return functional.normalize(users, dim=1), functional.normalize(items, dim=1)

    def layers(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return items [n, D], item messages [n, D] and entity messages [E, D]."""
        items: Tensor = self.item_vectors
        entities: Tensor = self.entity_vectors
        if self.training and self.config.dropout:
            draws = torch.rand(len(items), 1, device=items.device)
            items = items * (draws >= self.config.dropout)
        num_layers = self.config.num_layers
        item_sum, item_messages, entity_messages = items, items, entities
        for layer in range(num_layers):
            users = self._propagate("interactions", items)
            propagated = self._propagate(f"interactions{_TRANSPOSED}", users)
            for relation in range(self.n_relations):
                weight = functional.softplus(self.relation_logits[relation])
                propagated = propagated + weight * self._propagate(f"relation{relation}", entities)
            entities = self._entities_of(items)
            items = propagated
            item_sum = item_sum + items
            if layer + 1 < num_layers:
                item_messages, entity_messages = item_messages + items, entity_messages + entities
        share = 1 / (num_layers + 1)
        return item_sum * share, item_messages * share, entity_messages * share

    def weights(self) -> LightGCNWeights:
        """Return the weights as arrays."""
        parameters = (self.item_vectors, self.entity_vectors, self.relation_logits)
        return LightGCNWeights(*(tensor.detach().cpu().numpy() for tensor in parameters))

    def start_from(self, weights: LightGCNWeights) -> None:
        """Replace the initial weights.

        Args:
            weights: Weights of the same shapes; where they are NaN the initial ones stay.
        """
        for parameter, array in (
            (self.item_vectors, weights.items),
            (self.entity_vectors, weights.entities),
            (self.relation_logits, weights.relations),
        ):
            learned = torch.from_numpy(array)
            parameter.data = torch.where(learned.isnan(), parameter.data, learned)

    def relation_weights(self) -> Tensor:
        """Return the weight of every relation."""
        return functional.softplus(self.relation_logits)

    def _entities_of(self, items: Tensor) -> Tensor:
        """Entity vectors [E, D] propagated from items."""
        entities = torch.zeros_like(self.entity_vectors)
        for relation in range(self.n_relations):
            weight = functional.softplus(self.relation_logits[relation])
            name = f"relation{relation}{_TRANSPOSED}"
            entities = entities + weight * self._propagate(name, items)
        return entities

    def _propagate(self, name: str, dense: Tensor) -> Tensor:
        is_transposed = name.endswith(_TRANSPOSED)
        transpose = name.removesuffix(_TRANSPOSED) if is_transposed else f"{name}{_TRANSPOSED}"
        for edges in (name, transpose):
            self._edges[edges] = self._edges[edges].to(dense.device)
        matrices = (self._edges[name], self._edges[transpose])
        product: Tensor = _SparseProduct.apply(dense, *matrices)  # type: ignore[no-untyped-call]
        return product


_TRANSPOSED = "_transposed"


def train_lightgcn(
    edges: GraphEdges,
    config: LightGCNConfig,
    training: TrainingConfig,
    context: FitContext,
    *,
    validate: Validate | None,
    best_epoch: int,
    start: LightGCNWeights | None = None,
    identity: Mapping[str, Any],
) -> LightGCNResult:
    """Train vectors on the interactions of users with two items or more.

    Args:
        edges: The graph.
        config: How vectors are propagated and compared.
        training: How they are trained.
        context: How the stage is fitted.
        validate: The metric of early stopping, or None.
        best_epoch: The best epoch of an earlier fit, 0 for none.
        start: Weights to start from, NaN where initial ones are drawn; None: all are drawn.
        identity: What makes two runs the same.

    Raises:
        InputError: A setting needs more memory than there is.
    """
    require_memory(_memory_needs(edges, config, training), "training `graph`")
    with seeded(context.seed):
        network = LightGCN(edges, config)
    if start is not None:
        network.start_from(start)
    events = edges.interactions.tocoo()
    has_others = np.diff(edges.interactions.indptr)[events.row] > 1
    epochs = 0
    if has_others.any():
        rows: Batch = {
            "user": events.row[has_others].astype(np.int64),
            "item": events.col[has_others].astype(np.int64),
            "share": events.data[has_others],
        }
        batches = ArrayBatches(rows, training.batch_size, seed=context.seed)
        task = TrainingTask(batches, _objective, validate=validate, metric=METRIC)
        result = train_with_context(
            context,
            network,
            task,
            training,
            identity=identity,
            name="graph",
            best_epoch=best_epoch,
        )
        epochs = result.best_epoch
    network.eval()
    with torch.no_grad():
        layers = LayerOutputs(*(tensor.cpu().numpy() for tensor in network.layers()))
        relation_weights = network.relation_weights().cpu().numpy()
        return LightGCNResult(layers, relation_weights, network.weights(), epochs)


def _memory_needs(
    edges: GraphEdges, config: LightGCNConfig, training: TrainingConfig
) -> dict[str, int]:
    """Bytes by setting, roughly: weights, vectors of all nodes in all layers, one batch."""
    n_users, n_items = edges.interactions.shape
    nodes = n_items + edges.n_entities
    vectors = 2 * (n_users + nodes) * (config.num_layers + 1) + 6 * training.batch_size
    dim = config.embedding_dim
    return {
        "embedding_dim": weight_bytes(nodes * dim) + 4 * vectors * dim,
        "training.batch_size": 4 * 3 * training.batch_size * config.num_negatives,
    }


def validation_of(
    validation: ValidationSet, rows: Int32Array, histories: sparse.csr_matrix
) -> Validate:
    """Return a function that computes NDCG@10 of a network as the stage would rank.

    Args:
        validation: Held-out queries and targets.
        rows: int32 [n_items], the row of each item from 1; 0 for items without one.
        histories: CSR [B, n], the weight of every item in the history of each query.
    """
    ranking = RankingValidation(validation, rows, 1)
    has_history = torch.from_numpy(np.diff(histories.indptr) > 0)

    def ndcg(network: Any) -> float:
        items, messages, _ = network.layers()
        items = functional.normalize(items, dim=1)
        weights = _sparse_tensor(histories).to(messages.device)
        users = functional.normalize(weights @ messages, dim=1)
        users[~has_history] = torch.nan  # the stage retrieves nothing for such a query
        batches = ranking.batches(len(items))
        return ranking.ndcg_of_scores((numbers, users[numbers] @ items.T) for numbers in batches)

    return ndcg


def _objective(network: Any, batch: Mapping[str, Tensor]) -> Tensor:
    states, table = network(batch)
    config = getattr(network, "module", network).config
    states = states / config.temperature
    count = config.num_negatives
    if count == 0 or count >= len(table):
        return full_softmax(states, table, batch["item"])
    drawn = torch.randint(len(table), (count,), device=table.device)
    log_expected = torch.full((count,), float(np.log(count / len(table))), device=table.device)
    return sampled_softmax(
        states, table[batch["item"]], table[drawn], batch["item"], drawn, log_expected
    )


def _sparse_tensor(matrix: sparse.csr_matrix) -> Tensor:
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
