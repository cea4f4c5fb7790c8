"""What comes next: networks over the order of a history.

One stage, five networks: causal transformer (`sasrec`, Kang & McAuley, ICDM 2018), `gru`
(GRU4Rec), `lstm`, masked transformer (`bert4rec`) and `hstu`. Trained by softmax over all items or
over negatives that a batch shares, never by one negative a place (Petrov & Macdonald, RecSys 2023;
Klenitskiy & Vasilev, RecSys 2023). An item is its own vector plus what its fields add up to, so one
that came after the fit has a vector too; without fields to read it has none (NaN).

Unseen users are answered from the history in the query: there is no vector of a user, the network
reads the history each time (the fold-in is the model itself). Without a history: NaN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import (
    ABSENT,
    BoolArray,
    CandidateLists,
    Dataset,
    Float32Array,
    Int32Array,
    QueryBatch,
)
from plait.errors import BundleError, InputError
from plait.features.interactions import query_history
from plait.features.tfidf import TfidfConfig
from plait.models.sequential.item_embeddings import FreshItems, ItemSpace
from plait.models.sequential.item_logits import ItemLogits, nearest
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import take_scores
from plait.pipeline.fit_context import FitContext
from plait.pipeline.search_space import Choice, Range, tunable
from plait.pipeline.stage import Stage
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["Sequence", "SequenceConfig"]

_DIMS = Choice((32, 64, 128))


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """What `sequence` can be told."""

    network: Literal["sasrec", "gru", "lstm", "bert4rec", "hstu"] = "sasrec"
    """What reads the history."""
    embedding_dim: int = tunable(64, _DIMS, Limit(least=1))
    """Numbers in a vector."""
    num_layers: int = tunable(1, Range(1, 3), Limit(least=1))
    """Layers."""
    num_heads: int = bounded_field(2, Limit(least=1))
    """Heads of attention; they divide `dim`."""
    max_length: int = bounded_field(50, Limit(least=1))
    """How many of the newest events are read."""
    dropout: float = tunable(0.5, Range(0.1, 0.7), Limit(least=0, below=1))
    """The share of numbers that are dropped while training."""
    loss: Literal["auto", "softmax", "sampled"] = "auto"
    """Cross-entropy over all items, or over the right one and shared negatives; auto: over all up
    to 50,000 items."""
    bf16_logits: bool = True
    """Take the products of the softmax over all in bfloat16, where the processor has them."""
    num_negatives: int = tunable(2048, Range(256, 8192, log=True), Limit(least=1))
    """How many negatives a batch shares, under `sampled`."""
    negative_popularity_exponent: float = bounded_field(0.0, Limit(least=0))
    """Negatives are drawn by popularity to this power; what that does is corrected for."""
    label_smoothing: float = tunable(0.1, Range(0.0, 0.3), Limit(least=0, below=1))
    """The share of the target that is spread over all items, under `softmax`."""
    mask_probability: float = tunable(0.2, Range(0.1, 0.6), Limit(above=0, below=1))
    """The share of a history that is hidden while training, under `bert4rec`."""
    use_item_features: bool = True
    """Whether items are also what their fields say."""
    features: TfidfConfig = field(default_factory=TfidfConfig)
    """How fields become features."""
    pmi_init_scale: float | None = tunable(None, Choice((None, 0.0, 0.5, 1.0)), Limit(least=0))
    """How long the vectors are that items start with, from what comes with what
    (`plait.models.sequential.pmi_embeddings`); 0: they start by chance. Left out: 1 where no field
    describes items."""
    id_dropout: float = bounded_field(0.0, Limit(least=0, below=1))
    """How often an item must do with what its fields say while training."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(learning_rate=2e-3, ema_decay=0.99, patience=3)
    )
    """How it is trained: see docs/training.md."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings that count for nothing beside the others: no search need vary them.

        And `dim`, where the heads do not divide every one that would be tried.
        """
        counts = {
            "embedding_dim": all(one % self.num_heads == 0 for one in _DIMS.values),
            "num_negatives": self.loss == "sampled",
            "label_smoothing": self.loss != "sampled",
            "mask_probability": self.network == "bert4rec",
        }
        return tuple(name for name, one in counts.items() if not one)


