"""Matrix factorisation and related models, where the score is a product of two vectors.

`method` names the model, the meaning of its score and how unknown users are served:

- "ials": implicit alternating least squares (Hu, Koren & Volinsky, ICDM 2008), by the library
  implicit. Every user is solved anew from the history in the query.
- "bpr": Bayesian personalised ranking (Rendle et al., UAI 2009), by implicit. Users as with "ials".
- "neumf": a product beside a small network (He et al., WWW 2017), trained by `plait.training`. A
  user is the mean of the items of the history. The score is the chance of an interaction.
- "mf": ratings by biased matrix factorisation, Bayesian (Salakhutdinov & Mnih, ICML 2008). The
  score is the predicted rating. Histories hold no ratings, so unknown users are NaN.
- "svdpp": the same with SVD++ (Koren, KDD 2008): the items of a history contribute to the user's
  vector, so an unknown user is predicted from the history.

Items without an event (a rating) are NaN under all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.features.item_vocabulary import Vocabulary
from plait.features.sparse_rows import decayed_history
from plait.models.factorization.bayesian_mf import BayesianMF, GibbsConfig
from plait.models.factorization.ials_bpr import FactorSpace, fit_bpr, fit_ials, solve_users
from plait.models.factorization.neumf_inference import NeuMFScorer
from plait.models.factorization.rating_prediction import predict_ratings, rating_user_vectors
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fit_context import FitContext
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Choice, Range, tunable
from plait.training.config import TrainingConfig
from plait.utils.optional_imports import require_extra

__all__ = ["Factors", "FactorsConfig"]

_FACTORS = {"ials": 256, "bpr": 64, "neumf": 32, "mf": 10, "svdpp": 10}
_ITERATIONS = {"ials": 12, "bpr": 60, "neumf": 0, "mf": 200, "svdpp": 200}
_L2 = {"ials": 10.0, "bpr": 0.01}
_RATINGS = ("mf", "svdpp")
_UNBOUNDED = (*_RATINGS, "bpr")
"""Methods for which a score of zero or less can be the best one: ratings may be negative, and BPR
learns differences of scores only."""
_READ_BY = {
    "l2": ("ials", "bpr"),
    "alpha": ("ials",),
    "learning_rate": ("bpr",),
    "basket_decay": ("ials", "bpr"),
    "num_negatives": ("neumf",),
    "dropout": ("neumf",),
    "training.learning_rate": ("neumf",),
}
"""Searchable settings that not every method reads."""

_BPR_ALPHA = 10.0
"""The confidence of an event with which users of BPR are solved."""


@dataclass(frozen=True, slots=True)
class FactorsConfig:
    """Settings of `factors`."""

    method: Literal["ials", "bpr", "neumf", "mf", "svdpp"] = "ials"
    """The model."""
    factors: int = tunable(0, Choice((0, 4, 8, 16, 32, 64, 128)), Limit(least=0))
    """Dimensions; 0: 256 (ials), 64 (bpr), 32 (neumf), 10 in each sample (mf, svdpp)."""
    iterations: int = bounded_field(0, Limit(least=0))
    """Rounds; 0: 12 (ials), 60 (bpr), 200 samples (mf, svdpp). neumf has `training`."""
    l2: float = tunable(0.0, Choice((0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)), Limit(least=0))
    """L2 regularisation of ials and bpr; 0: 10 and 0.01."""
    alpha: float = tunable(20.0, Range(1.0, 200.0, log=True), Limit(above=0))
    """The confidence of an event in ials; items without an event have confidence 1."""
    confidence: Literal["history", "item", "weight"] = "history"
    """What ials and bpr take for evidence: "history": each item once in the fit, and events by type
    and age when a user is solved; "item": each item once in both; "weight": the sum of the weights
    of the events with an item in both (ials). Under the last two items of negative score are
    candidates too, as in the library implicit."""
    learning_rate: float = tunable(0.05, Range(0.005, 0.5, log=True), Limit(above=0))
    """The learning rate of bpr."""
    basket_decay: float = tunable(0.7, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket relative to the one after it, under ials and bpr."""
    max_baskets: int = bounded_field(50, Limit(least=0))
    """Baskets of the history that are read; 0: all."""
    burn_in: int = bounded_field(40, Limit(least=0))
    """Samples of mf and svdpp that are dropped."""
    rank: int = bounded_field(64, Limit(least=1))
    """Dimensions of the mean over all samples of mf and svdpp."""
    event_types: tuple[str, ...] = ()
    """Event types whose values are ratings; empty: all with a value."""
    num_negatives: int = tunable(4, Range(1, 16, log=True), Limit(least=1))
    """Negatives of each event in neumf."""
    dropout: float = tunable(0.2, Range(0.0, 0.5), Limit(least=0, below=1))
    """The dropout of the first layer of neumf."""
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=20, batch_size=1024, learning_rate=3e-3, patience=3
        )
    )
    """How neumf is trained."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings that are not read, which a search need not vary."""
        ageless = ("basket_decay",) if self.confidence == "item" else ()
        names = tuple(name for name, methods in _READ_BY.items() if self.method not in methods)
        return tuple(dict.fromkeys((*names, *ageless)))


