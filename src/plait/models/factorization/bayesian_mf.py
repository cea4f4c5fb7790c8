"""Predicted ratings: what Gibbs sampling found, as one product of vectors, and folds for the new.

The prediction is the mean over samples. Their vectors, side by side, are as many as samples times
factors; a truncated SVD of the product of both sides keeps `rank` of them, and as it is linear, the
same map brings in users and items from their features alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import solve_triangular

from plait.data.types import BoolArray, Dataset, Float32Array, Int32Array, Int64Array
from plait.errors import BundleError, InputError
from plait.features.side_information import SideFeatures, co_occurrence_features, triple_words
from plait.models.factorization.gibbs import Doubles, Draw, Ratings, block_rows, draws
from plait.pipeline.array_files import read_arrays, write_arrays
from plait.training.memory_budget import require_memory

__all__ = ["BayesianMF", "GibbsConfig", "rated"]

_USUAL = 0.95
"""What more than this share of all say tells nobody apart."""

_SAMPLES = 32
"""So many samples are averaged, spread over those after the burn-in."""


@dataclass(frozen=True, slots=True)
class GibbsConfig:
    """What is sampled. `implicit_users`: whom a user met moves the user's vector; `implicit_items`
    and by whom it was met the item's. `described`: fields and facts move both.
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
        """InputError where nothing is left to be averaged; it names the `stage` that plans so."""
        if self.burn_in >= self.iterations:
            raise InputError(
                f"{stage}.burn_in is {self.burn_in}, not below the {self.iterations} iterations",
                hint="some iterations must be left behind it",
                field=f"{stage}.burn_in",
            )


