"""Trains `sequence` on a data set: embedding rows, batches, loss and validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from plait.data.dataset import Dataset
from plait.features.interactions import user_histories
from plait.features.item_vocabulary import Vocabulary
from plait.models.sequential.data_settings import HistoryStatistics, loss_for, shape_for
from plait.models.sequential.inference import last_states, weights_of
from plait.models.sequential.item_embedding_table import FittedItems
from plait.models.sequential.item_sources import IdsAndWords, ItemSource
from plait.models.sequential.network import NextItemModel, SequentialNetwork
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

__all__ = ["SequenceFit", "SourceOf", "fit_sequence"]

SourceOf = Callable[[SequenceConfig, Dataset, Vocabulary, FittedItems | None], ItemSource]
"""Reads what item vectors are made of, from the data and an earlier fit whose vectors are the
initial ones."""


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFit:
    """The result of a fit.

    Attributes:
        space: The item vectors.
        shape: The architecture of the network.
        weights: Its weights by name.
        epochs: The best number of epochs; all epochs if there was no validation set; those of the
            first fit under a warm start, of which a later one has its share again.
    """

    space: FittedItems
    shape: NetworkShape
    weights: dict[str, Any]
    epochs: int


def fit_sequence(
    config: SequenceConfig,
    dataset: Dataset,
    context: FitContext,
    earlier: SequenceFit | None = None,
    source_of: SourceOf = IdsAndWords.of,
) -> SequenceFit | None:
    """Train a network and its item vectors.

    Args:
        config: The settings of the stage.
        dataset: The data.
        context: How the stage is fitted.
        earlier: An earlier fit, whose size and best number of epochs are retained; under a warm
            start its weights are the initial ones. Its items have the same numbers.
        source_of: Reads what item vectors are made of.

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
    source = source_of(config, dataset, items, None if start is None else start.space)
    inputs = _Inputs(items, sequences, source)
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
    space = source.fitted(module.items)
    epochs = best_epoch if context.warm_start else result.best_epoch
    return SequenceFit(space, shape, weights_of(module.network), epochs)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What a network is trained on."""

    items: Vocabulary
    sequences: Sequences
    source: ItemSource


def _trained(
    config: SequenceConfig,
    shape: NetworkShape,
    inputs: _Inputs,
    context: FitContext,
    start: SequenceFit | None = None,
    best_epoch: int = 0,
) -> tuple[NextItemModel, TrainingResult]:
    """A trained network with its item vectors, and how the training went."""
    items, sequences, source = inputs.items, inputs.sequences, inputs.source
    sizes = (len(items), source.n_features)
    batches = _batches(config, shape, sequences, context, sizes)
    module = _module(shape, source, context.seed, start)
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
            words=source.content_hash,
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


def _module(
    shape: NetworkShape, source: ItemSource, seed: int, start: SequenceFit | None
) -> NextItemModel:
    """Network and item vectors with initial weights drawn by `seed`, or those of an earlier fit."""
    with seeded(seed):
        table = source.table(shape.embedding_dim, seed, None if start is None else start.space)
        module = NextItemModel(SequentialNetwork(shape), table)
    if start is not None:
        weights = {name: torch.tensor(array) for name, array in start.weights.items()}
        shapes = {name: tensor.shape for name, tensor in module.network.state_dict().items()}
        if {name: tensor.shape for name, tensor in weights.items()} == shapes:
            module.network.load_state_dict(weights)
    return module


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
