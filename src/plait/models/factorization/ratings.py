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
from plait.data.types import Dataset, Floats, Numbers, Queries
from plait.features.item_changes import Changes
from plait.features.side_information import met
from plait.models.factorization.bayesian_mf import Plan, Rater
from plait.pipeline.constraints import Limit, limited
from plait.pipeline.dense import DenseStage
from plait.pipeline.search_space import Choice, Range, tunable

__all__ = ["Fresh", "Ratings", "RatingsConfig", "rater_dense"]


@dataclass(frozen=True, slots=True)
class RatingsConfig:
    """What `ratings` can be told."""

    factors: int = tunable(10, Range(2, 64, log=True), Limit(least=1))
    """Dimensions of the vectors in each sample."""
    iterations: int = limited(200, Limit(least=1))
    """Rounds of Gibbs sampling."""
    burn_in: int = limited(40, Limit(least=0))
    """So many of them are forgotten."""
    rank: int = limited(64, Limit(least=1))
    """Dimensions that are kept of the mean of all samples."""
    implicit: bool = tunable(True, Choice((True, False)))
    """Whether it counts which items a user rated, and who rated an item, whatever the stars."""
    described: bool = tunable(True, Choice((True, False)))
    """Whether fields and facts count."""
    ranges: int = tunable(8, Range(2, 32, log=True), Limit(least=0))
    """Into how many parts the values of a number are divided; 0: numbers do not count."""
    least: int = tunable(3, Range(1, 30, log=True), Limit(least=1))
    """In how many users (or items) a value must occur to count."""
    kinds: tuple[str, ...] = ()
    """The kinds of interaction whose value is a rating; none: all with a value."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Settings without effect beside the others: no search need vary them."""
        return () if self.described else ("ranges", "least")


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Items without ratings that came or changed after the fit, and their vectors in that order."""

    changes: Changes
    vectors: Floats


class Ratings(DenseStage):
    """Scores an item by the rating that the user is expected to give."""

    Config = RatingsConfig
    draws = True

    def __init__(self, config: Any = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._rater = Rater.blank()

    def _check(self) -> None:
        _plan(self.config).check(self.name)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Sample; interactions without a value play no part."""
        fitted = type(self)(self.config, name=self.name)
        fitted._rater = Rater.fit(_plan(self.config), dataset, seed)
        return fitted

    def predict(self, queries: Queries, numbers: Numbers) -> Floats:
        """float32 [B, K]: ratings in the unit of those in the data, NaN where unknown."""
        return self.score(queries, numbers)

    def dense(self, queries: Queries) -> Floats:
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

    def delta(self, catalogue: Catalogue, version: int, previous: Any) -> Fresh | None:
        """Vectors of items without ratings, from their fields; None where those do not count."""
        if not self.config.described or not self._rater.rated.any():
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
        loaded._rater = Rater.load(folder)
        return loaded


def rater_dense(rater: Rater, queries: Queries, items: Floats) -> Floats:
    """float32 [B, n]: the ratings that `rater` predicts for all `items` [n, 1 + rank]."""
    history = queries.history
    size = len(rater.rated)
    inside = history.items < size
    inside[inside] = rater.rated[history.items[inside]]  # of the others no rating says anything
    taken = met(history.rows[inside], history.items[inside], (len(history), size))
    said = [_said(one) for one in queries.contexts]
    return rater.predicted(rater.folded(queries.users, taken, said), items)


def _said(context: Any) -> Any:
    told = context.get("user")
    return told if isinstance(told, dict) else {}


def _plan(config: RatingsConfig) -> Plan:
    return Plan(
        config.factors,
        config.iterations,
        config.burn_in,
        config.rank,
        config.kinds,
        implicit_users=config.implicit,
        implicit_items=config.implicit,
        described=config.described,
        ranges=config.ranges,
        least=config.least,
    )
