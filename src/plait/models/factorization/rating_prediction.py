"""Rating prediction from ratings, fields, triples and implicit feedback in one Bayesian model.

Biased matrix factorisation by Gibbs sampling (`plait.models.factorization.gibbs`) whose prior means
depend on the fields of users and items, on triples, on the items that a user rated and on the users
that rated an item, whatever the ratings were (SVD++; Koren, KDD 2008, for both sides). A user or
item without ratings has the vector of its features: an unknown user has that of the items in the
query's history and of the user's fields; without either the prediction is NaN. Histories hold no
ratings, so what a known user rates after the fit counts at the next fit. An item that comes after
the fit is predicted from its categories and sets, not from its numbers, because a changed price
must not change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.features.incremental_updates import ItemUpdates, overlay_items, updates_in
from plait.features.side_information import co_occurrence_features
from plait.models.factorization.bayesian_mf import BayesianMF, GibbsConfig
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Choice, Range, tunable

__all__ = ["Ratings", "RatingsConfig", "predict_ratings", "rating_user_vectors"]


@dataclass(frozen=True, slots=True)
class RatingsConfig:
    """Settings of `ratings`."""

    factors: int = tunable(10, Range(2, 64, log=True), Limit(least=1))
    """Dimensions of the vectors in each sample."""
    iterations: int = bounded_field(200, Limit(least=1))
    """Rounds of Gibbs sampling."""
    burn_in: int = bounded_field(40, Limit(least=0))
    """Rounds whose samples are dropped."""
    rank: int = bounded_field(64, Limit(least=1))
    """Dimensions of the mean over all samples."""
    use_implicit_feedback: bool = tunable(True, Choice((True, False)))
    """Whether the items of a user, and the users of an item, are features, whatever the rating."""
    use_side_information: bool = tunable(True, Choice((True, False)))
    """Whether fields and triples are features."""
    numeric_bins: int = tunable(8, Range(2, 32, log=True), Limit(least=0))
    """Bins of a number field; 0: numbers are no features."""
    min_count: int = tunable(3, Range(1, 30, log=True), Limit(least=1))
    """Features of fewer users (or items) are left out."""
    event_types: tuple[str, ...] = ()
    """Event types whose values are ratings; empty: all with a value."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings without effect beside the others, which a search need not vary."""
        return () if self.use_side_information else ("numeric_bins", "min_count")


class Ratings(DenseScorer[RatingsConfig]):
    """Scores an item by the rating that the user is predicted to give."""

    Config = RatingsConfig
    is_stochastic = True
    fitted_state: ClassVar[Mapping[str, Any]] = {"_model": BayesianMF}
    test_variants = ({"iterations": 60, "burn_in": 20, "use_implicit_feedback": False},)

    def __init__(self, config: RatingsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._model = BayesianMF.empty()

    def _check(self) -> None:
        self._gibbs_config.check(self.name)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        fitted._model = BayesianMF.fit(self._gibbs_config, dataset, seed)
        return fitted

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        return self.score(queries, numbers)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        items = self._model.items
        updates = updates_in(queries, self.name)
        if updates is not None:
            items = overlay_items(items, updates.item_numbers, updates.values)
        return predict_ratings(self._model, queries, items)

    def update(
        self, catalogue: Catalogue, version: int, previous: Any
    ) -> ItemUpdates[Float32Array] | None:
        model = self._model
        if not self.config.use_side_information or not model.rated.any():
            return None
        updates: ItemUpdates[Float32Array] = ItemUpdates.empty(
            version, np.zeros((0, model.items.shape[1]), np.float32)
        )
        if isinstance(previous, ItemUpdates):
            updates = previous
        numbers = updates.changed_outside(catalogue, model.rated)
        features = model.item_side.matrix(catalogue, numbers.tolist(), [], ranged=False)
        vectors = [updates.values[updates.retained(numbers)], model.new_items(features)]
        return updates.extended(catalogue, numbers, np.concatenate(vectors))

    @property
    def _gibbs_config(self) -> GibbsConfig:
        config = self.config
        return GibbsConfig(
            config.factors,
            config.iterations,
            config.burn_in,
            config.rank,
            config.event_types,
            use_implicit_users=config.use_implicit_feedback,
            use_implicit_items=config.use_implicit_feedback,
            use_side_information=config.use_side_information,
            numeric_bins=config.numeric_bins,
            min_count=config.min_count,
        )


def predict_ratings(model: BayesianMF, queries: QueryBatch, items: Float32Array) -> Float32Array:
    """Predict the ratings of all items.

    Args:
        model: The fitted model.
        queries: B queries.
        items: float32 [n, 1 + rank], the vectors of all items.

    Returns:
        float32 [B, n]; NaN where user or item is unknown.
    """
    return model.predict(rating_user_vectors(model, queries), items)


def rating_user_vectors(model: BayesianMF, queries: QueryBatch) -> Float32Array:
    """Compute the vectors of users.

    Args:
        model: The fitted model.
        queries: B queries.

    Returns:
        float32 [B, 1 + rank]; NaN for users of whom nothing is known.
    """
    history = queries.history
    n_items = len(model.rated)
    is_rated = history.items < n_items
    is_rated[is_rated] = model.rated[history.items[is_rated]]  # the others have no vector
    shape = (len(history), n_items)
    implicit = co_occurrence_features(history.rows[is_rated], history.items[is_rated], shape)
    users = [context.get("user") for context in queries.contexts]
    fields = [user if isinstance(user, dict) else {} for user in users]
    return model.user_vectors(queries.users, implicit, fields)
