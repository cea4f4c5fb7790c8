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

from plait.data.types import Dataset, Floats, History
from plait.features.tfidf import Tfidf
from plait.features.vocabulary import Vocabulary
from plait.models.sequential.inference import ahead, plain
from plait.models.sequential.item_embeddings import ItemSpace
from plait.models.sequential.layers import FeatureSum
from plait.models.sequential.network import Items, NextItem, Sequential, Shape
from plait.models.sequential.pmi_embeddings import pair_vectors
from plait.pipeline.fit_context import FitContext
from plait.training.losses import Negatives, full_softmax, sampled_softmax
from plait.training.memory_budget import check_room, weight_bytes
from plait.training.precision import bfloat16_is_fast
from plait.training.ranking_validation import METRIC, HeldOut
from plait.training.reproducibility import fingerprint, identity_of, seeded, train_within
from plait.training.sequence_batches import SequenceBatches, Sequences
from plait.training.trainer import Objective

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


def fit_sequence(config: Any, dataset: Dataset, context: FitContext, best: int) -> Fitted | None:
    """Train; None where no user has two events, so that nothing comes after anything.

    `best`: how many epochs an earlier fit found best, 0 for none.

    Raises InputError where that takes more memory than there is.
    """
    items = Vocabulary.of(dataset)
    history = _history(dataset)
    sequences = Sequences.of(history, items.rows, config.history + 1)
    if not len(sequences):
        return None
    tfidf, vectors = _described(config, dataset)
    check_room(_needs(config, sequences, len(items), vectors.shape[1]), "training `sequence`")
    sequences = _placed(sequences, context)
    module = _module(config, dataset, items, vectors, context.seed)
    training = config.training
    timed = module.network.shape.timed
    batches = SequenceBatches(sequences, training.batch, timed=timed, seed=context.seed)
    outcome = train_within(
        context,
        module,
        batches,
        _objective(config, items),
        training,
        validate=_validation(module, items, context, config.history),
        metric=METRIC,
        targets=module.targets,
        best=best,
        identity=identity_of(
            "sequence",
            config,
            vocabulary=fingerprint(items.numbers),
            histories=fingerprint(sequences.items, sequences.offsets, sequences.seconds),
            words=fingerprint(vectors.indptr, vectors.indices, vectors.data),
        ),
        run=context.name or "sequence",
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


def _described(config: Any, dataset: Dataset) -> tuple[Tfidf, sparse.csr_matrix]:
    """How fields become features, and those of all items, CSR [n_items, V]."""
    if config.describe:
        return Tfidf.fit(config.features, dataset.catalogue)
    return Tfidf(config.features), sparse.csr_matrix((dataset.n_items, 0), dtype=np.float32)


def _module(
    config: Any, dataset: Dataset, items: Vocabulary, vectors: sparse.csr_matrix, seed: int
) -> NextItem:
    """Items and network with fresh weights, drawn by `seed`; items as pairs say, if told to."""
    shape = Shape(
        config.network,
        config.dim,
        config.blocks,
        config.heads,
        config.history,
        config.dropout,
        # A gap to be filled has no time: a masked network would learn from what it is never told.
        timed=dataset.clock == "time" and config.network != "bert4rec",
        mask=config.mask,
    )
    with seeded(seed):
        words = None
        if vectors.shape[1]:
            mine = vectors[items.numbers]
            words = FeatureSum(
                torch.from_numpy(mine.indices.astype(np.int64)),
                torch.from_numpy(mine.data.astype(np.float32)),
                torch.from_numpy(mine.indptr[:-1].astype(np.int64)),
                vectors.shape[1],
                config.dim,
            )
        table = Items(len(items), config.dim, words, config.id_dropout)
        length = config.start if config.start is not None else float(words is None)
        if length:
            given = length * pair_vectors(dataset, items, config.dim, seed)
            table.own.data += torch.from_numpy(given)
        return NextItem(Sequential(shape), table)


def _needs(config: Any, sequences: Sequences, items: int, words: int) -> dict[str, int]:
    """Bytes by setting, roughly: weights by `dim`, the largest batch there is by `training.batch`
    or `history`, and by the latter also a weight for every distance. Every place looks at every
    other, twice a head, and once more by time whatever the heads.
    """
    longest = int(sequences.lengths.max())  # of `history` and one more at most
    dim, places = config.dim, min(config.training.batch, len(sequences)) * longest
    deep = 12 * dim * dim * config.blocks
    cells = config.negatives if _sampled(config, items) else 0
    heads = 0 if config.network in ("gru", "lstm") else config.heads * config.blocks
    looks = places * longest * (2 * heads + 5 if heads else 0)
    return {
        "dim": weight_bytes((items + words) * dim + deep),
        "training.batch": 4 * places * (24 * dim * config.blocks + 3 * dim),
        "negatives": 4 * 3 * places * cells,
        "history": 4 * looks + weight_bytes(2 * config.history * heads),
    }


def _placed(sequences: Sequences, context: FitContext) -> Sequences:
    """The rows, in a file where there is a folder for it: so they may be larger than the memory."""
    if context.folder is None:
        return sequences
    return sequences.mapped(context.folder / "rows.safetensors")


def _sampled(config: Any, items: int) -> bool:
    """Whether negatives are drawn."""
    return bool(config.loss == "sampled" or (config.loss == "auto" and items > _MANY))


def _objective(config: Any, items: Vocabulary) -> Objective:
    if not _sampled(config, len(items)):

        def over_all(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
            states, table, targets = module(batch)
            half = config.half and bfloat16_is_fast(states.device.type)
            return full_softmax(states, table, targets, smoothing=config.smoothing, half=half)

        return over_all
    negatives = Negatives(torch.from_numpy(items.counts.astype(np.float32)), config.power)

    def over_some(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        states, table, targets = module(batch)
        drawn, log_expected = negatives.draw(config.negatives)
        drawn, log_expected = drawn.to(states.device), log_expected.to(states.device)
        wanted, others = (functional.embedding(one, table) for one in (targets, drawn))
        return sampled_softmax(states, wanted, others, targets, drawn, log_expected)

    return over_some


def _validation(
    module: NextItem, items: Vocabulary, context: FitContext, longest: int
) -> Callable[[nn.Module], float] | None:
    if context.held is None:
        return None
    asked = HeldOut(context.held, items.rows, longest)

    def ndcg(_bare: nn.Module) -> float:
        table = module.items()

        def states(chosen: Any) -> Tensor:
            rows, seconds = asked.histories.take(chosen)
            given = torch.from_numpy(rows.astype(np.int64)).to(table.device)
            lengths = asked.histories.lengths[chosen]
            return ahead(module.network, functional.embedding(given, table), lengths, seconds)

        return asked.ndcg(states, table[1:])

    return ndcg


def _space(
    module: NextItem, dataset: Dataset, items: Vocabulary, tfidf: Tfidf, vectors: sparse.csr_matrix
) -> ItemSpace:
    """The items by number, ready to be asked for."""
    learned: Floats = module.items.own.detach().cpu().numpy()
    own = np.zeros((dataset.n_items, learned.shape[1]), np.float32)
    own[items.numbers] = learned
    meaning = np.zeros((0, learned.shape[1]), np.float32)
    if module.items.words is not None:
        meaning = module.items.words.meaning.detach().cpu().numpy()
    return ItemSpace.of(dataset, tfidf, vectors, (own, meaning), items.rows > 0)