class Sequence(Stage[SequenceConfig]):
    """Scores an item by how likely it comes next."""

    Config = SequenceConfig
    test_variants = (
        {"network": "bert4rec", "training": {"epochs": 2, "batch_size": 64}},
        {"network": "hstu", "training": {"epochs": 2, "batch_size": 64}, "loss": "sampled"},
    )

    def __init__(self, config: SequenceConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._space = ItemSpace.empty(self.config.features)
        self._weights: Mapping[str, Any] = {}
        self._shape: Mapping[str, Any] = {}
        self._epochs = 0
        self._network: Any = None

    def _check(self) -> None:
        dim, heads = self.config.embedding_dim, self.config.num_heads
        if dim % heads:
            raise InputError(
                f"{self.name}.num_heads is {heads}, which does not divide embedding_dim {dim}",
                field=f"{self.name}.num_heads",
            )

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Trained for all epochs: nothing is held out."""
        return self.train(dataset, FitContext(seed))

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Trained until what is held out is ranked no better, or for as long as that once took.

        Raises MissingExtraError without torch, InputError for a setting that needs more memory than
        there is, and what `plait.training.trainer.train` raises.
        """
        require_extra(f"the stage {self.name!r}")
        from plait.models.sequential.fit import fit_sequence

        fitted = type(self)(self.config, name=self.name)
        found = fit_sequence(self.config, dataset, context, self._epochs)
        if found is not None:
            fitted._space, fitted._shape = found.space, found.shape
            fitted._weights, fitted._epochs = found.weights, found.epochs
        return fitted

    def save(self, folder: Path) -> None:
        """Write items, weights and shape."""
        self._space.save(folder)
        write_arrays(folder / "network.safetensors", self._weights)
        told = {"shape": dict(self._shape), "epochs": self._epochs}
        (folder / "network.json").write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote; the network is built when it is first asked.

        BundleError for layers that shared what they know of distances, as they once did.
        """
        loaded = cls(config, name=name)
        loaded._space = ItemSpace.load(config.features, folder)
        loaded._weights = read_arrays(folder / "network.safetensors")
        told = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        loaded._shape, loaded._epochs = told["shape"], told["epochs"]
        steps = loaded._weights.get("layers.bias.steps")
        if (
            steps is not None
            and len(steps) != told["shape"]["num_layers"] * told["shape"]["num_heads"]
        ):
            raise BundleError(
                f"the stage {name!r} has one time bias for all layers, not one for each",
                hint="fit again",
            )
        return loaded

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> FreshItems | None:
        """Vectors of items that say something else than at the fit; `previous` is built upon."""
        return self._space.fresh(catalogue, version, previous)

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """The k likeliest items that the query allows."""
        asked = self._asked(queries)
        numbers = np.full((len(queries), min(k, asked.width)), ABSENT, np.int32)
        if len(asked.rows) and numbers.shape[1]:
            from plait.models.sequential.torch_topk import likeliest

            numbers[asked.rows] = likeliest(asked.scores, queries, asked.rows, numbers.shape[1])
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """The logarithm of one plus how many times likelier than chance each item comes next.

        Zero and above; NaN for items without a vector, and without a history.
        """
        asked = self._asked(queries)
        found = np.full(numbers.shape, np.nan, np.float32)
        if len(asked.rows):
            logits = take_scores(asked.scores, numbers[asked.rows])
            logits[np.isneginf(logits)] = np.nan
            lift = logits - asked.chance[:, None]
            found[asked.rows] = np.maximum(lift, 0) + np.log1p(np.exp(-np.abs(lift)))
        return found

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        """The item of the newest of the history whose vector is nearest to each candidate's."""
        history = query_history(queries)
        table, known = self._items(queries)
        return nearest(history, table, known, numbers)

    def _asked(self, queries: QueryBatch) -> ItemLogits:
        """The logits of every item; computed once a batch and kept in `queries.work`."""
        if self.name not in queries.cache:
            queries.cache[self.name] = self._answered(queries)
        found: ItemLogits = queries.cache[self.name]
        return found

    def _answered(self, queries: QueryBatch) -> ItemLogits:
        table, known = self._items(queries)
        if not self._shape:
            return ItemLogits.nothing()
        require_extra(f"the stage {self.name!r}")
        from plait.models.sequential.inference import built, read

        if self._network is None:  # two threads may both build it: they build the same
            self._network = built(self._shape, self._weights)
        states, rows = read(self._network, query_history(queries), table, known)
        return ItemLogits.of(states, rows, (table, known), self._space.known)

    def _items(self, queries: QueryBatch) -> tuple[Float32Array, BoolArray]:
        """Vectors of items as they are now, and which have one."""
        fresh = None if queries.live is None else queries.live.deltas.get(self.name)
        if isinstance(fresh, FreshItems):
            return fresh.table, fresh.known
        return self._space.table, self._space.known
