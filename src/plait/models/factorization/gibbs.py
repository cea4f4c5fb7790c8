"""Bayesian biased matrix factorisation with side information, by Gibbs sampling.

The model is that of probabilistic matrix factorisation (Salakhutdinov & Mnih, ICML 2008): a rating
is the mean, a bias of the user, one of the item and a product of vectors, plus noise. What is known
about users and items moves the mean of their prior (Macau; Simm et al., 2015), so that somebody
with few ratings, or none, stands where those like them stand. Nothing is tuned by hand: noise,
spread and the weight of every feature are sampled too.

Here users and items are rows; whoever calls brings them into an order that means something, as the
random numbers are dealt out in that order. A vector has `width` = 1 + factors entries: the bias,
then the factors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import sparse

__all__ = ["Draw", "Ratings", "block_rows", "draws"]

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_CHUNK = 1 << 18
"""So many ratings are multiplied out at a time."""

_ROOM = 1 << 23
"""So many numbers have the matrices of the rows that are solved at a time."""

_NARROW = 16
"""Up to this width outer products of all ratings of a block are made at once."""

_RIDGE = 5.0
"""How strongly the weights of features are held to zero, against the spread of the vectors."""

_STEPS = 40
"""Steps of conjugate gradients at most for the weights of features."""


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """N ratings less their mean: `users`, `items` int64 rows and `values` float64."""

    users: Places
    items: Places
    values: Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One sample: vectors [n, width] of users and items, and for both the constant [width] and the
    feature weights [F, width] that make the mean of their prior.
    """

    users: Doubles
    items: Doubles
    user_mean: Doubles
    item_mean: Doubles
    user_weights: Doubles
    item_weights: Doubles


def draws(
    ratings: Ratings,
    about_users: sparse.csr_matrix,
    about_items: sparse.csr_matrix,
    *,
    factors: int,
    iterations: int,
    burn_in: int,
    random: np.random.Generator,
) -> Iterator[Draw]:
    """The samples after `burn_in` of `iterations`; `about_*` CSR [n, F] are the features."""
    width = factors + 1
    users = _Side.of(ratings.users, about_users, width, random)
    items = _Side.of(ratings.items, about_items, width, random)
    noise = 1 / max(float(np.var(ratings.values)), 1e-6)
    for step in range(iterations):
        for side, other, others in (
            (users, items, ratings.items),
            (items, users, ratings.users),
        ):
            side.draw_prior(random)
            side.draw_vectors(other.vectors, others, ratings.values, noise, random)
        left = ratings.values - _predicted(users.vectors, items.vectors, ratings)
        noise = random.gamma(1 + len(left) / 2) / (1 + float(left @ left) / 2)
        if step >= burn_in:
            yield Draw(
                users.vectors.copy(),
                items.vectors.copy(),
                users.mean,
                items.mean,
                users.weights,
                items.weights,
            )


def _predicted(users: Doubles, items: Doubles, at: Ratings) -> Doubles:
    mine, theirs = users[at.users], items[at.items]
    products: Doubles = np.einsum("nd,nd->n", mine[:, 1:], theirs[:, 1:])
    return products + mine[:, 0] + theirs[:, 0]


