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

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.errors import InputError
from plait.features.incremental_updates import ItemUpdates, overlay_items, updates_in
from plait.features.side_information import SideFeatures
from plait.features.sparse_rows import SparseRows, decayed_history
from plait.features.vector_math import l2_normalize
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import FitContext
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["FittedGraph", "Graph", "GraphConfig", "GraphEmbeddings", "propagated"]


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


@dataclass(frozen=True, slots=True, eq=False)
class GraphEmbeddings:
    """What is learned before it is propagated: where a later fit goes on from.

    Attributes:
        items: float32 [n, D], by item number; NaN for items that were not trained.
        entities: float32 [E, D], in the order of the features.
        relations: float32 [R], the logit of each relation, in the order of their names.
    """

    items: Float32Array
    entities: Float32Array
    relations: Float32Array

    @staticmethod
    def empty() -> GraphEmbeddings:
        """Return those of no item."""
        vectors = np.zeros((0, 1), np.float32)
        return GraphEmbeddings(vectors, vectors, np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class FittedGraph:
    """The result of a fit.

    Attributes:
        items: float32 [n, D], of length 1; NaN for unknown items.
        messages: float32 [n, D], what items pass to their users.
        entity_messages: float32 [E, D], what entities pass to items, times the weight of their
            relation.
        features: How fields and triples become entities.
        embeddings: Where a later fit goes on from.
        epochs: The best number of epochs, for a fit without validation set; under a warm start that
            of the first fit.
    """

    items: Float32Array
    messages: Float32Array
    entity_messages: Float32Array
    features: SideFeatures
    embeddings: GraphEmbeddings
    epochs: int

    @staticmethod
    def empty() -> FittedGraph:
        """Return a fit that knows no item."""
        vectors = np.zeros((0, 1), np.float32)
        features, embeddings = SideFeatures([], {}), GraphEmbeddings.empty()
        return FittedGraph(vectors, vectors, vectors, features, embeddings, 0)


class Graph(DenseScorer[GraphConfig]):
    """Scores an item by the cosine of its vector and the user's."""

    Config = GraphConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_model": FittedGraph, "_has_events": BoolArray}
    test_variants = (
        {"use_triples": False, "num_negatives": 4, "training": {"epochs": 2, "batch_size": 64}},
    )

    def __init__(self, config: GraphConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._model = FittedGraph.empty()
        self._has_events: BoolArray = np.zeros(0, np.bool_)
        """[n]."""

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

        Under a warm start the embeddings of the earlier fit are the initial ones of its items and
        entities.

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
        fitted._model = FittedGraph.empty()
        if n_events.any():
            from plait.models.graph.graph_fit import GraphFit

            fitted._model = GraphFit(self.config, dataset).train(context, self._model)
        return fitted

    @property
    def can_warm_start(self) -> bool:
        """Whether there are embeddings of an earlier fit."""
        return len(self._model.embeddings.items) > 0

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[Float32Array] | None:
        model = self._model
        if not self.config.use_triples:
            return None
        updates: ItemUpdates[Float32Array] = ItemUpdates.empty(
            version, np.zeros((0, model.items.shape[1]), np.float32)
        )
        if isinstance(previous, ItemUpdates):
            updates = previous
        numbers = updates.changed_outside(catalogue, self._has_events)
        features = model.features.matrix(catalogue, numbers.tolist(), [])
        vectors = [
            updates.values[updates.retained(numbers)],
            propagated(features, model.entity_messages),
        ]
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
        return self._model.items

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
            return self._model.items, self._model.messages
        numbers, vectors = updates.item_numbers, updates.values
        return (
            overlay_items(self._model.items, numbers, l2_normalize(vectors)),
            overlay_items(self._model.messages, numbers, vectors),
        )


def propagated(features: sparse.csr_matrix, entity_messages: Float32Array) -> Float32Array:
    """Sum what entities pass to items.

    Args:
        features: CSR [N, E], the entities of items.
        entity_messages: float32 [E, D].

    Returns:
        float32 [N, D]; NaN for items without entities.
    """
    vectors = np.asarray(features @ entity_messages, np.float32)
    vectors[np.diff(features.indptr) == 0] = np.nan
    return vectors
