"""Bayesian biased matrix factorisation with side information, by Gibbs sampling.

The model is probabilistic matrix factorisation (Salakhutdinov & Mnih, ICML 2008): a rating is the
mean, a bias of the user, one of the item and a product of vectors, plus noise. Features of users
and items move the mean of their prior (Macau; Simm et al., 2015), so that a user with few ratings
or none is predicted like users with the same features. Nothing is tuned by hand: noise, variances
and the weight of every feature are sampled too.

Users and items are rows; the caller orders them independently of their numbers, because random
numbers are drawn row by row. A vector has `width` = 1 + factors entries: the bias, then the
factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from plait.data.array_types import Float64Array, Int64Array
from plait.data.ragged import offsets_of

__all__ = [
    "CenteredRatings",
    "Sample",
    "block_rows",
    "gibbs_samples",
    "row_moments",
    "sample_wishart",
    "solve_ridge",
]

_CHUNK = 1 << 18
"""Ratings that are multiplied out at a time."""

_MATRIX_ENTRIES = 1 << 23
"""Entries of the matrices of the rows that are solved at a time."""

_NARROW = 16
"""Up to this width outer products of all ratings of a block are computed at once."""

_RIDGE = 5.0
"""The precision of the prior of feature weights, relative to that of the vectors."""

_CG_STEPS = 40
"""The maximum number of conjugate-gradient steps for the weights of features."""


@dataclass(frozen=True, slots=True, eq=False)
class CenteredRatings:
    """N ratings less their mean.

    Attributes:
        users: int64 [N], rows of users.
        items: int64 [N], rows of items.
        values: float64 [N].
    """

    users: Int64Array
    items: Int64Array
    values: Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One sample of the posterior, float64.

    Attributes:
        users: [n, width], vectors of users.
        items: [m, width], vectors of items.
        user_mean: [width], the constant of the prior mean of users.
        item_mean: [width], that of items.
        user_weights: [F, width], the weights of features in the prior mean of users.
        item_weights: [G, width], those of items.
    """

    users: Float64Array
    items: Float64Array
    user_mean: Float64Array
    item_mean: Float64Array
    user_weights: Float64Array
    item_weights: Float64Array


def gibbs_samples(
    ratings: CenteredRatings,
    user_features: sparse.csr_matrix,
    item_features: sparse.csr_matrix,
    *,
    factors: int,
    iterations: int,
    burn_in: int,
    random: np.random.Generator,
    start: tuple[Float64Array, Float64Array] | None = None,
) -> Iterator[Sample]:
    """Yield the samples after the burn-in.

    Args:
        ratings: The ratings.
        user_features: CSR [n, F].
        item_features: CSR [m, G].
        factors: Dimensions of a vector beside the bias.
        iterations: Rounds of sampling.
        burn_in: Rounds whose samples are dropped.
        random: The source of random numbers.
        start: Initial vectors of users [n, width] and items [m, width], NaN where they are drawn;
            None: all are drawn.
    """
    width = factors + 1
    users = _Side.of(ratings.users, user_features, width, random)
    items = _Side.of(ratings.items, item_features, width, random)
    if start is not None:
        for side, initial in zip((users, items), start, strict=True):
            side.vectors = np.where(np.isnan(initial), side.vectors, initial)
    noise_precision = 1 / max(float(np.var(ratings.values)), 1e-6)
    for step in range(iterations):
        for side, other, other_rows in (
            (users, items, ratings.items),
            (items, users, ratings.users),
        ):
            side.draw_prior(random)
            side.draw_vectors(other.vectors, other_rows, ratings.values, noise_precision, random)
        rated_users, rated_items = users.vectors[ratings.users], items.vectors[ratings.items]
        products = np.einsum("nd,nd->n", rated_users[:, 1:], rated_items[:, 1:])
        residuals = ratings.values - (products + rated_users[:, 0] + rated_items[:, 0])
        shape, rate = 1 + len(residuals) / 2, 1 + float(residuals @ residuals) / 2
        noise_precision = random.gamma(shape) / rate
        if step >= burn_in:
            yield Sample(
                users.vectors.copy(),
                items.vectors.copy(),
                users.mean,
                items.mean,
                users.weights,
                items.weights,
            )


