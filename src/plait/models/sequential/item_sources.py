"""What the item vectors of a network are made of while it trains, and what a fit makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from scipy import sparse
from torch import nn

from plait.data.dataset import Dataset
from plait.features.item_vocabulary import Vocabulary
from plait.features.tfidf import Tfidf
from plait.models.sequential.item_embedding_table import FittedItems, ItemSpace
from plait.models.sequential.layers import FeatureEmbeddingBag
from plait.models.sequential.network import ItemEmbedding
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.models.sequential.sequential_recommender import SequenceConfig
from plait.training.run_identity import fingerprint

__all__ = ["IdsAndWords", "ItemSource", "feature_bag", "initial_ids"]


class ItemSource(Protocol):
    """The content of the items of one data set, and the module that makes vectors of it."""

    @property
    def n_features(self) -> int:
        """How many features have a learned vector."""

    @property
    def content_hash(self) -> str:
        """A hash of what the vectors are made of: a resumed run must share it."""

    def table(self, dim: int, seed: int, start: FittedItems | None) -> nn.Module:
        """Build the module that computes item vectors float32 [m + 1, D], the first for padding.

        Args:
            dim: The size of a vector.
            seed: The seed of the initial vectors, which are drawn from torch's generator.
            start: An earlier fit whose learned vectors are the initial ones; None: drawn ones.
        """

    def fitted(self, table: nn.Module) -> FittedItems:
        """Return the item vectors by number, ready for inference.

        Args:
            table: The module that `table` built, trained.
        """


@dataclass(frozen=True, slots=True, eq=False)
class IdsAndWords:
    """Vectors of items that are learned, plus those of their features.

    Attributes:
        config: The settings of the stage.
        dataset: The data.
        items: The items with an interaction.
        tfidf: How fields become features.
        features: float32 CSR [n, V], the features of all items; V is 0 if no field is read.
    """

    config: SequenceConfig
    dataset: Dataset
    items: Vocabulary
    tfidf: Tfidf
    features: sparse.csr_matrix

    @classmethod
    def of(
        cls,
        config: SequenceConfig,
        dataset: Dataset,
        items: Vocabulary,
        start: FittedItems | None,
    ) -> Self:
        """Read the features of items; in the words of an earlier fit, which its vectors belong to.

        Args:
            config: The settings of the stage.
            dataset: The data.
            items: The items with an interaction.
            start: An earlier fit whose vectors are the initial ones, or None.
        """
        if not config.use_item_features:
            none = sparse.csr_matrix((dataset.n_items, 0), dtype=np.float32)
            return cls(config, dataset, items, Tfidf(config.features), none)
        if start is None:
            return cls(config, dataset, items, *Tfidf.fit(config.features, dataset.catalogue))
        numbers = np.arange(dataset.n_items, dtype=np.int32)
        features = start.tfidf.vectors(dataset.catalogue, numbers)
        return cls(config, dataset, items, start.tfidf, features)

    @property
    def n_features(self) -> int:
        """How many features have a learned vector."""
        return int(self.features.shape[1])

    @property
    def content_hash(self) -> str:
        """A hash of the features of all items."""
        return fingerprint(self.features.indptr, self.features.indices, self.features.data)

    def table(self, dim: int, seed: int, start: FittedItems | None) -> ItemEmbedding:
        """Build the module of item vectors.

        Args:
            dim: The size of a vector.
            seed: The seed of the initial vectors.
            start: An earlier fit whose learned vectors are the initial ones; items that it did not
                know keep drawn ones.
        """
        bag = feature_bag(self.features[self.items.numbers], dim) if self.n_features else None
        table = ItemEmbedding(len(self.items), dim, bag, self.config.id_dropout)
        scale = self.config.pmi_init_scale
        scale = float(bag is None) if scale is None else scale
        if scale:
            initial = scale * pmi_embeddings(self.dataset, self.items, dim, seed)
            table.ids.data += torch.from_numpy(initial)
        if isinstance(start, ItemSpace):
            initial_ids(table.ids, self.items, start.id_vectors)
            if table.features is not None:
                table.features.vectors.data.copy_(torch.tensor(start.feature_vectors))
        return table

    def fitted(self, table: nn.Module) -> ItemSpace:
        """Return the item vectors by number.

        Args:
            table: The trained module.
        """
        assert isinstance(table, ItemEmbedding)
        learned = table.ids.detach().cpu().numpy()
        id_vectors = np.zeros((self.dataset.n_items, learned.shape[1]), np.float32)
        id_vectors[self.items.numbers] = learned
        feature_vectors = np.zeros((0, learned.shape[1]), np.float32)
        if table.features is not None:
            feature_vectors = table.features.vectors.detach().cpu().numpy()
        return ItemSpace.of(self.dataset, self.tfidf, self.features, id_vectors, feature_vectors)


def feature_bag(features: sparse.csr_matrix, dim: int) -> FeatureEmbeddingBag:
    """Build the module of vectors that are sums over features.

    Args:
        features: float32 CSR [m, V], the features of items.
        dim: The size of a vector.
    """
    return FeatureEmbeddingBag(
        torch.from_numpy(features.indices.astype(np.int64)),
        torch.from_numpy(features.data.astype(np.float32)),
        torch.from_numpy(features.indptr[:-1].astype(np.int64)),
        features.shape[1],
        dim,
    )


def initial_ids(ids: nn.Parameter, items: Vocabulary, learned: np.ndarray) -> None:
    """Set the learned vectors of the items that an earlier fit knew.

    Args:
        ids: float32 [m, D], overwritten.
        items: The items of the rows of `ids`.
        learned: float32 [n, D], the learned vectors by item number; 0 without one.
    """
    rows = np.flatnonzero(items.numbers < len(learned))
    rows = rows[learned[items.numbers[rows]].any(axis=1)]
    ids.data[torch.from_numpy(rows)] = torch.tensor(learned[items.numbers[rows]])
