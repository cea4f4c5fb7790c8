"""Vectors propagated over the graph of users, items and entities.

LightGCN (He et al., SIGIR 2020): an item's vector is the mean over layers of what reaches it, each
layer one step from items over their users to other items. Users have no vector of their own:

    user = sum over the history of decay^age / sqrt(users of the item) * (message of the item)

The same sum serves known and unknown users, always from the history in the query. In training the
item to predict is left out of it. Cosines are learned by a softmax over items instead of one
negative at a time (Wu et al., TOIS 2024).

With `use_triples` the graph also holds entities, which are values of fields and ends of
knowledge-graph triples, with one weight for each relation; it follows knowledge graph attention
(KGAT; Wang et al., KDD 2019) with a weight in place of attention. Then an item without
interactions, or one that came after the fit, has the vector that its entities give it. Items
without interaction and entity are NaN. So is everything if no user has two items and no item an
entity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.errors import InputError
from plait.features.incremental_updates import ItemUpdates, overlay_items, updates_in
from plait.features.interactions import interaction_matrix
from plait.features.item_vocabulary import Vocabulary, stable_order
from plait.features.side_information import SideFeatures, triple_words
from plait.features.sparse_rows import SparseRows, decayed_history
from plait.features.vector_math import l2_normalize
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["Graph", "GraphConfig", "normalize_adjacency"]

_MAX_SHARE = 0.5
"""Entities of a larger share of the items are left out."""


@dataclass(frozen=True, slots=True)
class GraphConfig:
    """Settings of `graph`."""

    use_triples: bool = True
    """Whether fields and triples are part of the graph."""
    embedding_dim: int = tunable(64, Range(16, 256, log=True), Limit(least=1))
    """The size of a vector."""
    num_layers: int = tunable(2, Range(1, 4), Limit(least=0))
    """Propagation steps over users (and entities); 0, only without `use_triples`: none."""
    num_negatives: int = tunable(1024, Range(128, 8192, log=True), Limit(least=0))
    """Sampled negatives of an optimizer step; 0: all items."""
    temperature: float = tunable(0.1, Range(0.03, 0.5, log=True), Limit(above=0))
    """Cosines are divided by this: smaller values weight the hardest negatives more."""
    dropout: float = tunable(0.1, Range(0.0, 0.5), Limit(least=0, below=1))
    """How often, in training, an item's own vector is dropped."""
    min_entity_items: int = bounded_field(2, Limit(least=1))
    """Entities of fewer items are left out."""
    basket_decay: float = tunable(0.7, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history relative to the one after it."""
    max_baskets: int = bounded_field(50, Limit(least=0))
    """Baskets of the history that are read; 0: all."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=20, batch_size=4096, learning_rate=0.01, patience=3
        )
    )
    """How the vectors are trained: see docs/training.md."""


