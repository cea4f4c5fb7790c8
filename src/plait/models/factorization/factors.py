"""Vectors of users and items whose product is the score: matrix factorisation and its kin.

`method` names the model, and with it what a score means and how unseen users are answered:

- "ials": implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008), by the library
  implicit. Every user is solved anew from the question's history.
- "bpr": Bayesian personalised ranking (Rendle et al., UAI 2009), by implicit. Users as with "ials".
- "neumf": a product beside a small network (He et al., WWW 2017), trained by `plait.training`. A
  user
  is the mean of the history's items. The score is the chance that the item is taken.
- "mf": ratings by biased matrix factorisation, Bayesian (Salakhutdinov & Mnih, ICML 2008). The
  score is the predicted rating. A rating cannot be guessed from a history, which has no stars:
  unseen users are NaN.
- "svdpp": the same and SVD++ (Koren, KDD 2008): which items somebody took moves the user's vector,
  so an unseen user is folded in from the history.

Items without an event (a rating) are NaN under all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import Dataset, Float32Array, Int32Array, QueryBatch
from plait.errors import InputError
from plait.features.interactions import query_history
from plait.features.sparse_rows import decayed_history
from plait.features.vocabulary import Vocabulary
from plait.models.factorization.bayesian_mf import BayesianMF, GibbsConfig
from plait.models.factorization.implicit_mf import FactorSpace, bpr, folded, ials
from plait.models.factorization.neumf_inference import FILE, Pairwise
from plait.models.factorization.ratings import rater_dense
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.fit_context import FitContext
from plait.pipeline.search_space import Choice, Range, tunable
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["Factors", "FactorsConfig"]

_FACTORS = {"ials": 256, "bpr": 64, "neumf": 32, "mf": 10, "svdpp": 10}
_ITERATIONS = {"ials": 12, "bpr": 60, "neumf": 0, "mf": 200, "svdpp": 200}
_L2 = {"ials": 10.0, "bpr": 0.01}
_RATINGS = ("mf", "svdpp")
_UNBOUNDED = (*_RATINGS, "bpr")
"""Zero says nothing there: a rating may be less and still be the best there is, and BPR learns
differences of scores alone."""
_READ_BY = {
    "l2": ("ials", "bpr"),
    "alpha": ("ials",),
    "learning_rate": ("bpr",),
    "basket_decay": ("ials", "bpr"),
    "num_negatives": ("neumf",),
    "dropout": ("neumf",),
    "training.learning_rate": ("neumf",),
}
"""Settings that not every method reads, of those that can be searched."""

_SURE = 10.0
"""Confidence of an event with which BPR's users are solved."""


@dataclass(frozen=True, slots=True)
class FactorsConfig:
    """What `factors` can be told."""

    method: Literal["ials", "bpr", "neumf", "mf", "svdpp"] = "ials"
    """The model."""
    factors: int = tunable(0, Choice((0, 4, 8, 16, 32, 64, 128)), Limit(least=0))
    """Dimensions; 0: 256 of ials, 64 of bpr, 32 of neumf, 10 of mf and svdpp in each sample."""
    iterations: int = bounded_field(0, Limit(least=0))
    """Rounds; 0: 12 of ials, 60 of bpr, 200 samples of mf and svdpp. neumf has `training`."""
    l2: float = tunable(0.0, Choice((0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)), Limit(least=0))
    """The ridge of ials and bpr; 0: 10 and 0.01."""
    alpha: float = tunable(20.0, Range(1.0, 200.0, log=True), Limit(above=0))
    """How sure ials is of an event, against everything that did not happen."""
    learning_rate: float = tunable(0.05, Range(0.005, 0.5, log=True), Limit(above=0))
    """The step size of bpr."""
    basket_decay: float = tunable(0.7, Range(0.2, 1.0), Limit(least=0, most=1))
    """What a basket of the history counts against the one after it, under ials and bpr."""
    max_baskets: int = bounded_field(50, Limit(least=0))
    """How many baskets back are read; 0: all."""
    burn_in: int = bounded_field(40, Limit(least=0))
    """Samples of mf and svdpp that are forgotten."""
    rank: int = bounded_field(64, Limit(least=1))
    """Dimensions that mf and svdpp keep of the mean of all samples."""
    event_types: tuple[str, ...] = ()
    """The kinds of interaction whose value is a rating; none: all with a value."""
    num_negatives: int = tunable(4, Range(1, 16, log=True), Limit(least=1))
    """Items that neumf is shown for each event and that did not happen."""
    dropout: float = tunable(0.2, Range(0.0, 0.5), Limit(least=0, below=1))
    """The share of the network's first layer that neumf leaves out in each step."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=20, batch_size=1024, learning_rate=3e-3, patience=3
        )
    )
    """How neumf is trained."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings that the method does not read: no search need vary them."""
        return tuple(name for name, methods in _READ_BY.items() if self.method not in methods)