@dataclass(frozen=True, slots=True, eq=False)
class BayesianMF:
    """A fitted model. Vectors are float32 [n, 1 + rank]: the bias, then what is multiplied.

    `users`, `items` by number, NaN where unknown. For those without ratings: `user_base`,
    `item_base` [1 + rank] plus `user_fields`, `item_fields` [F, 1 + rank] times their features
    plus, for users, `taken` [n_items, 1 + rank] times the history (0 rows where the plan has none).
    `rated` bool [n_items]: items with a rating. `scale` float32 [3]: mean, lowest, highest.
    """

    users: Float32Array
    items: Float32Array
    user_base: Float32Array
    item_base: Float32Array
    user_fields: Float32Array
    item_fields: Float32Array
    taken: Float32Array
    rated: BoolArray
    scale: Float32Array
    about_users: SideFeatures
    about_items: SideFeatures

    @staticmethod
    def blank(n_users: int = 0, n_items: int = 0) -> BayesianMF:
        """Knows nobody and nothing."""
        none, sides = np.zeros((0, 1), np.float32), SideFeatures([], {})
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
            sides,
            sides,
        )

    @staticmethod
    def fit(plan: GibbsConfig, dataset: Dataset, seed: int) -> BayesianMF:
        """Sample and average; knows nobody where no interaction has a value."""
        unknown = [kind for kind in plan.event_types if kind not in dataset.event_types]
        if unknown:
            known = ", ".join(dataset.event_types) or "none"
            raise InputError(
                f"there is no interaction of the kind {unknown[0]!r}",
                hint=f"event types: {known}",
                field="event_types",
            )
        found = rated(dataset, plan.event_types)
        if not len(found.values):
            return BayesianMF.blank(dataset.n_users, dataset.n_items)
        users, items = len(np.unique(found.users)), len(np.unique(found.items))
        require_memory({"factors": _needs(plan, users, items)}, "sampling ratings")
        return _Fitting(plan, dataset, found).fitted(seed)

    def folded(
        self, users: Int32Array, history: sparse.csr_matrix, said: list[Mapping[str, Any]]
    ) -> Float32Array:
        """float32 [B, 1 + rank]: the vectors of B users, NaN where nothing is known of one.

        Users with ratings stand where those say. Others: from the items of `history` [B, n_items],
        rows of length 1, and the fields `said` of each.
        """
        known = (users >= 0) & (users < len(self.users))
        found = np.full((len(users), self.items.shape[1]), np.nan, np.float32)
        found[known] = self.users[users[known]]
        new = np.isnan(found[:, 0])
        if new.any():
            found[new] = self._new_users(history[new], [said[one] for one in np.flatnonzero(new)])
        return found

    def predicted(self, vectors: Float32Array, items: Float32Array) -> Float32Array:
        """float32 [B, n]: ratings of all `items` [n, 1 + rank] by users of `vectors` [B, 1 + rank].

        Between the lowest and the highest rating there was; NaN: unknown.
        """
        mean, low, high = self.scale
        found = vectors[:, 1:] @ items[:, 1:].T
        found += vectors[:, :1] + items[:, 0] + mean
        return np.clip(found, low, high, out=found)

    def new_items(self, features: sparse.csr_matrix) -> Float32Array:
        """float32 [N, 1 + rank] of items without ratings; NaN for those without features."""
        found = self.item_base + features @ self.item_fields
        found[np.diff(features.indptr) == 0] = np.nan
        vectors: Float32Array = found.astype(np.float32)
        return vectors

    def save(self, folder: Path) -> None:
        """Write arrays and vocabularies."""
        arrays = {one.name: getattr(self, one.name) for one in fields(self)}
        sides = {name: arrays.pop(name) for name in ("about_users", "about_items")}
        write_arrays(folder / "rater.safetensors", arrays)
        told = {name: {"words": one.words, "edges": one.edges} for name, one in sides.items()}
        (folder / "sides.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> BayesianMF:
        """Map what `save` wrote; BundleError if it is not whole."""
        arrays: dict[str, Any] = read_arrays(folder / "rater.safetensors")
        try:
            told = json.loads((folder / "sides.json").read_text(encoding="utf-8"))
            sides: dict[str, Any] = {
                name: SideFeatures(one["words"], one["edges"]) for name, one in told.items()
            }
            return BayesianMF(**arrays, **sides)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise BundleError(f"cannot read sides.json: {problem}", hint="fit again") from problem

    def _new_users(self, history: sparse.csr_matrix, said: list[Mapping[str, Any]]) -> Float32Array:
        features = self.about_users.of_fields(said)
        found = self.user_base + features @ self.user_fields
        told = np.diff(features.indptr) > 0
        if len(self.taken):
            found = found + history @ self.taken
            told |= np.diff(history.indptr) > 0
        found[~told] = np.nan
        vectors: Float32Array = found.astype(np.float32)
        return vectors


@dataclass(frozen=True, slots=True, eq=False)
class Rated:
    """The newest rating of every (user, item) that has one: numbers and float64 values."""

    users: Int32Array
    items: Int32Array
    values: Doubles


def _needs(plan: GibbsConfig, users: int, items: int) -> int:
    """Bytes, roughly: the samples that are kept, once more side by side, and one block of them."""
    width = plan.factors + 1
    kept = min(_SAMPLES, plan.iterations - plan.burn_in)
    return 8 * width * (2 * (kept + 2) * (users + items) + 5 * block_rows(width) * width)


def rated(dataset: Dataset, kinds: tuple[str, ...]) -> Rated:
    """The interactions of `kinds` (none: all) with a value; users, then items, by `tiebreak`."""
    found = dataset.interactions
    kept = np.isfinite(found.values)
    if kinds:
        wanted = np.array([kind in kinds for kind in dataset.event_types], np.bool_)
        kept &= wanted[found.event_types] if len(wanted) else False
    found = found.take(kept)
    people = dataset.users.tiebreak[found.users]
    things = dataset.catalogue.tiebreak[found.items]
    order = np.lexsort((np.arange(len(found)), things, people))
    found = found.take(order)
    last = np.ones(len(found), np.bool_)
    last[:-1] = (found.users[1:] != found.users[:-1]) | (found.items[1:] != found.items[:-1])
    found = found.take(last)
    return Rated(found.users, found.items, found.values.astype(np.float64))


class _Fitting:
    """One fit: rows of those with ratings, in the order of `tiebreak`, and their features."""

    def __init__(self, plan: GibbsConfig, dataset: Dataset, found: Rated) -> None:
        self._plan, self._dataset, self._found = plan, dataset, found
        self._users = _ordered(found.users, dataset.users.tiebreak)
        self._items = _ordered(found.items, dataset.catalogue.tiebreak)
        self._user_row = _places(self._users, dataset.n_users)
        self._item_row = _places(self._items, dataset.n_items)
        self._told = (
            triple_words(dataset.triples, dataset.n_items) if plan.use_side_information else []
        )
        self._sides = self._learned()

    def fitted(self, seed: int) -> BayesianMF:
        """Sample, compress, and put everything in the order of numbers."""
        plan, found = self._plan, self._found
        mean, unit = float(found.values.mean()), _unit(found.values)
        ratings = Ratings(
            self._user_row[found.users], self._item_row[found.items], (found.values - mean) / unit
        )
        samples = draws(
            ratings,
            self._about_users(),
            self._about_items(),
            factors=plan.factors,
            iterations=plan.iterations,
            burn_in=plan.burn_in,
            random=np.random.default_rng(seed),
        )
        every = max(1, (plan.iterations - plan.burn_in) // _SAMPLES)
        kept = [one for place, one in enumerate(samples) if place % every == 0]
        scale = np.array([mean, found.values.min(), found.values.max()], np.float32)
        return self._placed(_Compressed(kept, plan.rank, unit), scale)

    def _learned(self) -> tuple[SideFeatures, SideFeatures]:
        if not self._plan.use_side_information:
            return SideFeatures([], {}), SideFeatures([], {})
        learned = partial(
            SideFeatures.fit,
            min_count=self._plan.min_count,
            max_share=_USUAL,
            numeric_bins=self._plan.numeric_bins,
        )
        things = learned(self._dataset.catalogue, self._told)
        return learned(self._dataset.users, []), things

    def _about_users(self) -> sparse.csr_matrix:
        features = self._sides[0].matrix(self._dataset.users, self._users.tolist(), [])
        if not self._plan.use_implicit_users:
            return features
        size = (len(self._users), len(self._items))
        rows, columns = self._user_row[self._found.users], self._item_row[self._found.items]
        return sparse.hstack([features, co_occurrence_features(rows, columns, size)]).tocsr()

    def _about_items(self) -> sparse.csr_matrix:
        features = self._sides[1].matrix(self._dataset.catalogue, self._items.tolist(), self._told)
        if not self._plan.use_implicit_items:
            return features
        size = (len(self._items), len(self._users))
        rows, columns = self._item_row[self._found.items], self._user_row[self._found.users]
        return sparse.hstack([features, co_occurrence_features(rows, columns, size)]).tocsr()

    def _placed(self, found: _Compressed, scale: Float32Array) -> BayesianMF:
        width, n_items = found.width, self._dataset.n_items
        users = np.full((self._dataset.n_users, width), np.nan, np.float32)
        users[self._users] = found.users
        items = np.full((n_items, width), np.nan, np.float32)
        items[self._items] = found.items
        about_users, about_items = self._sides
        taken = np.zeros((n_items if self._plan.use_implicit_users else 0, width), np.float32)
        if len(taken):
            taken[self._items] = found.user_weights[len(about_users.words) :]
        mine = BayesianMF(
            users,
            items,
            found.user_base,
            found.item_base,
            found.user_weights[: len(about_users.words)],
            found.item_weights[: len(about_items.words)],
            taken,
            ~np.isnan(items[:, 0]),
            scale,
            about_users,
            about_items,
        )
        if self._plan.use_side_information:
            rest = np.flatnonzero(~mine.rated & self._dataset.catalogue.alive)
            told = about_items.matrix(self._dataset.catalogue, rest.tolist(), self._told)
            items[rest] = mine.new_items(told)
        return mine


class _Compressed:
    """The mean of many draws in `rank` dimensions, times `unit`; float32, the bias before the
    vector.
    """

    def __init__(self, kept: list[Draw], rank: int, unit: float = 1.0) -> None:
        self._unit = unit
        users, items = (_beside([getattr(one, name)[:, 1:] for one in kept]) for name in _SIDES)
        items /= len(kept)
        # Orthonormal maps from the Cholesky factor of both Gram matrices: the SVD of a product
        # of two thin matrices without ever making either's QR.
        upper = np.linalg.cholesky(_gram(users)).T
        lower = np.linalg.cholesky(_gram(items))
        _, _, axes = np.linalg.svd(upper @ lower)
        axes = axes[: min(rank, len(axes))].T
        self._maps = (lower @ axes, solve_triangular(lower.T, axes, lower=False))
        self.width = axes.shape[1] + 1
        self.users, self.items = (
            self._joined([getattr(one, name) for one in kept], side)
            for side, name in enumerate(_SIDES)
        )
        self.user_base, self.item_base = (
            self._joined([getattr(one, name)[None, :] for one in kept], side)[0]
            for side, name in enumerate(("user_mean", "item_mean"))
        )
        self.user_weights, self.item_weights = (
            self._joined([getattr(one, name) for one in kept], side)
            for side, name in enumerate(("user_weights", "item_weights"))
        )

    def _joined(self, parts: list[Doubles], side: int) -> Float32Array:
        """The parts [n, 1 + factors] of all draws as one [n, 1 + rank]."""
        bias = self._unit * np.mean([one[:, 0] for one in parts], axis=0)
        vectors = _beside([one[:, 1:] for one in parts]) @ self._maps[side]
        if side:
            vectors /= len(parts)
        else:
            vectors *= self._unit
        joined: Float32Array = np.column_stack([bias, vectors]).astype(np.float32)
        return joined


_SIDES = ("users", "items")


def _unit(values: Doubles) -> float:
    """What ratings are divided by while they are sampled: their spread, or 1 if they are all equal.

    Priors are for numbers about as large as 1: marks up to 100 would tell them nothing. To the
    nearest power of two, so that stars stay as they are and nothing is rounded.
    """
    spread = float(values.std())
    return float(2.0 ** np.round(np.log2(spread))) if spread > 0 else 1.0


def _beside(parts: list[Doubles]) -> Doubles:
    joined: Doubles = np.concatenate(parts, axis=1)
    return joined


def _gram(vectors: Doubles) -> Doubles:
    """Vectors' Gram matrix, a little larger on the diagonal so that it can be factored."""
    found: Doubles = vectors.T @ vectors
    found[np.diag_indices(len(found))] += 1e-9 * np.trace(found) / len(found) + 1e-12
    return found


def _ordered(numbers: Int32Array, tiebreak: Any) -> Int64Array:
    found = np.unique(numbers).astype(np.int64)
    ordered: Int64Array = found[np.argsort(tiebreak[found], kind="stable")]
    return ordered


def _places(numbers: Int64Array, size: int) -> Int64Array:
    places = np.full(size, -1, np.int64)
    places[numbers] = np.arange(len(numbers))
    return places
