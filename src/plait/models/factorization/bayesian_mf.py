"""Predicted ratings: the posterior mean of Gibbs sampling as one product of vectors.

The prediction is the mean over samples, in the dimensions that `CompressedMean` retains. Its maps
are linear, so they also give vectors to users and items from their features alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse

from plait.data.array_types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from plait.data.dataset import Dataset
from plait.errors import InputError
from plait.features.item_vocabulary import stable_order
from plait.features.side_information import SideFeatures, co_occurrence_features, triple_words
from plait.models.factorization.gibbs import CenteredRatings, block_rows, gibbs_samples
from plait.models.factorization.posterior_mean import CompressedMean, balanced_vectors
from plait.training.memory_budget import require_memory

__all__ = ["BayesianMF", "GibbsConfig", "RatingRows", "latest_ratings"]

_MAX_SHARE = 0.95
"""Features of a larger share of users or items are left out."""

_N_SAMPLES = 32
"""About this many samples are averaged, spread over those after the burn-in."""


@dataclass(frozen=True, slots=True)
class GibbsConfig:
    """Settings of the sampler.

    Attributes:
        factors: Dimensions of a vector in each sample.
        iterations: Rounds of sampling.
        burn_in: Rounds that are dropped.
        rank: Dimensions of the averaged vectors.
        event_types: Event types whose values are ratings; empty: all.
        use_implicit_users: Whether the items of a user are features of the user.
        use_implicit_items: Whether the users of an item are features of the item.
        use_side_information: Whether fields and triples are features.
        numeric_bins: Bins of a number field; 0: numbers are no features.
        min_count: Features of fewer users or items are left out.
    """

    factors: int
    iterations: int
    burn_in: int
    rank: int
    event_types: tuple[str, ...] = ()
    use_implicit_users: bool = False
    use_implicit_items: bool = False
    use_side_information: bool = False
    numeric_bins: int = 8
    min_count: int = 3

    def check(self, stage: str) -> None:
        """Check that samples are left after the burn-in.

        Args:
            stage: The name of the stage, for the error.

        Raises:
            InputError: The burn-in takes all iterations.
        """
        if self.burn_in >= self.iterations:
            raise InputError(
                f"{stage}.burn_in is {self.burn_in}, expected less than the {self.iterations}"
                " iterations",
                hint="lower burn_in, or raise iterations",
                field=f"{stage}.burn_in",
            )


@dataclass(frozen=True, slots=True, eq=False)
class BayesianMF:
    """A fitted model. Vectors are float32 [n, 1 + rank]: the bias, then the factors.

    Attributes:
        users: Vectors by user number; NaN for users without ratings.
        items: Vectors by item number; NaN for unknown items.
        user_base: [1 + rank], the vector of a user without ratings, before features.
        item_base: [1 + rank], that of an item.
        user_features: [F, 1 + rank], what each feature adds to a user without ratings.
        item_features: [G, 1 + rank], what each feature adds to an item.
        history_vectors: [n_items, 1 + rank], what each item of the history adds to a user without
            ratings; no rows if histories are not used.
        rated: bool [n_items], items with a rating.
        scale: float32 [3], mean, lowest and highest rating.
        user_side: How fields of users become features.
        item_side: How fields and triples of items become features.
    """

    users: Float32Array
    items: Float32Array
    user_base: Float32Array
    item_base: Float32Array
    user_features: Float32Array
    item_features: Float32Array
    history_vectors: Float32Array
    rated: BoolArray
    scale: Float32Array
    user_side: SideFeatures
    item_side: SideFeatures

    @staticmethod
    def empty(n_users: int = 0, n_items: int = 0) -> BayesianMF:
        """Return a model that predicts nothing.

        Args:
            n_users: The number of users.
            n_items: The number of items.
        """
        none, features = np.zeros((0, 1), np.float32), SideFeatures([], {})
        return BayesianMF(
            np.full((n_users, 1), np.nan, np.float32),
            np.full((n_items, 1), np.nan, np.float32),
            np.full(1, np.nan, np.float32),
            np.full(1, np.nan, np.float32),
            none,
            none,
            none,
            np.zeros(n_items, np.bool_),
            np.zeros(3, np.float32),
            features,
            features,
        )

    @staticmethod
    def fit(
        config: GibbsConfig, dataset: Dataset, seed: int, start: BayesianMF | None = None
    ) -> BayesianMF:
        """Sample and average; without ratings the model is empty.

        Args:
            config: The settings of the sampler.
            dataset: The data.
            seed: Seed of the sampler.
            start: An earlier fit from whose vectors the sampler starts; users and items that it
                lacks start from drawn ones. None: all are drawn.

        Raises:
            InputError: An event type does not exist, or memory does not suffice.
        """
        unknown = [name for name in config.event_types if name not in dataset.event_types]
        if unknown:
            known = ", ".join(dataset.event_types) or "none"
            raise InputError(
                f"no interaction has the event type {unknown[0]!r}",
                hint=f"event types: {known}",
                field="event_types",
            )
        ratings = latest_ratings(dataset, config.event_types)
        if not len(ratings.values):
            return BayesianMF.empty(dataset.n_users, dataset.n_items)
        n_rows = len(np.unique(ratings.users)) + len(np.unique(ratings.items))
        width = config.factors + 1
        n_samples = min(_N_SAMPLES, config.iterations - config.burn_in)
        # The samples, once more side by side, and one block of rows.
        needs = 8 * width * (2 * (n_samples + 2) * n_rows + 5 * block_rows(width) * width)
        require_memory({"factors": needs}, "sampling ratings")
        return _BayesianFit(config, dataset, ratings).fit(seed, start)

    def user_vectors(
        self,
        users: Int32Array,
        history: sparse.csr_matrix,
        fields: Sequence[Mapping[str, Any]],
    ) -> Float32Array:
        """Return the vectors of users; those without ratings from history and fields.

        Args:
            users: int32 [B], user numbers; -1 for unknown users.
            history: CSR [B, n_items], rows of length 1.
            fields: The fields of each user.

        Returns:
            float32 [B, 1 + rank]; NaN for users of whom nothing is known.
        """
        is_known = (users >= 0) & (users < len(self.users))
        vectors = np.full((len(users), self.items.shape[1]), np.nan, np.float32)
        vectors[is_known] = self.users[users[is_known]]
        is_new = np.isnan(vectors[:, 0])
        if is_new.any():
            new_fields = [fields[row] for row in np.flatnonzero(is_new).tolist()]
            vectors[is_new] = self._new_users(history[is_new], new_fields)
        return vectors

    def predict(self, user_vectors: Float32Array, items: Float32Array) -> Float32Array:
        """Predict ratings, clipped to the range of the ratings of the fit.

        Args:
            user_vectors: float32 [B, 1 + rank].
            items: float32 [n, 1 + rank].

        Returns:
            float32 [B, n]; NaN where unknown.
        """
        mean, low, high = self.scale
        ratings = user_vectors[:, 1:] @ items[:, 1:].T
        ratings += user_vectors[:, :1] + items[:, 0] + mean
        return np.clip(ratings, low, high, out=ratings)

    def new_items(self, features: sparse.csr_matrix) -> Float32Array:
        """Return the vectors of items without ratings.

        Args:
            features: CSR [N, G].

        Returns:
            float32 [N, 1 + rank]; NaN for items without features.
        """
        vectors = self.item_base + features @ self.item_features
        vectors[np.diff(features.indptr) == 0] = np.nan
        new_items: Float32Array = vectors.astype(np.float32)
        return new_items

    def _new_users(
        self, history: sparse.csr_matrix, fields: Sequence[Mapping[str, Any]]
    ) -> Float32Array:
        features = self.user_side.of_fields(fields)
        vectors = self.user_base + features @ self.user_features
        is_known = np.diff(features.indptr) > 0
        if len(self.history_vectors):
            vectors = vectors + history @ self.history_vectors
            is_known |= np.diff(history.indptr) > 0
        vectors[~is_known] = np.nan
        new_users: Float32Array = vectors.astype(np.float32)
        return new_users


@dataclass(frozen=True, slots=True, eq=False)
class RatingRows:
    """The latest rating of every user and item.

    Attributes:
        users: int32 [N], user numbers.
        items: int32 [N], item numbers.
        values: float64 [N].
    """

    users: Int32Array
    items: Int32Array
    values: Float64Array


def latest_ratings(dataset: Dataset, event_types: tuple[str, ...]) -> RatingRows:
    """Collect the latest rating of every user and item, ordered by the hashes of their ids.

    Args:
        dataset: The data.
        event_types: Event types whose values are ratings; empty: all.
    """
    events = dataset.interactions
    is_rating = np.isfinite(events.values)
    if event_types:
        allowed = np.array([name in event_types for name in dataset.event_types], np.bool_)
        is_rating &= allowed[events.event_types] if len(allowed) else False
    events = events.take(is_rating)
    user_keys = dataset.users.tiebreak[events.users]
    item_keys = dataset.catalogue.tiebreak[events.items]
    events = events.take(np.lexsort((np.arange(len(events)), item_keys, user_keys)))
    is_last = np.ones(len(events), np.bool_)
    is_last[:-1] = (events.users[1:] != events.users[:-1]) | (events.items[1:] != events.items[:-1])
    events = events.take(is_last)
    return RatingRows(events.users, events.items, events.values.astype(np.float64))


class _BayesianFit:
    """One fit: rows of users and items with ratings, in the order of `tiebreak`."""

    def __init__(self, config: GibbsConfig, dataset: Dataset, ratings: RatingRows) -> None:
        self._config, self._dataset, self._ratings = config, dataset, ratings
        self._users = stable_order(ratings.users, dataset.users)
        self._items = stable_order(ratings.items, dataset.catalogue)
        self._user_rows = _positions(self._users, dataset.n_users)[ratings.users]
        self._item_rows = _positions(self._items, dataset.n_items)[ratings.items]
        self._triples: Sequence[Any] = []
        self._user_side, self._item_side = SideFeatures([], {}), SideFeatures([], {})
        if config.use_side_information:
            self._triples = triple_words(dataset.triples, dataset.n_items)
            fit_side = partial(
                SideFeatures.fit,
                min_count=config.min_count,
                max_share=_MAX_SHARE,
                numeric_bins=config.numeric_bins,
            )
            self._item_side = fit_side(dataset.catalogue, self._triples)
            self._user_side = fit_side(dataset.users, [])

    def fit(self, seed: int, start: BayesianMF | None = None) -> BayesianMF:
        """Sample, compress and order by number."""
        config, values = self._config, self._ratings.values
        mean, spread = float(values.mean()), float(values.std())
        # The priors are for numbers of about 1, so ratings up to 100 would hardly move them. A
        # power of two leaves ratings of one to five stars as they are, and rounds nothing.
        unit = float(2.0 ** np.round(np.log2(spread))) if spread > 0 else 1.0
        samples = gibbs_samples(
            CenteredRatings(self._user_rows, self._item_rows, (values - mean) / unit),
            self._user_features(),
            self._item_features(),
            factors=config.factors,
            iterations=config.iterations,
            burn_in=config.burn_in,
            random=np.random.default_rng(seed),
            start=self._start(start, unit) if start is not None else None,
        )
        every = max(1, (config.iterations - config.burn_in) // _N_SAMPLES)
        thinned = [sample for number, sample in enumerate(samples) if number % every == 0]
        scale = np.array([mean, values.min(), values.max()], np.float32)
        return self._model(CompressedMean(thinned, config.rank, unit), scale)

    def _start(self, earlier: BayesianMF, unit: float) -> tuple[Float64Array, Float64Array]:
        """The vectors of an earlier fit for the rows of users and items; NaN where it had none."""
        sides = balanced_vectors(earlier.users, earlier.items, self._config.factors)
        rows = []
        for vectors, numbers in zip(sides, (self._users, self._items), strict=True):
            start = np.full((len(numbers), 1 + self._config.factors), np.nan)
            is_known = numbers < len(vectors)
            start[is_known, : vectors.shape[1]] = vectors[numbers[is_known]]
            start /= [unit, *[np.sqrt(unit)] * self._config.factors]
            rows.append(start)
        return rows[0], rows[1]

    def _user_features(self) -> sparse.csr_matrix:
        features = self._user_side.matrix(self._dataset.users, self._users.tolist(), [])
        if not self._config.use_implicit_users:
            return features
        shape = (len(self._users), len(self._items))
        implicit = co_occurrence_features(self._user_rows, self._item_rows, shape)
        return sparse.hstack([features, implicit]).tocsr()

    def _item_features(self) -> sparse.csr_matrix:
        catalogue = self._dataset.catalogue
        features = self._item_side.matrix(catalogue, self._items.tolist(), self._triples)
        if not self._config.use_implicit_items:
            return features
        shape = (len(self._items), len(self._users))
        implicit = co_occurrence_features(self._item_rows, self._user_rows, shape)
        return sparse.hstack([features, implicit]).tocsr()

    def _model(self, mean: CompressedMean, scale: Float32Array) -> BayesianMF:
        width, n_items = mean.width, self._dataset.n_items
        users = np.full((self._dataset.n_users, width), np.nan, np.float32)
        users[self._users] = mean.users
        items = np.full((n_items, width), np.nan, np.float32)
        items[self._items] = mean.items
        n_user_features = len(self._user_side.words)
        n_history = n_items if self._config.use_implicit_users else 0
        history_vectors = np.zeros((n_history, width), np.float32)
        if n_history:
            history_vectors[self._items] = mean.user_weights[n_user_features:]
        model = BayesianMF(
            users,
            items,
            mean.user_base,
            mean.item_base,
            mean.user_weights[:n_user_features],
            mean.item_weights[: len(self._item_side.words)],
            history_vectors,
            ~np.isnan(items[:, 0]),
            scale,
            self._user_side,
            self._item_side,
        )
        if self._config.use_side_information:
            catalogue = self._dataset.catalogue
            unrated = np.flatnonzero(~model.rated & catalogue.alive)
            features = self._item_side.matrix(catalogue, unrated.tolist(), self._triples)
            items[unrated] = model.new_items(features)
        return model


def _positions(numbers: Int64Array, size: int) -> Int64Array:
    """int64 [size]: the position of each number in `numbers`, -1 for none."""
    positions = np.full(size, -1, np.int64)
    positions[numbers] = np.arange(len(numbers))
    return positions
