"""How many stars this user would give: everything that is known about both, in one Bayesian model.

Biased matrix factorisation by Gibbs sampling (`plait.models.factorization.gibbs`) whose prior means
are moved by the fields of users and items, by facts, by which items a user rated and by whom an
item was rated, whatever the stars (SVD++; Koren, KDD 2008, for both sides). A user or item without
a rating stands where the features alone say: an unseen user is folded in from the items of the
question's history and from the user's fields; without either the answer is NaN. Histories carry no
stars, so what a known user rates after the fit counts at the next fit; an item that comes after it
is known by its categories and sets, not by its numbers, as a price that changes must change
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset, Float32Array, Int32Array, QueryBatch
from plait.features.item_changes import Changes
from plait.features.side_information import co_occurrence_features
from plait.models.factorization.bayesian_mf import BayesianMF, GibbsConfig
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.dense import DenseScorer
from plait.pipeline.search_space import Choice, Range, tunable

__all__ = ["Fresh", "Ratings", "RatingsConfig", "rater_dense"]


@dataclass(frozen=True, slots=True)
class RatingsConfig:
    """What `ratings` can be told."""

    factors: int = tunable(10, Range(2, 64, log=True), Limit(least=1))
    """Dimensions of the vectors in each sample."""
    iterations: int = bounded_field(200, Limit(least=1))
    """Rounds of Gibbs sampling."""
    burn_in: int = bounded_field(40, Limit(least=0))
    """So many of them are forgotten."""
    rank: int = bounded_field(64, Limit(least=1))
    """Dimensions that are kept of the mean of all samples."""
    use_implicit_feedback: bool = tunable(True, Choice((True, False)))
    """Whether it counts which items a user rated, and who rated an item, whatever the stars."""
    use_side_information: bool = tunable(True, Choice((True, False)))
    """Whether fields and facts count."""
    numeric_bins: int = tunable(8, Range(2, 32, log=True), Limit(least=0))
    """Into how many parts the values of a number are divided; 0: numbers do not count."""
    min_count: int = tunable(3, Range(1, 30, log=True), Limit(least=1))
    """In how many users (or items) a value must occur to count."""
    event_types: tuple[str, ...] = ()
    """The kinds of interaction whose value is a rating; none: all with a value."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings without effect beside the others: no search need vary them."""
        return () if self.use_side_information else ("numeric_bins", "min_count")


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Items without ratings that came or changed after the fit, and their vectors in that order."""

    changes: Changes
    vectors: Float32Array


class Ratings(DenseScorer[RatingsConfig]):
    """Scores an item by the rating that the user is expected to give."""

    Config = RatingsConfig
    test_variants = ({"iterations": 60, "burn_in": 20, "use_implicit_feedback": False},)
    is_stochastic = True

    def __init__(self, config: RatingsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._rater = BayesianMF.blank()

    def _check(self) -> None:
        _plan(self.config).check(self.name)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Sample; interactions without a value play no part."""
        fitted = type(self)(self.config, name=self.name)
        fitted._rater = BayesianMF.fit(_plan(self.config), dataset, seed)
        return fitted

    def predict(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """float32 [B, K]: ratings in the unit of those in the data, NaN where unknown."""
        return self.score(queries, numbers)

    def score_all(self, queries: QueryBatch) -> Float32Array:
        """float32 [B, n]: predicted ratings; NaN for unknown items and users."""
        fresh = None if queries.live is None else queries.live.deltas.get(self.name)
        items = self._rater.items
        if isinstance(fresh, Fresh) and len(fresh.changes.numbers):
            numbers = fresh.changes.numbers
            size = max(len(items), int(numbers.max()) + 1)
            wide = np.full((size, items.shape[1]), np.nan, np.float32)
            wide[: len(items)] = items
            wide[numbers] = fresh.vectors
            items = wide
        return rater_dense(self._rater, queries, items)

    def update(self, catalogue: Catalogue, version: int, previous: Any) -> Fresh | None:
        """Vectors of items without ratings, from their fields; None where those do not count."""
        if not self.config.use_side_information or not self._rater.rated.any():
            return None
        old = previous
        if not isinstance(old, Fresh):
            blank = np.zeros((0, self._rater.items.shape[1]), np.float32)
            old = Fresh(Changes.none(version), blank)
        numbers = old.changes.looked(catalogue)
        known = numbers < len(self._rater.rated)
        known[known] = self._rater.rated[numbers[known]]
        numbers = numbers[~known]
        about = self._rater.about_items
        features = about.matrix(catalogue, numbers.tolist(), [], ranged=False)
        vectors = [old.vectors[old.changes.kept(numbers)], self._rater.new_items(features)]
        return Fresh(old.changes.extended(catalogue, numbers), np.concatenate(vectors))

    def save(self, folder: Path) -> None:
        """Write vectors and vocabularies."""
        self._rater.save(folder)

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map what `save` wrote."""
        loaded = cls(config, name=name)
        loaded._rater = BayesianMF.load(folder)
        return loaded


def rater_dense(rater: BayesianMF, queries: QueryBatch, items: Float32Array) -> Float32Array:
    """float32 [B, n]: the ratings that `rater` predicts for all `items` [n, 1 + rank]."""
    history = queries.history
    size = len(rater.rated)
    inside = history.items < size
    inside[inside] = rater.rated[history.items[inside]]  # of the others no rating says anything
    taken = co_occurrence_features(
        history.rows[inside], history.items[inside], (len(history), size)
    )
    said = [_said(one) for one in queries.contexts]
    return rater.predicted(rater.folded(queries.users, taken, said), items)


def _said(context: Any) -> Any:
    told = context.get("user")
    return told if isinstance(told, dict) else {}


def _plan(config: RatingsConfig) -> GibbsConfig:
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