@dataclass(slots=True, eq=False)
class _Side:
    """The users or the items: vectors [n, width] and their prior, a mean and a precision."""

    features: sparse.csr_matrix
    order: Int64Array
    """The ratings, sorted by row."""
    starts: Int64Array
    """[n + 1], where the ratings of each row begin in `order`."""
    vectors: Float64Array
    mean: Float64Array
    precision: Float64Array
    weights: Float64Array
    features_t: sparse.csr_matrix = field(init=False)

    def __post_init__(self) -> None:
        self.features_t = self.features.T.tocsr()

    @staticmethod
    def of(
        rows: Int64Array, features: sparse.csr_matrix, width: int, random: np.random.Generator
    ) -> _Side:
        size = features.shape[0]
        return _Side(
            features,
            np.argsort(rows, kind="stable"),
            offsets_of(np.bincount(rows, minlength=size)),
            0.1 * random.standard_normal((size, width)),
            np.zeros(width),
            10 * np.eye(width),
            np.zeros((features.shape[1], width)),
        )

    def draw_prior(self, random: np.random.Generator) -> None:
        """Draw mean, precision (normal-Wishart) and feature weights, given the vectors."""
        size, width = self.vectors.shape
        n_features = self.features.shape[1]
        unexplained = self.vectors - self.features @ self.weights
        center = unexplained.mean(axis=0) if size else np.zeros(width)
        scatter = (unexplained - center).T @ (unexplained - center)
        shrinkage = 2.0 * size / (2.0 + size) * np.outer(center, center)
        scale = np.eye(width) + scatter + shrinkage + _RIDGE * self.weights.T @ self.weights
        degrees_of_freedom = width + size + n_features
        self.precision = sample_wishart(np.linalg.inv(scale), degrees_of_freedom, random)
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        noise = root @ random.standard_normal(width) / np.sqrt(2.0 + size)
        self.mean = size * center / (2.0 + size) + noise
        if n_features:
            row_noise = random.standard_normal((size, width)) @ root.T
            prior_noise = random.standard_normal((n_features, width)) @ root.T
            right = self.features_t @ (self.vectors - self.mean + row_noise)
            right = right + np.sqrt(_RIDGE) * prior_noise
            self.weights = solve_ridge(self.features, self.features_t, right, self.weights)

    def draw_vectors(
        self,
        others: Float64Array,
        other_rows: Int64Array,
        values: Float64Array,
        noise_precision: float,
        random: np.random.Generator,
    ) -> None:
        """Draw the vectors, given `others` [m, width] and the row of them for each rating."""
        size, width = self.vectors.shape
        shocks = random.standard_normal((size, width))
        prior = (self.mean + self.features @ self.weights) @ self.precision
        for low, high in self._blocks():
            chosen = self.order[self.starts[low] : self.starts[high]]
            design = others[other_rows[chosen]]
            targets = values[chosen] - design[:, 0]
            design[:, 0] = 1
            counts = np.diff(self.starts[low : high + 1])
            squares, products = row_moments(design, targets, counts)
            precision = noise_precision * squares + self.precision
            right = noise_precision * products + prior[low:high]
            upper = np.swapaxes(np.linalg.cholesky(precision), 1, 2)
            center = np.linalg.solve(precision, right[:, :, None])
            shock = np.linalg.solve(upper, shocks[low:high, :, None])
            self.vectors[low:high] = (center + shock)[:, :, 0]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Runs of rows that have few ratings together."""
        low, size = 0, len(self.vectors)
        max_rows = block_rows(self.vectors.shape[1])
        while low < size:
            high = int(np.searchsorted(self.starts, self.starts[low] + _CHUNK, side="right")) - 1
            high = min(max(high, low + 1), low + max_rows, size)
            yield low, high
            low = high


def block_rows(width: int) -> int:
    """Return how many rows are solved at a time at most.

    Args:
        width: Each row has a matrix of this size in both dimensions.
    """
    return max(1, min(_CHUNK // 64, _MATRIX_ENTRIES // width**2))


def row_moments(
    design: Float64Array, targets: Float64Array, counts: Int64Array
) -> tuple[Float64Array, Float64Array]:
    """Sum outer products, and products with targets, over the ratings of each row.

    Args:
        design: [N, width], the vectors of the rated entries, row after row.
        targets: [N].
        counts: int64 [b], ratings of each row.

    Returns:
        [b, width, width] and [b, width].
    """
    width = design.shape[1]
    squares = np.zeros((len(counts), width, width))
    products = np.zeros((len(counts), width))
    is_rated = counts > 0
    if is_rated.any():
        starts = (np.cumsum(counts) - counts)[is_rated]
        if width <= _NARROW:
            squares[is_rated] = _outer_products(design, starts)
        else:  # the outer products of all ratings would not fit into memory
            rows = np.split(design, starts[1:])
            squares[is_rated] = np.stack([row.T @ row for row in rows])
        products[is_rated] = np.add.reduceat(design * targets[:, None], starts, axis=0)
    return squares, products


def _outer_products(design: Float64Array, starts: Int64Array) -> Float64Array:
    """Sums of outer products [b, width, width] of the rows from each start to the next."""
    width = design.shape[1]
    upper, lower = np.triu_indices(width)
    sums = np.zeros((len(starts), width, width))
    sums[:, upper, lower] = np.add.reduceat(design[:, upper] * design[:, lower], starts, axis=0)
    sums[:, lower, upper] = sums[:, upper, lower]
    return sums


def sample_wishart(
    scale: Float64Array, degrees_of_freedom: int, random: np.random.Generator
) -> Float64Array:
    """Draw from the Wishart distribution (Bartlett's decomposition).

    Args:
        scale: [width, width], positive definite.
        degrees_of_freedom: At least `width`.
        random: The source of random numbers.

    Returns:
        [width, width].
    """
    width = len(scale)
    lower = np.tril(random.standard_normal((width, width)), -1)
    chi_squares = random.chisquare(degrees_of_freedom - np.arange(width))
    lower[np.diag_indices(width)] = np.sqrt(chi_squares)
    root = np.linalg.cholesky(scale) @ lower
    draw: Float64Array = root @ root.T
    return draw


def solve_ridge(
    features: sparse.csr_matrix,
    features_t: sparse.csr_matrix,
    right: Float64Array,
    start: Float64Array,
) -> Float64Array:
    """Solve (X'X + ridge I) W = R by conjugate gradients, all columns at once.

    Args:
        features: X, CSR [n, F].
        features_t: X', CSR [F, n].
        right: R, [F, width].
        start: [F, width], where to start.

    Returns:
        W, [F, width].
    """
    solution = start.copy()
    residual = right - (features_t @ (features @ solution) + _RIDGE * solution)
    direction, norms = residual.copy(), np.einsum("fd,fd->d", residual, residual)
    tolerance = 1e-10 * np.einsum("fd,fd->d", right, right)
    for _ in range(_CG_STEPS):
        if (norms <= tolerance).all():
            break
        image = features_t @ (features @ direction) + _RIDGE * direction
        step = norms / np.maximum(np.einsum("fd,fd->d", direction, image), 1e-300)
        solution += step * direction
        residual -= step * image
        previous, norms = norms, np.einsum("fd,fd->d", residual, residual)
        direction = residual + norms / np.maximum(previous, 1e-300) * direction
    return solution
