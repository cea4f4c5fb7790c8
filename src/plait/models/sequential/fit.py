"""Trains `sequence` on a data set: embedding rows, batches, loss and validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from plait.data.dataset import Dataset
from plait.features.interactions import user_histories
from plait.features.item_vocabulary import Vocabulary
from plait.features.tfidf import Tfidf
from plait.models.sequential.data_settings import HistoryStatistics, loss_for, shape_for
from plait.models.sequential.inference import last_states, weights_of
from plait.models.sequential.item_embedding_table import ItemSpace
from plait.models.sequential.layers import FeatureEmbeddingBag
from plait.models.sequential.network import ItemEmbedding, NextItemModel, SequentialNetwork
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.models.sequential.refinement import TRIAL_EPOCHS, refined
from plait.models.sequential.sequential_recommender import NetworkShape, SequenceConfig
from plait.pipeline.fit_context import FitContext
from plait.training.config import TrainingResult
from plait.training.losses import bce_loss, full_softmax, sampled_softmax
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.negative_sampling import Negatives, unseen_items
from plait.training.precision import bfloat16_is_fast
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.run_identity import fingerprint, identity_of
from plait.training.seeding import seeded
from plait.training.sequence_batches import PADDING, SequenceBatches, Sequences
from plait.training.trainer import Objective, TrainingTask, train_with_context

__all__ = ["SequenceFit", "fit_sequence"]


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFit:
    """The result of a fit.

    Attributes:
        space: The item vectors.
        shape: The architecture of the network.
        weights: Its weights by name.
        epochs: The best number of epochs; all epochs if there was no validation set.
    """

    space: ItemSpace
    shape: NetworkShape
    weights: dict[str, Any]
    epochs: int


def fit_sequence(
    config: SequenceConfig,
    dataset: Dataset,
    context: FitContext,
    earlier: SequenceFit | None = None,
) -> SequenceFit | None:
    """Train a network and its item vectors.

    Args:
        config: The settings of the stage.
        dataset: The data.
        context: How the stage is fitted.
        earlier: An earlier fit, whose size and best number of epochs are retained; under a warm
            start its weights are the initial ones. Its items have the same numbers.

    Returns:
        The result, or None if no user has two events, so that there is nothing to predict.

    Raises:
        InputError: A setting needs more memory than there is.
    """
    items = Vocabulary.of(dataset)
    sequences = Sequences.of(user_histories(dataset), items.rows)
    if not len(sequences):
        return None
    start = earlier if context.warm_start else None
    inputs = _Inputs(dataset, items, sequences, *_item_features(config, dataset, start))
    shape = shape_for(
        config,
        HistoryStatistics.of(sequences.lengths, len(items)),
        timed=dataset.clock == "time",
        earlier=None if earlier is None else earlier.shape,
    )
    if config.refine_seconds and context.held is not None and earlier is None:
        epochs = min(config.training.epochs, TRIAL_EPOCHS)
        short = replace(config, training=replace(config.training, epochs=epochs))

        def trial(candidate: NetworkShape, number: int) -> tuple[float, float]:
            part = context.for_part(f"trial-{number}")
            _, result = _trained(short, candidate, inputs, part)
            return result.metric or 0.0, result.seconds

        shape = refined(config, shape, trial, config.refine_seconds)
    best_epoch = 0 if earlier is None else earlier.epochs
    module, result = _trained(config, shape, inputs, context, start, best_epoch)
    space = _item_space(module, dataset, items, inputs.tfidf, inputs.features)
    return SequenceFit(space, shape, weights_of(module.network), result.best_epoch)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What a network is trained on."""

    dataset: Dataset
    items: Vocabulary
    sequences: Sequences
    tfidf: Tfidf
    features: sparse.csr_matrix