class Factors(DenseScorer[FactorsConfig]):
    """Scores an item by the product of its vector and the user's."""

    Config = FactorsConfig
    test_variants = (
        {"method": "bpr", "factors": 8},
        {"method": "mf", "iterations": 60, "burn_in": 20},
        {"method": "svdpp", "iterations": 60, "burn_in": 20},
        {"method": "neumf", "factors": 8, "training": {"epochs": 2, "batch_size": 64}},
    )
    min_score = 0.0

    def __init__(self, config: FactorsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        if self.config.method in _UNBOUNDED:
            self.min_score = -np.inf
        self._learned: FactorSpace | BayesianMF | Pairwise = FactorSpace.blank()

    def _check(self) -> None:
        if self.config.method in _RATINGS:
            self._plan.check(self.name)
        if self.config.method == "neumf" and self.config.factors == 1:
            raise InputError(
                f"{self.name}.factors is 1, not 2 or more (or 0) as neumf halves them",
                field=f"{self.name}.factors",
            )

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """As `train`, with nothing to report to and nothing held out."""
        return self.train(dataset, FitContext(seed))

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Learn the vectors; MissingExtraError where the method's library is not installed.

        neumf trains until what is held out is ranked no better, or for as long as that once took.
        The others have no epochs to choose: they take no notice of what is held out.
        """
        fitted = type(self)(self.config, name=self.name)
        fitted._learned = self._fitted(dataset, context)
        return fitted

    @property
    def can_predict_ratings(self) -> bool:
        """Whether the method is one for ratings."""
        return self.config.method in _RATINGS

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """float32 [B, K]: predicted ratings; NaN where unknown, and throughout where the method
        predicts none.
        """
        if self.can_predict_ratings:
            return self.score(queries, numbers)
        return np.full(numbers.shape, np.nan, np.float32)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]; NaN for unknown items, and for users of whom nothing is known."""
        learned = self._learned
        if isinstance(learned, BayesianMF):
            return rater_dense(learned, queries, learned.items)
        width = len(learned.items if isinstance(learned, FactorSpace) else learned.places)
        taken = decayed_history(
            query_history(queries), self.config.basket_decay, width, self.config.max_baskets
        )
        if isinstance(learned, Pairwise):
            return learned.dense(taken)
        alpha = self.config.alpha if self.config.method == "ials" else _SURE
        return folded(learned, taken, alpha=alpha) @ learned.items.T

    def save(self, folder: Path) -> None:
        """Write the vectors."""
        learned = self._learned
        if isinstance(learned, BayesianMF | Pairwise):
            learned.save(folder)
        else:
            write_arrays(
                folder / "space.safetensors", {"items": learned.items, "solved": learned.solved}
            )

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        if (folder / "rater.safetensors").exists():
            loaded._learned = BayesianMF.load(folder)
        elif (folder / FILE).exists():
            loaded._learned = Pairwise.load(folder)
        else:
            arrays = read_arrays(folder / "space.safetensors")
            loaded._learned = FactorSpace(arrays["items"], arrays["solved"])
        return loaded

    @property
    def _l2(self) -> float:
        return float(self.config.l2 or _L2[self.config.method])

    @property
    def _size(self) -> int:
        return int(self.config.factors or _FACTORS[self.config.method])

    @property
    def _rounds(self) -> int:
        return int(self.config.iterations or _ITERATIONS[self.config.method])

    @property
    def _plan(self) -> GibbsConfig:
        """What mf and svdpp sample."""
        told, both = self.config, self.config.method == "svdpp"
        return GibbsConfig(
            self._size,
            self._rounds,
            told.burn_in,
            told.rank,
            told.event_types,
            use_implicit_users=both,
        )

    def _fitted(self, dataset: Dataset, context: FitContext) -> FactorSpace | BayesianMF | Pairwise:
        told, method, seed = self.config, self.config.method, context.seed
        size, rounds = self._size, self._rounds
        if method == "neumf":
            return self._network(dataset, context, size)
        if method in _RATINGS:
            return BayesianMF.fit(self._plan, dataset, seed)
        if method == "bpr":
            rate = told.learning_rate
            return bpr(
                dataset, factors=size, iterations=rounds, l2=self._l2, learning_rate=rate, seed=seed
            )
        return ials(
            dataset, factors=size, iterations=rounds, l2=self._l2, alpha=told.alpha, seed=seed
        )

    def _network(self, dataset: Dataset, context: FitContext, size: int) -> Pairwise:
        require_extra("factors with method neumf")
        from plait.models.factorization.neumf import trained, validation
        from plait.training.reproducibility import fingerprint, identity_of

        config, items = self.config, Vocabulary.of(dataset)
        whole = dataset.histories()
        histories = Ragged(items.rows[whole.values] - 1, whole.offsets)
        validate = None
        if context.held is not None:
            past = query_history(context.held.queries)
            taken = decayed_history(past, config.basket_decay, dataset.n_items, config.max_baskets)
            validate = validation(context.held, items, taken)
        weights, epochs = trained(
            histories,
            len(items),
            config.training,
            context,
            dim=size,
            dropout=config.dropout,
            negatives=config.num_negatives,
            longest=config.max_baskets or int(whole.lengths.max(initial=1)),
            validate=validate,
            best=self._learned.epochs if isinstance(self._learned, Pairwise) else 0,
            identity=identity_of(
                "neumf",
                config,
                vocabulary=fingerprint(items.numbers),
                histories=fingerprint(histories.values, histories.offsets),
            ),
        )
        # What was never trained knows nothing: its answers would be noise.
        return Pairwise(weights, items.rows if epochs else np.zeros_like(items.rows), epochs)