@dataclass(slots=True, eq=False)
class _Side:
    """The users or the items: vectors [n, width] and their prior, a mean and a precision."""

    about: sparse.csr_matrix
    order: Places
    """The ratings, those of one row together."""
    starts: Places
    """Where those of each row begin in `order`, [n + 1]."""
    vectors: Doubles
    mean: Doubles
    precision: Doubles
    weights: Doubles
    turned: sparse.csr_matrix = field(init=False)

    def __post_init__(self) -> None:
        self.turned = self.about.T.tocsr()

    @staticmethod
    def of(
        rows: Places, about: sparse.csr_matrix, width: int, random: np.random.Generator
    ) -> _Side:
        size = about.shape[0]
        counts = np.bincount(rows, minlength=size)
        return _Side(
            about,
            np.argsort(rows, kind="stable"),
            np.concatenate([[0], np.cumsum(counts)]),
            0.1 * random.standard_normal((size, width)),
            np.zeros(width),
            10 * np.eye(width),
            np.zeros((about.shape[1], width)),
        )

    def draw_prior(self, random: np.random.Generator) -> None:
        """Mean, precision (normal-Wishart) and weights of features, given the vectors."""
        size, width = self.vectors.shape
        features = self.about.shape[1]
        bare = self.vectors - self.about @ self.weights
        middle = bare.mean(axis=0) if size else np.zeros(width)
        spread = (bare - middle).T @ (bare - middle)
        pulled = 2.0 * size / (2.0 + size) * np.outer(middle, middle)
        scale = np.eye(width) + spread + pulled + _RIDGE * self.weights.T @ self.weights
        freedom = width + size + features
        self.precision = _wishart(np.linalg.inv(scale), freedom, random)
        root = np.linalg.cholesky(np.linalg.inv(self.precision))
        noise = root @ random.standard_normal(width) / np.sqrt(2.0 + size)
        self.mean = size * middle / (2.0 + size) + noise
        if features:
            one = random.standard_normal((size, width)) @ root.T
            other = random.standard_normal((features, width)) @ root.T
            right = self.turned @ (self.vectors - self.mean + one) + np.sqrt(_RIDGE) * other
            self.weights = _ridge(self.about, self.turned, right, self.weights)

    def draw_vectors(
        self,
        others: Doubles,
        at: Places,
        values: Doubles,
        noise: float,
        random: np.random.Generator,
    ) -> None:
        """The vectors, given `others` [m, width] that the ratings lie `at`."""
        size, width = self.vectors.shape
        shocks = random.standard_normal((size, width))
        prior = (self.mean + self.about @ self.weights) @ self.precision
        for low, high in self._blocks():
            chosen = self.order[self.starts[low] : self.starts[high]]
            design = others[at[chosen]]
            wanted = values[chosen] - design[:, 0]
            design[:, 0] = 1
            counts = np.diff(self.starts[low : high + 1])
            squares, products = _sums(design, wanted, counts)
            precision = noise * squares + self.precision
            right = noise * products + prior[low:high]
            turned = np.swapaxes(np.linalg.cholesky(precision), 1, 2)
            middle = np.linalg.solve(precision, right[:, :, None])
            shock = np.linalg.solve(turned, shocks[low:high, :, None])
            self.vectors[low:high] = (middle + shock)[:, :, 0]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Runs of rows that have few ratings together."""
        low, size = 0, len(self.vectors)
        most = block_rows(self.vectors.shape[1])
        while low < size:
            high = int(np.searchsorted(self.starts, self.starts[low] + _CHUNK, side="right")) - 1
            high = min(max(high, low + 1), low + most, size)
            yield low, high
            low = high


def block_rows(width: int) -> int:
    """So many rows at most are solved at a time: each has a matrix of `width` by `width`."""
    return max(1, min(_CHUNK // 64, _ROOM // width**2))


def _sums(design: Doubles, wanted: Doubles, counts: Places) -> tuple[Doubles, Doubles]:
    """By row the sums of outer products [b, width, width] and of `design` times `wanted`."""
    width = design.shape[1]
    squares = np.zeros((len(counts), width, width))
    products = np.zeros((len(counts), width))
    there = counts > 0
    if there.any():
        starts = (np.cumsum(counts) - counts)[there]
        squares[there] = (_outer if width <= _NARROW else _products)(design, starts)
        products[there] = np.add.reduceat(design * wanted[:, None], starts, axis=0)
    return squares, products


def _outer(design: Doubles, starts: Places) -> Doubles:
    """Sums of outer products [b, width, width] of the rows from each start to the next."""
    width = design.shape[1]
    upper, lower = np.triu_indices(width)
    summed = np.zeros((len(starts), width, width))
    summed[:, upper, lower] = np.add.reduceat(design[:, upper] * design[:, lower], starts, axis=0)
    summed[:, lower, upper] = summed[:, upper, lower]
    return summed


def _products(design: Doubles, starts: Places) -> Doubles:
    """The same, one product after another: of wide rows the outer products would not fit."""
    parts = np.split(design, starts[1:])
    return np.stack([one.T @ one for one in parts])


def _wishart(scale: Doubles, freedom: int, random: np.random.Generator) -> Doubles:
    """A draw from the Wishart distribution (Bartlett's decomposition)."""
    width = len(scale)
    lower = np.tril(random.standard_normal((width, width)), -1)
    lower[np.diag_indices(width)] = np.sqrt(random.chisquare(freedom - np.arange(width)))
    root = np.linalg.cholesky(scale) @ lower
    found: Doubles = root @ root.T
    return found


def _ridge(
    about: sparse.csr_matrix, turned: sparse.csr_matrix, right: Doubles, start: Doubles
) -> Doubles:
    """(X'X + ridge)^-1 right [F, width], by conjugate gradients, a column beside the other."""
    found = start.copy()
    left = right - (turned @ (about @ found) + _RIDGE * found)
    way, size = left.copy(), np.einsum("fd,fd->d", left, left)
    least = 1e-10 * np.einsum("fd,fd->d", right, right)
    for _ in range(_STEPS):
        if (size <= least).all():
            break
        image = turned @ (about @ way) + _RIDGE * way
        length = size / np.maximum(np.einsum("fd,fd->d", way, image), 1e-300)
        found += length * way
        left -= length * image
        before, size = size, np.einsum("fd,fd->d", left, left)
        way = left + size / np.maximum(before, 1e-300) * way
    return found