def _trained(
    config: SequenceConfig,
    shape: NetworkShape,
    inputs: _Inputs,
    context: FitContext,
    start: SequenceFit | None = None,
    best_epoch: int = 0,
) -> tuple[NextItemModel, TrainingResult]:
    """A trained network with its item vectors, and how the training went."""
    items, features, sequences = inputs.items, inputs.features, inputs.sequences
    sizes = (len(items), features.shape[1])
    batches = _batches(config, shape, sequences, context, sizes)
    module = _module(config, shape, inputs, context.seed, start)
    validate = _validation(module, items, context, shape.max_length)
    task = TrainingTask(batches, _objective(config, items), module.targets, validate, METRIC)
    result = train_with_context(
        context,
        module,
        task,
        config.training,
        identity=identity_of(
            "sequence",
            config,
            shape=asdict(shape),
            vocabulary=fingerprint(items.numbers),
            histories=fingerprint(sequences.items, sequences.offsets, sequences.seconds),
            words=fingerprint(features.indptr, features.indices, features.data),
        ),
        name="sequence",
        best_epoch=best_epoch,
    )
    return module, result


def _batches(
    config: SequenceConfig,
    shape: NetworkShape,
    sequences: Sequences,
    context: FitContext,
    sizes: tuple[int, int],
) -> SequenceBatches:
    """The training rows, in a file where the context has a folder; `sizes` are items, features."""

    def rows_of(histories: Sequences) -> SequenceBatches:
        return SequenceBatches(
            histories,
            config.training.batch_size,
            timed=shape.timed,
            seed=context.seed,
            max_length=shape.max_length + 1,
        )

    batches = rows_of(sequences)
    require_memory(_memory_needs(config, shape, batches, *sizes), "training `sequence`")
    if context.folder is None:
        return batches
    return rows_of(sequences.mapped(context.folder / "rows.safetensors"))


def _item_features(
    config: SequenceConfig, dataset: Dataset, start: SequenceFit | None
) -> tuple[Tfidf, sparse.csr_matrix]:
    """The features of items; those of an earlier fit, to whose words its vectors belong."""
    if not config.use_item_features:
        return Tfidf(config.features), sparse.csr_matrix((dataset.n_items, 0), dtype=np.float32)
    if start is None:
        return Tfidf.fit(config.features, dataset.catalogue)
    tfidf = start.space.tfidf
    return tfidf, tfidf.vectors(dataset.catalogue, np.arange(dataset.n_items, dtype=np.int32))


def _module(
    config: SequenceConfig,
    shape: NetworkShape,
    inputs: _Inputs,
    seed: int,
    start: SequenceFit | None,
) -> NextItemModel:
    """Network and item vectors with initial weights drawn by `seed`, or those of an earlier fit."""
    dataset, items, features = inputs.dataset, inputs.items, inputs.features
    with seeded(seed):
        bag = None
        if features.shape[1]:
            rows = features[items.numbers]
            bag = FeatureEmbeddingBag(
                torch.from_numpy(rows.indices.astype(np.int64)),
                torch.from_numpy(rows.data.astype(np.float32)),
                torch.from_numpy(rows.indptr[:-1].astype(np.int64)),
                features.shape[1],
                shape.embedding_dim,
            )
        table = ItemEmbedding(len(items), shape.embedding_dim, bag, config.id_dropout)
        scale = config.pmi_init_scale
        scale = float(bag is None) if scale is None else scale
        if scale:
            initial = scale * pmi_embeddings(dataset, items, shape.embedding_dim, seed)
            table.ids.data += torch.from_numpy(initial)
        module = NextItemModel(SequentialNetwork(shape), table)
    if start is not None:
        _set_weights(module, items, start)
    return module


def _set_weights(module: NextItemModel, items: Vocabulary, start: SequenceFit) -> None:
    """Set the weights of an earlier fit; items that it did not know keep their initial vectors."""
    weights = {name: torch.tensor(array) for name, array in start.weights.items()}
    shapes = {name: tensor.shape for name, tensor in module.network.state_dict().items()}
    if {name: tensor.shape for name, tensor in weights.items()} == shapes:
        module.network.load_state_dict(weights)
    learned = start.space.id_vectors
    rows = np.flatnonzero(items.numbers < len(learned))
    rows = rows[learned[items.numbers[rows]].any(axis=1)]
    module.items.ids.data[torch.from_numpy(rows)] = torch.tensor(learned[items.numbers[rows]])
    if module.items.features is not None:
        module.items.features.vectors.data.copy_(torch.tensor(start.space.feature_vectors))


