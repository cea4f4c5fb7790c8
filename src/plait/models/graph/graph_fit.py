"""Trains `graph` on a data set: the graph, the validation set, and the vectors of all items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, Int32Array, Int64Array
from plait.data.dataset import Dataset
from plait.features.interactions import interaction_matrix
from plait.features.item_vocabulary import Vocabulary, stable_order
from plait.features.side_information import SideFeatures, triple_words
from plait.features.sparse_rows import decayed_history
from plait.features.vector_math import l2_normalize
from plait.models.graph.graph_recommender import (
    FittedGraph,
    GraphConfig,
    GraphEmbeddings,
    propagated,
)
from plait.models.graph.lightgcn import (
    GraphEdges,
    LightGCNConfig,
    LightGCNWeights,
    train_lightgcn,
    validation_of,
)
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.run_identity import fingerprint, identity_of

__all__ = ["GraphFit", "normalize_adjacency"]

_MAX_SHARE = 0.5
"""Entities of a larger share of the items are left out."""


class GraphFit:
    """One fit: items and users with an event, in an order that does not depend on numbers.

    Args:
        config: The settings of the stage.
        dataset: The data.
    """

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
        self._groups = [np.flatnonzero(relations == name) for name in _relations(self._features)]
        """The columns of every relation."""

    def train(self, context: FitContext, earlier: FittedGraph) -> FittedGraph:
        """Train.

        Args:
            context: How the stage is fitted.
            earlier: An earlier fit, whose best number of epochs is retained; under a warm start its
                embeddings are the initial ones. Its items have the same numbers.

        Returns:
            The result; it knows no item if no user has two items and no item an entity.

        Raises:
            InputError: A setting needs more memory than there is.
        """
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
            best_epoch=earlier.epochs,
            start=self._start(earlier) if context.warm_start else None,
            identity=self._identity(edges.interactions, edges.relations),
        )
        if not result.epochs and not self._groups:
            return FittedGraph.empty()  # no user has two items: the vectors are still random
        layers, weights = result.layers, result.weights
        entity_messages = self._weighted(layers.entity_messages, result.relation_weights, entities)
        items, messages = self._all_items(
            layers.items, layers.item_messages * rarity[:, None], entity_messages
        )
        embeddings = GraphEmbeddings(
            self._by_number(weights.items), weights.entities, weights.relations
        )
        epochs = earlier.epochs if context.warm_start else result.epochs
        return FittedGraph(items, messages, entity_messages, self._features, embeddings, epochs)

    def _start(self, earlier: FittedGraph) -> LightGCNWeights:
        """The weights of an earlier fit for the rows of this one; NaN where it had none."""
        learned, numbers = earlier.embeddings, self._items.numbers
        items = np.full((len(numbers), self._config.embedding_dim), np.nan, np.float32)
        is_known = numbers < len(learned.items)
        items[is_known] = learned.items[numbers[is_known]]
        entities = np.full((len(self._features.words), items.shape[1]), np.nan, np.float32)
        places = {word: place for place, word in enumerate(earlier.features.words)}
        for place, word in enumerate(self._features.words):
            if word in places:
                entities[place] = learned.entities[places[word]]
        logits = dict(zip(_relations(earlier.features), learned.relations, strict=True))
        relations = [logits.get(name, np.nan) for name in _relations(self._features)]
        return LightGCNWeights(items, entities, np.array(relations, np.float32))

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

    def _all_items(
        self, items: Float32Array, messages: Float32Array, entity_messages: Float32Array
    ) -> tuple[Float32Array, Float32Array]:
        """Vectors and messages by item number; items without events have those of entities."""
        catalogue = self._dataset.catalogue
        vectors, passed = self._by_number(l2_normalize(items)), self._by_number(messages)
        is_other = catalogue.alive.copy()
        is_other[self._items.numbers] = False
        others = np.flatnonzero(is_other)
        if len(self._features.words) and len(others):
            entities = _normalize_relations(self._entities(others), self._groups)
            passed[others] = propagated(entities, entity_messages)
            vectors[others] = l2_normalize(passed[others])
        return vectors, passed

    def _by_number(self, rows: Float32Array) -> Float32Array:
        """float32 [n_items, D]: the rows of the vocabulary by item number; NaN for other items."""
        vectors = np.full((self._dataset.n_items, rows.shape[1]), np.nan, np.float32)
        vectors[self._items.numbers] = rows
        return vectors


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


def _relations(features: SideFeatures) -> list[str]:
    """The names of the relations, sorted."""
    return sorted({relation for relation, _ in features.words})