class Factors(DenseScorer[FactorsConfig]):
    """Scores an item by the product of its vector and the user's."""

    Config = FactorsConfig
    min_score = 0.0
    fitted_state: ClassVar[Mapping[str, Any]] = {"_model": FactorSpace | BayesianMF | NeuMFScorer}
    test_variants = (
        {"method": "bpr", "factors": 8, "confidence": "item"},
        {"factors": 8, "confidence": "weight"},
        {"method": "mf", "iterations": 60, "burn_in": 20},
        {"method": "svdpp", "iterations": 60, "burn_in": 20},
        {"method": "neumf", "factors": 8, "training": {"epochs": 2, "batch_size": 64}},
    )

    def __init__(self, config: FactorsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        if self.config.method in _UNBOUNDED or self.config.confidence != "history":
            self.min_score = -np.inf
        self._model: FactorSpace | BayesianMF | NeuMFScorer = FactorSpace.empty()

    def _check(self) -> None:
        if self.can_predict_ratings:
            self._gibbs_config.check(self.name)
        if self.config.method == "neumf" and self.config.factors == 1:
            raise InputError(
                f"{self.name}.factors is 1, expected 2 or more (or 0), as neumf halves them",
                field=f"{self.name}.factors",
            )
        if self.config.confidence == "weight" and self.config.method != "ials":
            raise InputError(
                f"{self.name}.confidence is 'weight', which {self.config.method} does not have",
                hint="ials has it",
                field=f"{self.name}.confidence",
            )

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        return self.train(dataset, FitContext(seed))

    def train(self, dataset: Dataset, context: FitContext) -> Self:
        """Learn the vectors.

        neumf trains until validation stops improving, or as long as an earlier fit found best. The
        other methods have no epochs to choose and ignore the validation set.

        Args:
            dataset: The data.
            context: How the stage is fitted.

        Raises:
            MissingExtraError: The library of the method is not installed.
        """
        fitted = self.clone()
        fitted._model = self._fit_model(dataset, context)
        return fitted

    @property
    def can_predict_ratings(self) -> bool:
        """Whether the method is one for ratings."""
        return self.config.method in _RATINGS

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        if self.can_predict_ratings:
            return self.score(queries, numbers)
        return np.full(numbers.shape, np.nan, np.float32)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        config, model = self.config, self._model
        if isinstance(model, BayesianMF):
            return predict_ratings(model, queries, model.items)
        if isinstance(model, FactorSpace):
            return self._solved_users(model, queries) @ model.items.T
        history = decayed_history(
            queries.effective_history, config.basket_decay, len(model.rows), config.max_baskets
        )
        return model.score_all(history)

    def item_vectors(self) -> Float32Array:
        """Return the vectors of items; under mf and svdpp a 1 and the bias come first.

        Returns:
            float32 [n, D]; NaN for unknown items.

        Raises:
            InputError: The method is neumf, whose score is no product.
        """
        model = self._model
        if isinstance(model, NeuMFScorer):
            raise InputError(f"{self.name}: neumf has no vectors whose product is the score")
        if isinstance(model, FactorSpace):
            return model.items
        ones = np.where(np.isnan(model.items[:, :1]), np.nan, 1)
        return np.hstack([ones, model.items]).astype(np.float32)

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Compute the vectors of users.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D]; NaN for unknown users. The product with `item_vectors` is the score,
            under mf and svdpp the rating before it is clipped to the range of the training ratings.

        Raises:
            InputError: The method is neumf, whose score is no product.
        """
        model = self._model
        if isinstance(model, NeuMFScorer):
            raise InputError(f"{self.name}: neumf has no vectors whose product is the score")
        if isinstance(model, BayesianMF):
            vectors = rating_user_vectors(model, queries)
            bias = vectors[:, :1] + model.scale[0]
            ones = np.where(np.isnan(bias), np.nan, 1)
            return np.hstack([bias, ones, vectors[:, 1:]]).astype(np.float32)
        return self._solved_users(model, queries)

    def _solved_users(self, model: FactorSpace, queries: QueryBatch) -> Float32Array:
        """The users of ials and bpr, float32 [B, D]."""
        config = self.config
        history = decayed_history(
            queries.effective_history, config.basket_decay, len(model.items), config.max_baskets
        )
        if config.confidence == "item":
            history = history.sum_duplicates()
            history = replace(history, weights=np.ones_like(history.weights))
        alpha = config.alpha if config.method == "ials" else _BPR_ALPHA
        return solve_users(model, history, alpha=alpha)

    @property
    def _gibbs_config(self) -> GibbsConfig:
        config = self.config
        return GibbsConfig(
            config.factors or _FACTORS[config.method],
            config.iterations or _ITERATIONS[config.method],
            config.burn_in,
            config.rank,
            config.event_types,
            use_implicit_users=config.method == "svdpp",
        )

    def _fit_model(
        self, dataset: Dataset, context: FitContext
    ) -> FactorSpace | BayesianMF | NeuMFScorer:
        config = self.config
        if config.method == "neumf":
            return self._fit_neumf(dataset, context)
        if self.can_predict_ratings:
            return self._fit_ratings(dataset, context)
        settings: dict[str, Any] = {
            "factors": config.factors or _FACTORS[config.method],
            "iterations": context.rounds(config.iterations or _ITERATIONS[config.method]),
            "l2": config.l2 or _L2[config.method],
            "seed": context.seed,
        }
        if context.warm_start and isinstance(self._model, FactorSpace):
            settings["start"] = self._model
        if config.method == "bpr":
            return fit_bpr(dataset, learning_rate=config.learning_rate, **settings)
        return fit_ials(
            dataset, alpha=config.alpha, weighted=config.confidence == "weight", **settings
        )

    def _fit_ratings(self, dataset: Dataset, context: FitContext) -> BayesianMF:
        config, start = self._gibbs_config, None
        if context.warm_start and isinstance(self._model, BayesianMF):
            start = self._model
            samples = context.rounds(config.iterations - config.burn_in)
            burn_in = context.rounds(config.burn_in)
            config = replace(config, iterations=burn_in + samples, burn_in=burn_in)
        return BayesianMF.fit(config, dataset, context.seed, start)

    @property
    def can_warm_start(self) -> bool:
        """Whether there are vectors of an earlier fit; neumf starts anew."""
        return isinstance(self._model, FactorSpace | BayesianMF) and len(self._model.items) > 0

    def _fit_neumf(self, dataset: Dataset, context: FitContext) -> NeuMFScorer:
        require_extra("factors with method neumf")
        from plait.models.factorization.neumf import NeuMFConfig, train_neumf, validation_of
        from plait.training.run_identity import fingerprint, identity_of

        config, items = self.config, Vocabulary.of(dataset)
        item_numbers = dataset.histories()
        histories = Ragged(items.rows[item_numbers.values] - 1, item_numbers.offsets)
        longest = int(histories.lengths.max(initial=0))
        validate = None
        if context.held is not None:
            past = context.held.queries.effective_history
            history = decayed_history(
                past, config.basket_decay, dataset.n_items, config.max_baskets
            )
            validate = validation_of(context.held, items, history)
        weights, epochs = train_neumf(
            histories,
            len(items),
            NeuMFConfig(
                config.factors or _FACTORS["neumf"],
                config.dropout,
                config.num_negatives,
                min(config.max_baskets or longest, longest),
            ),
            config.training,
            context,
            validate=validate,
            best_epoch=self._model.epochs if isinstance(self._model, NeuMFScorer) else 0,
            identity=identity_of(
                "neumf",
                config,
                vocabulary=fingerprint(items.numbers),
                histories=fingerprint(histories.values, histories.offsets),
            ),
        )
        # Without training the weights are random: then no item is known.
        return NeuMFScorer(weights, items.rows if epochs else np.zeros_like(items.rows), epochs)