def _memory_needs(
    config: SequenceConfig,
    shape: NetworkShape,
    batches: SequenceBatches,
    n_items: int,
    n_features: int,
) -> dict[str, int]:
    """Bytes by setting, roughly: weights by `embedding_dim`, the largest batch by
    `training.batch_size`, for attention by `max_length` and for the convolution by `local_width`.
    Attention scores are held twice for each head, once more for times.
    """
    n_rows, longest = batches.largest
    dim, num_layers = shape.embedding_dim, shape.num_layers
    positions = n_rows * longest
    layer_weights = 12 * dim * dim * num_layers
    negatives = config.num_negatives if loss_for(config, n_items) == "sampled" else 0
    heads = 0 if shape.network in ("gru", "lstm") else shape.num_heads * num_layers
    attention = positions * longest * (2 * heads + 5 if heads else 0)
    width = shape.local_width if shape.local_branch == "convolution" else 0
    return {
        "embedding_dim": weight_bytes((n_items + n_features) * dim + layer_weights),
        "training.batch_size": 4 * positions * (24 * dim * num_layers + 3 * dim),
        "num_negatives": 4 * 3 * positions * negatives,
        "max_length": 4 * attention + weight_bytes(2 * shape.max_length * heads),
        "local_width": weight_bytes(width * dim * num_layers) + 4 * n_rows * width * dim,
    }


def _objective(config: SequenceConfig, items: Vocabulary) -> Objective:
    loss = loss_for(config, len(items))
    if loss == "bce":

        def bce_objective(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
            states, table, targets = module(batch)
            negatives = unseen_items(batch["items"], len(items))[batch["items"][:, 1:] != PADDING]
            positive, negative = (
                (states * functional.embedding(rows, table)).sum(1)
                for rows in (targets, negatives - 1)
            )
            losses = bce_loss(positive, torch.ones_like(positive))
            return losses + bce_loss(negative, torch.zeros_like(negative))

        return bce_objective
    if loss == "softmax":

        def softmax_objective(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
            states, table, targets = module(batch)
            half = config.bf16_logits and bfloat16_is_fast(states.device.type)
            return full_softmax(states, table, targets, smoothing=config.label_smoothing, half=half)

        return softmax_objective
    negatives = Negatives(
        torch.from_numpy(items.counts.astype(np.float32)), config.negative_popularity_exponent
    )

    def sampled_objective(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        states, table, targets = module(batch)
        drawn, log_expected = negatives.draw(config.num_negatives)
        drawn, log_expected = drawn.to(states.device), log_expected.to(states.device)
        positives, others = (functional.embedding(rows, table) for rows in (targets, drawn))
        return sampled_softmax(states, positives, others, targets, drawn, log_expected)

    return sampled_objective


def _validation(
    module: NextItemModel, items: Vocabulary, context: FitContext, max_length: int
) -> Callable[[nn.Module], float] | None:
    if context.held is None:
        return None
    validation = RankingValidation(context.held, items.rows, max_length)

    def ndcg(_module: nn.Module) -> float:
        table = module.items()

        def states(chosen: Any) -> Tensor:
            rows, seconds = validation.histories.take(chosen)
            indices = torch.from_numpy(rows.astype(np.int64)).to(table.device)
            lengths = validation.histories.lengths[chosen]
            vectors = functional.embedding(indices, table)
            return last_states(module.network, vectors, lengths, seconds)

        return validation.ndcg(states, table[1:])

    return ndcg


def _item_space(
    module: NextItemModel,
    dataset: Dataset,
    items: Vocabulary,
    tfidf: Tfidf,
    features: sparse.csr_matrix,
) -> ItemSpace:
    """The item vectors by number, ready for inference."""
    learned = module.items.ids.detach().cpu().numpy()
    id_vectors = np.zeros((dataset.n_items, learned.shape[1]), np.float32)
    id_vectors[items.numbers] = learned
    feature_vectors = np.zeros((0, learned.shape[1]), np.float32)
    if module.items.features is not None:
        feature_vectors = module.items.features.vectors.detach().cpu().numpy()
    return ItemSpace.of(dataset, tfidf, features, id_vectors, feature_vectors)
