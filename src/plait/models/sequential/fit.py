"""From a data set to a trained `sequence`: rows of items, batches, objective, validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from plait.data.types import Dataset, Float32Array, History
from plait.features.tfidf import Tfidf
from plait.features.vocabulary import Vocabulary
from plait.models.sequential.inference import last_states, plain
from plait.models.sequential.item_embeddings import ItemSpace
from plait.models.sequential.layers import FeatureEmbeddingBag
from plait.models.sequential.network import (
    ItemEmbedding,
    NetworkShape,
    NextItemModel,
    SequentialNetwork,
)
from plait.models.sequential.pmi_embeddings import pmi_embeddings
from plait.models.sequential.sequence import SequenceConfig
from plait.pipeline.fit_context import FitContext
from plait.training.losses import Negatives, full_softmax, sampled_softmax
from plait.training.memory_budget import require_memory, weight_bytes
from plait.training.precision import bfloat16_is_fast
from plait.training.ranking_validation import METRIC, RankingValidation
from plait.training.reproducibility import fingerprint, identity_of, seeded
from plait.training.sequence_batches import SequenceBatches, Sequences
from plait.training.trainer import Objective, TrainingTask, train_with_context

__all__ = ["Fitted", "fit_sequence"]

_MANY = 50_000
"""From so many items on, a softmax over all of them takes longer than it is worth."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What a fit leaves: items, the network's shape and weights, and its best number of epochs.

    `epochs` are all it was trained for where nothing was held out to judge by.
    """

    space: ItemSpace
    shape: Mapping[str, Any]
    weights: Mapping[str, Any]
    epochs: int


def fit_sequence(
    config: SequenceConfig, dataset: Dataset, context: FitContext, best: int
) -> Fitted | None:
    """Train; None where no user has two events, so that nothing comes after anything.

    `best`: how many epochs an earlier fit found best, 0 for none.

    Raises InputError where that takes more memory than there is.
    """
    items = Vocabulary.of(dataset)
    history = _history(dataset)
    sequences = Sequences.of(history, items.rows, config.max_length + 1)
    if not len(sequences):
        return None
    tfidf, vectors = _described(config, dataset)
    require_memory(_needs(config, sequences, len(items), vectors.shape[1]), "training `sequence`")
    sequences = _placed(sequences, context)
    module = _module(config, dataset, items, vectors, context.seed)
    training = config.training
    timed = module.network.shape.timed
    batches = SequenceBatches(sequences, training.batch_size, timed=timed, seed=context.seed)
    outcome = train_with_context(
        context,
        module,
        TrainingTask(
            batches,
            _objective(config, items),
            module.targets,
            _validation(module, items, context, config.max_length),
            METRIC,
        ),
        training,
        best_epoch=best,
        identity=identity_of(
            "sequence",
            config,
            vocabulary=fingerprint(items.numbers),
            histories=fingerprint(sequences.items, sequences.offsets, sequences.seconds),
            words=fingerprint(vectors.indptr, vectors.indices, vectors.data),
        ),
        name="sequence",
    )
    return Fitted(
        _space(module, dataset, items, tfidf, vectors),
        asdict(module.network.shape),
        plain(module.network),
        outcome.best_epoch,
    )


def _history(dataset: Dataset) -> History:
    """What every user did, in the order of the log."""
    found = dataset.interactions
    counts = np.bincount(found.users, minlength=dataset.n_users)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return History(offsets, found.items, found.times, found.weights)


def _described(config: SequenceConfig, dataset: Dataset) -> tuple[Tfidf, sparse.csr_matrix]:
    """How fields become features, and those of all items, CSR [n_items, V]."""
    if config.use_item_features:
        return Tfidf.fit(config.features, dataset.catalogue)
    return Tfidf(config.features), sparse.csr_matrix((dataset.n_items, 0), dtype=np.float32)


def _module(
    config: SequenceConfig,
    dataset: Dataset,
    items: Vocabulary,
    vectors: sparse.csr_matrix,
    seed: int,
) -> NextItemModel:
    """Items and network with fresh weights, drawn by `seed`; items as pairs say, if told to."""
    shape = NetworkShape(
        config.network,
        config.embedding_dim,
        config.num_layers,
        config.num_heads,
        config.max_length,
        config.dropout,
        # A gap to be filled has no time: a masked network would learn from what it is never told.
        timed=dataset.clock == "time" and config.network != "bert4rec",
        mask_probability=config.mask_probability,
    )
    with seeded(seed):
        words = None
        if vectors.shape[1]:
            mine = vectors[items.numbers]
            words = FeatureEmbeddingBag(
                torch.from_numpy(mine.indices.astype(np.int64)),
                torch.from_numpy(mine.data.astype(np.float32)),
                torch.from_numpy(mine.indptr[:-1].astype(np.int64)),
                vectors.shape[1],
                config.embedding_dim,
            )
        table = ItemEmbedding(len(items), config.embedding_dim, words, config.id_dropout)
        length = (
            config.pmi_init_scale if config.pmi_init_scale is not None else float(words is None)
        )
        if length:
            given = length * pmi_embeddings(dataset, items, config.embedding_dim, seed)
            table.own.data += torch.from_numpy(given)
        return NextItemModel(SequentialNetwork(shape), table)


def _needs(config: SequenceConfig, sequences: Sequences, items: int, words: int) -> dict[str, int]:
    """Bytes by setting, roughly: weights by `dim`, the largest batch there is by `training.batch`
    or `history`, and by the latter also a weight for every distance. Every place looks at every
    other, twice a head, and once more by time whatever the heads.
    """
    longest = int(sequences.lengths.max())  # of `history` and one more at most
    dim, places = config.embedding_dim, min(config.training.batch_size, len(sequences)) * longest
    deep = 12 * dim * dim * config.num_layers
    cells = config.num_negatives if _sampled(config, items) else 0
    heads = 0 if config.network in ("gru", "lstm") else config.num_heads * config.num_layers
    looks = places * longest * (2 * heads + 5 if heads else 0)
    return {
        "embedding_dim": weight_bytes((items + words) * dim + deep),
        "training.batch_size": 4 * places * (24 * dim * config.num_layers + 3 * dim),
        "num_negatives": 4 * 3 * places * cells,
        "max_length": 4 * looks + weight_bytes(2 * config.max_length * heads),
    }


def _placed(sequences: Sequences, context: FitContext) -> Sequences:
    """The rows, in a file where there is a folder for it: so they may be larger than the memory."""
    if context.folder is None:
        return sequences
    return sequences.mapped(context.folder / "rows.safetensors")


def _sampled(config: SequenceConfig, items: int) -> bool:
    """Whether negatives are drawn."""
    return bool(config.loss == "sampled" or (config.loss == "auto" and items > _MANY))


def _objective(config: SequenceConfig, items: Vocabulary) -> Objective:
    if not _sampled(config, len(items)):

        def over_all(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
            states, table, targets = module(batch)
            half = config.bf16_logits and bfloat16_is_fast(states.device.type)
            return full_softmax(states, table, targets, smoothing=config.label_smoothing, half=half)

        return over_all
    negatives = Negatives(
        torch.from_numpy(items.counts.astype(np.float32)), config.negative_popularity_exponent
    )

    def over_some(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        states, table, targets = module(batch)
        drawn, log_expected = negatives.draw(config.num_negatives)
        drawn, log_expected = drawn.to(states.device), log_expected.to(states.device)
        wanted, others = (functional.embedding(one, table) for one in (targets, drawn))
        return sampled_softmax(states, wanted, others, targets, drawn, log_expected)

    return over_some


def _validation(
    module: NextItemModel, items: Vocabulary, context: FitContext, longest: int
) -> Callable[[nn.Module], float] | None:
    if context.held is None:
        return None
    asked = RankingValidation(context.held, items.rows, longest)

    def ndcg(_bare: nn.Module) -> float:
        table = module.items()

        def states(chosen: Any) -> Tensor:
            rows, seconds = asked.histories.take(chosen)
            given = torch.from_numpy(rows.astype(np.int64)).to(table.device)
            lengths = asked.histories.lengths[chosen]
            return last_states(module.network, functional.embedding(given, table), lengths, seconds)

        return asked.ndcg(states, table[1:])

    return ndcg


def _space(
    module: NextItemModel,
    dataset: Dataset,
    items: Vocabulary,
    tfidf: Tfidf,
    vectors: sparse.csr_matrix,
) -> ItemSpace:
    """The items by number, ready to be asked for."""
    learned: Float32Array = module.items.own.detach().cpu().numpy()
    own = np.zeros((dataset.n_items, learned.shape[1]), np.float32)
    own[items.numbers] = learned
    meaning = np.zeros((0, learned.shape[1]), np.float32)
    if module.items.words is not None:
        meaning = module.items.words.meaning.detach().cpu().numpy()
    return ItemSpace.of(dataset, tfidf, vectors, (own, meaning), items.rows > 0)
