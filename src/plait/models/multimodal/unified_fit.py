"""Trains `unified`: the item tower and the network over histories, then the bias of new items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from plait.data.array_types import ABSENT
from plait.data.dataset import Dataset
from plait.features.incremental_updates import field_hashes
from plait.features.item_vocabulary import Vocabulary
from plait.features.tfidf import Tfidf
from plait.models.multimodal.item_content import FrozenEncoders, ItemContent
from plait.models.multimodal.item_tower import ItemTower
from plait.models.multimodal.new_item_bias import new_item_bias
from plait.models.multimodal.tower_space import TowerSpace
from plait.models.multimodal.unified_settings import UnifiedConfig
from plait.models.sequential.fit import SequenceFit, fit_sequence
from plait.models.sequential.inference import build_network, encode_histories, weights_of
from plait.models.sequential.item_embedding_table import FittedItems, ItemVectors
from plait.models.sequential.item_sources import initial_ids
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.training.run_identity import fingerprint

__all__ = ["build_tower", "fit_unified"]

_NEW_SHARE = 0.1
"""The share of the items that is treated as new where held-out events show too few new items."""

_MIN_NEW_TARGETS = 20
"""Held-out events of new items that suffice to learn from."""

_CELLS = 1 << 25
"""Logits that the bias is learned from, at most."""


def fit_unified(
    config: UnifiedConfig,
    dataset: Dataset,
    context: FitContext,
    encoders: FrozenEncoders,
    earlier: SequenceFit | None,
) -> tuple[SequenceFit | None, float | None]:
    """Train both towers.

    Args:
        config: The settings of the stage.
        dataset: The data.
        context: How the stage is fitted.
        encoders: The frozen encoders, fitted on the same items.
        earlier: An earlier fit, as `fit_sequence` reads it.

    Returns:
        The result, or None if no user has two events; the bias of new items, or None without
        held-out events to learn it from.

    Raises:
        InputError: A setting needs more memory than there is.
    """

    def source_of(
        _config: Any, data: Dataset, items: Vocabulary, start: FittedItems | None
    ) -> _Tower:
        return _Tower.of(config, data, items, encoders, start)

    fitted = fit_sequence(config, dataset, context, earlier, source_of)
    if fitted is None or context.held is None:
        return fitted, None
    space = fitted.space
    assert isinstance(space, TowerSpace)
    content = ItemContent.of_fit(dataset.catalogue, space.tfidf, encoders)
    tower = build_tower(space, config, encoders)
    return fitted, _learned_bias(fitted, context.held, tower, content, context.seed)


def build_tower(space: TowerSpace, config: UnifiedConfig, encoders: FrozenEncoders) -> ItemTower:
    """Build the item tower of a fit, for inference.

    Args:
        space: The fit.
        config: Its settings.
        encoders: Its frozen encoders.
    """
    sizes = {name: stage.item_vectors().shape[1] for name, stage in encoders.items()}
    nothing = ItemContent.empty(len(space.tfidf.vocabulary), sizes)
    tower = ItemTower(nothing, space.id_vectors.shape[1], config.fusion, 0.0, 0.0)
    weights = {name: torch.tensor(array) for name, array in space.weights.items()}
    tower.load_state_dict({**weights, "ids": tower.ids})
    return tower.eval().requires_grad_(requires_grad=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Tower:
    """The content of the items of a data set, as `fit_sequence` reads it."""

    config: UnifiedConfig
    dataset: Dataset
    items: Vocabulary
    encoders: FrozenEncoders
    tfidf: Tfidf
    content: ItemContent
    """Of all items."""

    @staticmethod
    def of(
        config: UnifiedConfig,
        dataset: Dataset,
        items: Vocabulary,
        encoders: FrozenEncoders,
        start: FittedItems | None,
    ) -> _Tower:
        """Read the content of all items; in the words of an earlier fit, if its weights count."""
        tfidf = Tfidf(config.features)
        if config.use_item_features and start is not None:
            tfidf = start.tfidf
        elif config.use_item_features:
            tfidf, _ = Tfidf.fit(config.features, dataset.catalogue)
        content = ItemContent.of_fit(dataset.catalogue, tfidf, encoders)
        return _Tower(config, dataset, items, encoders, tfidf, content)

    @property
    def n_features(self) -> int:
        """How many words, and numbers of encoded vectors, have a learned vector."""
        sizes = (vectors.shape[1] for vectors in self.content.encoded.values())
        return int(self.content.words.shape[1] + sum(sizes))

    @property
    def content_hash(self) -> str:
        """A hash of the content of all items."""
        words = self.content.words
        encoded = [self.content.encoded[name] for name in sorted(self.content.encoded)]
        return fingerprint(words.indptr, words.indices, words.data, *encoded)

    def table(self, dim: int, seed: int, start: FittedItems | None) -> ItemTower:
        """Build the item tower."""
        config = self.config
        tower = ItemTower(
            self.content.take(self.items.numbers),
            dim,
            config.fusion,
            config.id_dropout,
            config.content_dropout,
        )
        if config.pmi_init_scale:
            initial = config.pmi_init_scale * pmi_embeddings(self.dataset, self.items, dim, seed)
            tower.ids.data += torch.from_numpy(initial)
        if isinstance(start, TowerSpace):
            initial_ids(tower.ids, self.items, start.id_vectors)
            weights = {name: torch.tensor(array) for name, array in start.weights.items()}
            shapes = {name: tensor.shape for name, tensor in tower.state_dict().items()}
            same = {name for name in weights if weights[name].shape == shapes.get(name)}
            tower.load_state_dict({name: weights[name] for name in same}, strict=False)
        return tower

    def fitted(self, table: nn.Module) -> TowerSpace:
        """Return the item vectors by number; those without interactions have that of content."""
        assert isinstance(table, ItemTower)
        table = table.cpu().eval()
        learned = table.ids.detach().numpy()
        id_vectors = np.zeros((self.dataset.n_items, learned.shape[1]), np.float32)
        id_vectors[self.items.numbers] = learned
        known = self.content.has_any | id_vectors.any(axis=1)
        items = ItemVectors(table.encode(id_vectors, self.content), known)
        weights = weights_of(table)
        del weights["ids"]
        space = TowerSpace(self.tfidf, weights, id_vectors, items, np.zeros(0, np.uint64))
        fields = space.fields(self.dataset.catalogue, self.encoders)
        n_hashes = self.dataset.n_items if fields else 0
        hashes = field_hashes(self.dataset.catalogue, fields, range(n_hashes))
        return replace(space, hashes=hashes)


def _learned_bias(
    fitted: SequenceFit, held: ValidationSet, tower: ItemTower, content: ItemContent, seed: int
) -> float:
    """The bias of new items that makes held-out events likeliest.

    New are the items without an event in the data; where too few held-out events are about them, a
    share of the other items loses the id.
    """
    space = fitted.space
    assert isinstance(space, TowerSpace)
    items, has_content = space.items, content.has_any
    network = build_network(fitted.shape, fitted.weights)
    states, queries = encode_histories(network, held.queries.history, items)
    state_of = np.full(len(held.queries), ABSENT, np.int64)
    state_of[queries] = np.arange(len(queries))
    rows, targets = state_of[held.targets.rows], held.targets.values.astype(np.int64)
    is_known = (rows >= 0) & (targets < len(items.known))
    is_known[is_known] = items.known[targets[is_known]]
    rows, targets = rows[is_known], targets[is_known]
    new, table = space.is_new(len(items.known)) & has_content, items.table
    if new[targets].sum() < _MIN_NEW_TARGETS:
        new = ~space.is_new(len(items.known)) & has_content
        new &= np.random.default_rng(seed).random(len(new)) < _NEW_SHARE
        numbers = np.flatnonzero(new).astype(np.int32)
        no_ids = np.zeros((len(numbers), table.shape[1]), np.float32)
        table = table.copy()
        table[numbers] = tower.encode(no_ids, content.take(numbers))
    step = -(-len(rows) * len(table) // _CELLS)
    chosen = slice(None, None, max(step, 1))
    known = items.known
    position = np.cumsum(known) - 1
    return new_item_bias(states[rows[chosen]], table[known], new[known], position[targets[chosen]])
