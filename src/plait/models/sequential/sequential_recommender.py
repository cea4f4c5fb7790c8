"""Next-item prediction by networks over the order of a history.

One stage, five networks: causal transformer (`sasrec`, Kang & McAuley, ICDM 2018), `gru`
(GRU4Rec), `lstm`, masked transformer (`bert4rec`) and `hstu`. They are trained by softmax over all
items or over negatives that a batch shares, which ranks better than one negative per position
(Petrov & Macdonald, RecSys 2023; Klenitskiy & Vasilev, RecSys 2023); `loss = "bce"` is the latter,
as SASRec was published. An item's vector is learned and has the vectors of
its fields added, so an item that came after the fit has a vector too; without fields it has none
(NaN).

Unknown users are served from the history in the query: users have no vectors, the network reads the
history each time. Without a history scores are NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as SequenceOf
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from plait.data.array_types import ABSENT, Float32Array, Int32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.errors import InputError
from plait.features.incremental_updates import ItemUpdates, updates_in
from plait.features.tfidf import TfidfConfig
from plait.models.sequential.history_explanation import nearest_history_item
from plait.models.sequential.item_embedding_table import FittedItems, ItemSpace, ItemVectors
from plait.models.sequential.item_logits import ItemLogits
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import FitContext
from plait.pipeline.full_catalogue_scorer import take_scores
from plait.pipeline.search_space import Choice, Range, tunable
from plait.pipeline.stage import Stage
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

if TYPE_CHECKING:
    from plait.models.sequential.fit import SequenceFit

__all__ = ["DEFAULT_DIM", "NetworkShape", "Sequence", "SequenceConfig"]

_DIMS = Choice((None, 32, 64, 128))

DEFAULT_DIM = 64
"""The size of a vector where a recipe names none."""


@dataclass(frozen=True, slots=True)
class SequenceConfig:
    """Settings of `sequence`."""

    network: Literal["sasrec", "gru", "lstm", "bert4rec", "hstu"] = "sasrec"
    """The network that reads the history."""
    embedding_dim: int | None = tunable(None, _DIMS, Limit(least=1))
    """The size of a vector; left out: 64."""
    num_layers: int | None = tunable(None, Choice((None, 1, 2, 3)), Limit(least=1))
    """The number of layers; left out: chosen by the length of histories."""
    local_branch: Literal["none", "convolution", "gru"] | None = None
    """How each layer of `sasrec` reads the last events before attention; left out: chosen by the
    data."""
    local_width: int = bounded_field(4, Limit(least=1))
    """How many events the convolution reads."""
    num_heads: int = bounded_field(2, Limit(least=1))
    """Heads of attention; they divide `embedding_dim`."""
    max_length: int | None = bounded_field(None, Limit(least=1))
    """How many of the newest events are read; left out: 50 to 200, so that nine of ten histories
    are read whole."""
    dropout: float | None = tunable(
        None, Choice((None, 0.1, 0.2, 0.3, 0.5, 0.7)), Limit(least=0, below=1)
    )
    """The share of values that are dropped in training; left out: chosen by the number of events
    of an item."""
    loss: Literal["auto", "softmax", "sampled", "bce"] = "auto"
    """Cross-entropy over all items, or over the target and shared negatives; `bce`: binary, against
    one negative (not `bert4rec`); `auto`: over all up to 50,000 items."""
    bf16_logits: bool = True
    """Compute the products of the softmax over all items in bfloat16, where that is native."""
    num_negatives: int = tunable(2048, Range(256, 8192, log=True), Limit(least=1))
    """Negatives that a batch shares, under `sampled`."""
    negative_popularity_exponent: float = bounded_field(0.0, Limit(least=0))
    """Negatives are drawn by popularity to this power; the loss corrects for it."""
    label_smoothing: float = tunable(0.1, Range(0.0, 0.3), Limit(least=0, below=1))
    """The share of the target that is spread over all items, under `softmax`."""
    mask_probability: float = tunable(0.2, Range(0.1, 0.6), Limit(above=0, below=1))
    """The share of a history that is masked in training, under `bert4rec`."""
    use_item_features: bool = True
    """Whether the fields of items contribute to their vectors."""
    features: TfidfConfig = field(default_factory=TfidfConfig)
    """How fields become features."""
    pmi_init_scale: float | None = tunable(None, Choice((None, 0.0, 0.5, 1.0)), Limit(least=0))
    """The length of the initial item vectors, which come from co-occurrence
    (`plait.models.sequential.pmi_embeddings`); 0: random ones. Left out: 1 if no field describes
    items."""
    id_dropout: float = bounded_field(0.0, Limit(least=0, below=1))
    """How often, in training, an item has the vector of its features alone."""
    refine_seconds: float = bounded_field(0.0, Limit(least=0))
    """Seconds in which settings near those that the data suggest are tried on held-out queries,
    before the training; 0: none are. A limit makes results depend on the speed of the machine."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(learning_rate=2e-3, ema_decay=None, patience=3)
    )
    """How the network is trained: see docs/training.md."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings without effect beside the others, which a search need not vary.

        Also `embedding_dim`, if the heads do not divide every size that would be tried.
        """
        is_active = {
            "embedding_dim": all(size % self.num_heads == 0 for size in _DIMS.values if size),
            "num_negatives": self.loss == "sampled",
            "label_smoothing": self.loss in ("auto", "softmax"),
            "mask_probability": self.network == "bert4rec",
        }
        return tuple(name for name, active in is_active.items() if not active)


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The architecture of a network.

    Attributes:
        network: `sasrec`, `gru`, `lstm`, `bert4rec` or `hstu`.
        embedding_dim: The size of a vector.
        num_layers: The number of layers.
        num_heads: Heads of attention.
        max_length: The longest history.
        dropout: The dropout of inputs and layers.
        timed: Whether events have times.
        mask_probability: The share of a history that a masked transformer must predict.
        local_branch: `none`, `convolution` or `gru`: how a transformer reads the last events.
        local_width: How many events the convolution reads.
    """

    network: str
    embedding_dim: int
    num_layers: int
    num_heads: int
    max_length: int
    dropout: float
    timed: bool
    mask_probability: float = 0.2
    local_branch: str = "none"
    local_width: int = 4

    @property
    def masked(self) -> bool:
        """Whether the network looks both ways and predicts masked items."""
        return self.network == "bert4rec"


class Sequence(Stage[SequenceConfig]):
    """Scores an item by how likely it comes next."""

    Config = SequenceConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_space": ItemSpace,
        "_shape": NetworkShape | None,
        "_weights": dict[str, np.ndarray],
        "_epochs": int,
    }
    test_variants: ClassVar[SequenceOf[Mapping[str, Any]]] = (
        {"network": "bert4rec", "training": {"epochs": 2, "batch_size": 64}},
        {"loss": "bce", "training": {"epochs": 2, "batch_size": 64}},
        {"network": "hstu", "training": {"epochs": 2, "batch_size": 64}, "loss": "sampled"},
    )

    def __init__(self, config: SequenceConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._space: FittedItems = ItemSpace.empty(self.config.features)
        self._shape: NetworkShape | None = None
        self._weights: dict[str, Any] = {}
        self._epochs = 0
        self._network: Any = None

    def _check(self) -> None:
        dim, heads = self.config.embedding_dim or DEFAULT_DIM, self.config.num_heads
        if dim % heads:
            raise InputError(
                f"{self.name}.num_heads is {heads}, expected a divisor of embedding_dim {dim}",
                field=f"{self.name}.num_heads",
            )
        branch = self.config.local_branch
        if branch not in (None, "none") and self.config.network != "sasrec":
            raise InputError(
                f"{self.name}.local_branch is {branch!r}, which only sasrec has",
                hint="leave it out, or name the network sasrec",
                field=f"{self.name}.local_branch",
            )
        if self.config.loss == "bce" and self.config.network == "bert4rec":
            raise InputError(
                f"{self.name}.loss is 'bce', which bert4rec does not have",
                hint="name softmax or sampled",
                field=f"{self.name}.loss",
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
            InputError: A setting needs more memory than there is.
            PlaitError: What `plait.training.trainer.train` raises.
        """
        require_extra(f"the stage {self.name!r}")
        from plait.models.sequential.fit import fit_sequence

        fitted = self.clone()
        result = fit_sequence(self.config, dataset, context, self._earlier_fit())
        if result is not None:
            fitted._set(result)
        return fitted

    def _earlier_fit(self) -> SequenceFit | None:
        """What this stage has learned, as the fit reads it; None if it has learned nothing."""
        from plait.models.sequential.fit import SequenceFit

        if self._shape is None:
            return None
        return SequenceFit(self._space, self._shape, self._weights, self._epochs)

    def _set(self, result: SequenceFit) -> None:
        """Take over the result of a fit."""
        self._space, self._shape = result.space, result.shape
        self._weights, self._epochs = result.weights, result.epochs

    @property
    def can_warm_start(self) -> bool:
        """Whether training can go on from the fitted weights."""
        return self._shape is not None

    def describe(self) -> dict[str, Any]:
        """Return the size of the fitted network, as chosen by the recipe or the data."""
        return {} if self._shape is None else {**asdict(self._shape), "epochs": self._epochs}

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[ItemVectors] | None:
        assert isinstance(self._space, ItemSpace)
        return self._space.update(catalogue, version, previous)

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        logits = self._logits(queries)
        item_numbers = np.full((len(queries), min(k, logits.n_items)), ABSENT, np.int32)
        if len(logits.rows) and item_numbers.shape[1]:
            from plait.models.sequential.torch_topk import likeliest

            item_numbers[logits.rows] = likeliest(
                logits.scores, queries, logits.rows, item_numbers.shape[1]
            )
        return CandidateLists(item_numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Return log(1 + lift), the lift being how much likelier than average each item comes next.

        Args:
            queries: B queries.
            numbers: int32 [B, K], the items.

        Returns:
            float32 [B, K], 0 and above; NaN for items without a vector and queries without history.
        """
        logits = self._logits(queries)
        scores = np.full(numbers.shape, np.nan, np.float32)
        if len(logits.rows):
            item_logits = take_scores(logits.scores, numbers[logits.rows])
            item_logits[np.isneginf(item_logits)] = np.nan
            log_lift = item_logits - logits.baseline[:, None]
            scores[logits.rows] = np.maximum(log_lift, 0) + np.log1p(np.exp(-np.abs(log_lift)))
        return scores

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        return nearest_history_item(queries.effective_history, self._items(queries), numbers)

    def item_vectors(self) -> Float32Array:
        """Return the vectors of items, float32 [n, D]; NaN for unknown items."""
        items = self._space.items
        return np.where(items.known[:, None], items.table, np.float32(np.nan))

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Compute the states after histories; their products with `item_vectors` are the logits.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D]; NaN without a known item in the history.
        """
        dim = self._space.items.table.shape[1]
        vectors = np.full((len(queries), dim), np.nan, np.float32)
        if self._shape is not None:
            states, rows = self._encoded(queries, self._items(queries))
            vectors[rows] = states
        return vectors

    def _logits(self, queries: QueryBatch) -> ItemLogits:
        """The logits of all items, computed once for a batch."""
        if self.name not in queries.cache:
            queries.cache[self.name] = self._compute_logits(queries)
        logits: ItemLogits = queries.cache[self.name]
        return logits

    def _compute_logits(self, queries: QueryBatch) -> ItemLogits:
        if self._shape is None:
            return ItemLogits.empty()
        items = self._items(queries)
        states, rows = self._encoded(queries, items)
        return ItemLogits.of(states, rows, items, self._space.items.known)

    def _encoded(self, queries: QueryBatch, items: ItemVectors) -> tuple[Float32Array, Int64Array]:
        """The states after histories with a known item, and the queries they belong to."""
        assert self._shape is not None
        require_extra(f"the stage {self.name!r}")
        from plait.models.sequential.inference import build_network, encode_histories

        if self._network is None:  # two threads may both build it: they build the same
            self._network = build_network(self._shape, self._weights)
        return encode_histories(self._network, queries.effective_history, items)

    def _items(self, queries: QueryBatch) -> ItemVectors:
        """The vectors of items as they are now."""
        updates = updates_in(queries, self.name)
        return self._space.items if updates is None else updates.values