class Graph(DenseScorer[GraphConfig]):
    """Scores an item by the cosine of its vector and the user's."""

    Config = GraphConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_items": Float32Array,
        "_messages": Float32Array,
        "_entity_messages": Float32Array,
        "_has_events": BoolArray,
        "_features": SideFeatures,
        "_epochs": int,
    }
    test_variants = (
        {"use_triples": False, "num_negatives": 4, "training": {"epochs": 2, "batch_size": 64}},
    )

    def __init__(self, config: GraphConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        empty = np.zeros((0, 1), np.float32)
        self._items: Float32Array = empty
        """[n, D], of length 1; NaN for unknown items."""
        self._messages: Float32Array = empty
        """[n, D], what items pass to their users."""
        self._entity_messages: Float32Array = empty
        """[E, D], what entities pass to items, times the weight of their relation."""
        self._has_events: BoolArray = np.zeros(0, np.bool_)
        """[n]."""
        self._features = SideFeatures([], {})
        self._epochs = 0
        """The best number of epochs, for a fit without validation set."""

    def _check(self) -> None:
        if self.config.use_triples and not self.config.num_layers:
            raise InputError(
                f"{self.name}.num_layers is 0, expected 1 or more with use_triples",
                hint="set use_triples = false",
                field=f"{self.name}.num_layers",
            )

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        return self.train(dataset, FitContext(seed))

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Train until validation stops improving, or as long as an earlier fit found best.

        Args:
            dataset: The data.
            context: How the stage is fitted.

        Raises:
            MissingExtraError: torch is not installed.
            PlaitError: What `plait.training.trainer.train` raises.
        """
        require_extra(f"the stage {self.name!r}")
        fitted = self.clone()
        n_events = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
        fitted._has_events = n_events > 0
        if n_events.any():
            _GraphFit(self.config, dataset).train_into(fitted, context, self._epochs)
        return fitted

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[Float32Array] | None:
        if not self.config.use_triples:
            return None
        updates: ItemUpdates[Float32Array] = ItemUpdates.empty(
            version, np.zeros((0, self._items.shape[1]), np.float32)
        )
        if isinstance(previous, ItemUpdates):
            updates = previous
        numbers = updates.changed_outside(catalogue, self._has_events)
        features = self._features.matrix(catalogue, numbers.tolist(), [])
        vectors = [updates.values[updates.retained(numbers)], self._propagated(features)]
        return updates.extended(catalogue, numbers, np.concatenate(vectors))

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """Return cosines.

        Args:
            queries: B queries.

        Returns:
            float32 [B, n]; NaN for unknown items and for histories without a known item.
        """
        items, messages = self._vectors(queries)
        scores: Float32Array = self._users(queries, items, messages) @ items.T
        return scores

    def item_vectors(self) -> Float32Array:
        """Return the vectors of items, float32 [n, D], of length 1; NaN for unknown items."""
        return self._items

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Compute the vectors of users; their products with `item_vectors` are the scores.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D], of length 1; NaN for histories without a known item.
        """
        return self._users(queries, *self._vectors(queries))

    def _users(
        self, queries: QueryBatch, items: Float32Array, messages: Float32Array
    ) -> Float32Array:
        known = self._known_history(queries, items)
        users: Float32Array = l2_normalize(known.projected(messages))
        users[np.diff(known.offsets) == 0] = np.nan
        return users

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        items, messages = self._vectors(queries)
        known = self._known_history(queries, items).sum_duplicates()
        explained_by = np.full(numbers.shape, ABSENT, np.int32)
        for row in range(len(queries)):
            entries = slice(known.offsets[row], known.offsets[row + 1])
            past, weights = known.columns[entries], known.weights[entries]
            is_known = (numbers[row] >= 0) & (numbers[row] < len(items))
            is_known[is_known] = ~np.isnan(items[numbers[row][is_known], 0])
            if len(past) and is_known.any():
                contributions = (items[numbers[row][is_known]] @ messages[past].T) * weights
                explained_by[row, is_known] = past[contributions.argmax(axis=1)]
        return explained_by

    def _known_history(self, queries: QueryBatch, items: Float32Array) -> SparseRows:
        """The decayed events of items that have a vector."""
        config = self.config
        history = decayed_history(
            queries.effective_history, config.basket_decay, len(items), config.max_baskets
        )
        return history.where(~np.isnan(items[history.columns, 0]))

    def _vectors(self, queries: QueryBatch) -> tuple[Float32Array, Float32Array]:
        """Item vectors of length 1 and messages, with the items that came after the fit."""
        updates = updates_in(queries, self.name)
        if updates is None:
            return self._items, self._messages
        numbers, vectors = updates.item_numbers, updates.values
        return (
            overlay_items(self._items, numbers, l2_normalize(vectors)),
            overlay_items(self._messages, numbers, vectors),
        )

    def _propagated(self, features: sparse.csr_matrix) -> Float32Array:
        """float32 [N, D]: what entities pass to items; NaN for items without."""
        vectors = np.asarray(features @ self._entity_messages, np.float32)
        vectors[np.diff(features.indptr) == 0] = np.nan
        return vectors


class _GraphFit:
    """One fit: items and users with an event, in an order that does not depend on numbers."""

    def __init__(self, config: GraphConfig, dataset: Dataset) -> None:
        self._config, self._dataset = config, dataset
        self._items = Vocabulary.of(dataset)
        self._triples = triple_words(dataset.triples, dataset.n_items) if config.use_triples else []
        self._features = SideFeatures([], {})
        if config.use_triples:
            self._features = SideFeatures.fit(
                dataset.catalogue,
                self._triples,
                min_count=config.min_entity_items,
                max_share=_MAX_SHARE,
                numeric_bins=0,
            )
        relations = np.array([relation for relation, _ in self._features.words], np.str_)
        self._groups = [np.flatnonzero(relations == name) for name in sorted({*relations})]
        """The columns of every relation."""

    def train_into(self, stage: Graph, context: FitContext, best_epoch: int) -> None:
        """Train, and set the fitted attributes of `stage`."""
        from plait.models.graph.lightgcn import (
            GraphEdges,
            LightGCNConfig,
            train_lightgcn,
            validation_of,
        )

        config, dataset = self._config, self._dataset
        users = stable_order(dataset.interactions.users, dataset.users)
        matrix = interaction_matrix(dataset)[users][:, self._items.numbers]
        entities = self._entities(self._items.numbers)
        edges = GraphEdges(
            normalize_adjacency(matrix),
            [normalize_adjacency(_keep_columns(entities, group)) for group in self._groups],
        )
        counts = np.bincount(edges.interactions.indices, minlength=len(self._items))
        rarity = np.float32(1) / np.sqrt(np.maximum(counts, 1)).astype(np.float32)
        validate = None
        if context.held is not None:
            histories = self._histories(context.held, rarity)
            validate = validation_of(context.held, self._items.rows, histories)
        result = train_lightgcn(
            edges,
            LightGCNConfig(
                config.embedding_dim,
                config.num_layers,
                config.num_negatives,
                config.temperature,
                config.dropout,
            ),
            config.training,
            context,
            validate=validate,
            best_epoch=best_epoch,
            identity=self._identity(edges.interactions, edges.relations),
        )
        if not result.epochs and not self._groups:
            return  # no user has two items: the vectors are still random
        layers = result.layers
        stage._features, stage._epochs = self._features, result.epochs
        stage._entity_messages = self._weighted(
            layers.entity_messages, result.relation_weights, entities
        )
        self._set_items(stage, layers.items, layers.item_messages * rarity[:, None])

    def _histories(self, validation: ValidationSet, rarity: Float32Array) -> sparse.csr_matrix:
        """float32 [B, n]: the weight of each item in the queries, as in `Graph.score_all`."""
        config = self._config
        history = decayed_history(
            validation.queries.effective_history,
            config.basket_decay,
            self._dataset.n_items,
            config.max_baskets,
        )
        encoded = self._items.encode(history)
        weights = (encoded.weights * rarity[encoded.columns]).astype(np.float32)
        shape = (len(encoded), len(self._items))
        return sparse.csr_matrix((weights, encoded.columns, encoded.offsets), shape=shape)

    def _identity(
        self, interactions: sparse.csr_matrix, relations: Sequence[sparse.csr_matrix]
    ) -> dict[str, object]:
        """What an interrupted fit is recognised by."""
        from plait.training.run_identity import fingerprint, identity_of

        edges = [array for matrix in relations for array in (matrix.indptr, matrix.indices)]
        return identity_of(
            "graph",
            self._config,
            vocabulary=fingerprint(self._items.numbers),
            histories=fingerprint(interactions.indptr, interactions.indices),
            knowledge=fingerprint(*edges),
        )

    def _entities(self, items: Int32Array | Int64Array) -> sparse.csr_matrix:
        """CSR [N, E]: the entities of items."""
        return self._features.matrix(self._dataset.catalogue, items.tolist(), self._triples)

    def _weighted(
        self, messages: Float32Array, weights: Float32Array, entities: sparse.csr_matrix
    ) -> Float32Array:
        """float32 [E, D]: what an entity passes to one more item, with its relation's weight."""
        counts = np.bincount(entities.indices, minlength=len(messages))
        scale = np.zeros(len(messages), np.float32)
        for group, weight in zip(self._groups, weights, strict=True):
            scale[group] = weight / np.sqrt(np.maximum(counts[group], 1))
        weighted: Float32Array = (messages * scale[:, None]).astype(np.float32)
        return weighted

    def _set_items(self, stage: Graph, items: Float32Array, messages: Float32Array) -> None:
        """Set vectors by item number; those of items without events come from their entities."""
        shape = (self._dataset.n_items, items.shape[1])
        stage._items, stage._messages = (np.full(shape, np.nan, np.float32) for _ in range(2))
        numbers = self._items.numbers
        stage._items[numbers], stage._messages[numbers] = l2_normalize(items), messages
        others = np.flatnonzero(~stage._has_events & self._dataset.catalogue.alive)
        if len(self._features.words) and len(others):
            vectors = stage._propagated(_normalize_relations(self._entities(others), self._groups))
            stage._items[others], stage._messages[others] = l2_normalize(vectors), vectors


def normalize_adjacency(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Divide ones by the square roots of the degrees of row and column.

    Args:
        matrix: CSR [R, C]; its values are ignored.

    Returns:
        float32 CSR [R, C].
    """
    adjacency = matrix.tocsr().copy()
    adjacency.data = np.ones(adjacency.nnz, np.float32)
    column_degrees = np.bincount(adjacency.indices, minlength=adjacency.shape[1])
    rows = np.sqrt(np.maximum(np.diff(adjacency.indptr), 1))
    columns = np.sqrt(np.maximum(column_degrees, 1))
    scaled = sparse.diags_array(1 / rows) @ adjacency @ sparse.diags_array(1 / columns)
    return scaled.tocsr().astype(np.float32)


def _keep_columns(matrix: sparse.csr_matrix, columns: Int64Array) -> sparse.csr_matrix:
    """The same matrix without entries outside `columns`."""
    retained = np.zeros(matrix.shape[1], np.float64)
    retained[columns] = 1
    selected = (matrix @ sparse.diags_array(retained)).tocsr()
    selected.eliminate_zeros()
    return selected


def _normalize_relations(
    entities: sparse.csr_matrix, groups: Sequence[Int64Array]
) -> sparse.csr_matrix:
    """The same entries; those of a row have length 1 within each relation, as in a fit."""
    normalized = entities.tocsr().copy()
    relation = np.zeros(normalized.shape[1], np.int64)
    for number, group in enumerate(groups):
        relation[group] = number
    rows = np.repeat(np.arange(normalized.shape[0]), np.diff(normalized.indptr))
    cells = rows * len(groups) + relation[normalized.indices]
    normalized.data = 1 / np.sqrt(np.bincount(cells)[cells])
    return normalized
