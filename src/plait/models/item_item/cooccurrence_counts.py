"""Ordered co-occurrence counts of items: by order, distance and basket.

Items that a user interacted with at the same time are a basket. Pairs in one basket count fully,
pairs `d` baskets apart `discount` to the power of d - 1, and pairs against the order of time only
in part. Large baskets weigh less for each pair, long histories less for each basket. An item that a
user comes back to n times counts log2(1 + n) times in all, so that no user outvotes the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plait.data.array_types import Float32Array, Int32Array, Int64Array
from plait.data.dataset import Dataset, user_item_keys
from plait.data.ragged import offsets_of
from plait.features.blockwise_matrices import blocks, map_blocks, sample_items
from plait.features.interactions import interaction_matrix
from plait.features.sparse_topk import filter_entries, rows_of
from plait.pipeline.config_validation import Limit
from plait.pipeline.search_space import Range, tunable

__all__ = ["CooccurrenceCounts", "PairConfig", "cooccurrence_matrix", "user_baskets"]


@dataclass(frozen=True, slots=True)
class PairConfig:
    """How pairs are counted."""

    window: int = tunable(20, Range(1, 50, log=True), Limit(least=0))
    """How many baskets apart two items may lie; 0: only in the same basket."""
    discount: float = tunable(0.9, Range(0.5, 1.0), Limit(least=0, most=1))
    """The weight of a pair, relative to one a basket closer."""
    backward: float = tunable(0.4, Range(0.0, 1.0), Limit(least=0))
    """The weight of the earlier item for the later one, relative to the other way round."""
    basket_norm: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0))
    """Each basket is divided by its size to this power."""
    damp_long_histories: bool = True
    """Whether a user's baskets are divided by the logarithm of how many events the user has."""


@dataclass(frozen=True, slots=True, eq=False)
class CooccurrenceCounts:
    """Weighted counts of item pairs, computed a block of items at a time.

    Attributes:
        baskets_by_item: float32 CSR [n, baskets], the first side of a pair.
        baskets: float32 CSR [baskets, n], the second side.
        n_before: int32 [baskets], the earlier baskets of the same user within the window.
        n_after: int32 [baskets], the later ones.
        distance_weights: float32 [2 * window + 1], the weight of a basket by its distance, from
            `window` before to `window` after; 0 in the middle.
        event_counts: int64 [n], the events of each item.
        popularity: float32 [n], the same with what a user comes back to, or weights, counted as in
            pairs.
    """

    baskets_by_item: sparse.csr_matrix
    baskets: sparse.csr_matrix
    n_before: Int32Array
    n_after: Int32Array
    distance_weights: Float32Array
    event_counts: Int64Array
    popularity: Float32Array

    @staticmethod
    def of(
        dataset: Dataset, config: PairConfig, *, use_weights: bool = False
    ) -> CooccurrenceCounts:
        """Prepare the counts of a data set, in which rows predict columns.

        Args:
            dataset: the data set.
            config: how pairs are counted.
            use_weights: whether an item counts by the sum of the weights of the user's events with
                it, and a pair by the product of both; false: by how often the user came back.

        Returns:
            The prepared counts; `rows` computes them.
        """
        weighted, scaled, users = _weighted_baskets(dataset, config, use_weights)
        positions = np.arange(len(users))
        before = positions - np.searchsorted(users, users)
        after = np.searchsorted(users, users, side="right") - 1 - positions
        forward = np.float64(config.discount) ** np.arange(config.window)
        # The weights of the baskets from `window` before to `window` after; 0 in the middle.
        distances = np.concatenate([config.backward * forward[::-1], [0], forward])
        return CooccurrenceCounts(
            weighted.T.tocsr(),
            scaled,
            np.minimum(before, config.window).astype(np.int32),
            np.minimum(after, config.window).astype(np.int32),
            distances.astype(np.float32),
            np.bincount(dataset.interactions.items, minlength=dataset.n_items),
            _squared_weights(dataset) if use_weights else _popularity(dataset),
        )

    @property
    def transposed(self) -> CooccurrenceCounts:
        """The counts in which columns predict rows: both sides weigh the same but for the order."""
        return replace(self, distance_weights=self.distance_weights[::-1])

    @property
    def blocks(self) -> list[slice]:
        """The items, cut into ranges that are counted in bounded memory."""
        return blocks(self.event_counts)

    def mean_row_entries(self, limit: int) -> float:
        """Estimate the mean number of entries of a row from a sample.

        Args:
            limit: larger rows count as this one.

        Returns:
            The mean over all items, those without events included.
        """
        counts = [
            self.rows(slice(item, item + 1)).nnz
            for item in sample_items(self.event_counts).tolist()
        ]
        used_share = np.count_nonzero(self.event_counts) / max(len(self.event_counts), 1)
        return float(used_share * np.minimum(counts, limit).mean()) if counts else 0.0

    def rows(self, block: slice) -> sparse.csr_matrix:
        """Compute the counts of a range of items.

        Args:
            block: the items.

        Returns:
            float32 CSR [block, n], columns not sorted. The diagonal counts later repetitions.
        """
        baskets = self.baskets_by_item[block]
        same_basket = (baskets @ self.baskets).tocsr()
        is_pair = same_basket.indices != rows_of(same_basket) + block.start
        same_basket = filter_entries(same_basket, is_pair)
        return (same_basket + self._nearby_baskets(baskets) @ self.baskets).tocsr()

    def _nearby_baskets(self, baskets: sparse.csr_matrix) -> sparse.csr_matrix:
        """CSR [block, baskets]: the weights of the baskets before and after those of the items."""
        n_before = self.n_before[baskets.indices]
        lengths = n_before + self.n_after[baskets.indices]
        offsets = offsets_of(lengths)
        steps = np.arange(offsets[-1], dtype=np.int32)
        steps -= np.repeat((offsets[:-1] + n_before).astype(np.int32), lengths)
        steps += steps >= 0  # the basket itself is left out
        weights = self.distance_weights[steps + len(self.distance_weights) // 2]
        weights = np.repeat(baskets.data, lengths) * weights
        steps += np.repeat(baskets.indices, lengths)
        return sparse.csr_matrix((weights, steps, offsets[baskets.indptr]), shape=baskets.shape)


def cooccurrence_matrix(dataset: Dataset, config: PairConfig) -> sparse.csr_matrix:
    """Compute the counts of all items at once.

    Args:
        dataset: the data set.
        config: how pairs are counted.

    Returns:
        float32 CSR [n_items, n_items], columns sorted; rows predict columns.
    """
    counts = CooccurrenceCounts.of(dataset, config)
    matrix = map_blocks(counts.rows, counts.blocks, 1)
    matrix.sort_indices()
    return matrix


def _weighted_baskets(
    dataset: Dataset, config: PairConfig, use_weights: bool
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, Int64Array]:
    """The two sides of a pair, float32 CSR [n_baskets, n_items], and the user of every basket.

    Both are divided by the size of the basket, the first also by the length of the history. An item
    has the weights of its events, or weighs less in each basket, the more baskets hold it.
    """
    baskets, users = _baskets(dataset, use_weights)
    sizes = np.maximum(np.diff(baskets.indptr), 1).astype(np.float32)
    scaled = _scale_rows(baskets, sizes**-config.basket_norm)
    if not use_weights:
        scaled.data *= _repetition_weights(scaled, users)
    weights = np.ones(len(users), np.float32)
    if config.damp_long_histories:
        lengths = np.bincount(dataset.interactions.users, minlength=dataset.n_users)
        weights = (1 / np.log1p(lengths[users])).astype(np.float32)
    return _scale_rows(scaled, weights), scaled, users


def user_baskets(
    dataset: Dataset,
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, Int64Array]:
    """Read the baskets of all users: what one user chose at one time.

    Args:
        dataset: The data set.

    Returns:
        float32 CSR [n_baskets, n_items] of ones, by user and time; the same with less for an item,
        the more baskets of the user hold it; and the user of each basket, int64 [n_baskets].
    """
    baskets, users = _baskets(dataset, use_weights=False)
    repetitions = baskets.copy()
    repetitions.data *= _repetition_weights(baskets, users)
    return baskets, repetitions, users


def _baskets(dataset: Dataset, use_weights: bool) -> tuple[sparse.csr_matrix, Int64Array]:
    """The items of every basket, float32 CSR [n_baskets, n_items], and its user."""
    interactions = dataset.interactions
    is_new = np.ones(len(interactions), np.bool_)
    is_new[1:] = (interactions.users[1:] != interactions.users[:-1]) | (
        interactions.times[1:] != interactions.times[:-1]
    )
    rows = np.cumsum(is_new) - 1
    shape = (int(is_new.sum()), dataset.n_items)
    entries = interactions.weights if use_weights else np.ones(len(interactions), np.float32)
    baskets = sparse.csr_matrix((entries, (rows, interactions.items)), shape=shape)
    if not use_weights:
        baskets.data[:] = 1
    return baskets, interactions.users[is_new].astype(np.int64)


def _popularity(dataset: Dataset) -> Float32Array:
    """float32 [n]: log2(1 + n) for each user with n events of an item, summed."""
    keys = user_item_keys(dataset.interactions, dataset.n_items)
    pairs, counts = np.unique(keys, return_counts=True)
    items = pairs % max(dataset.n_items, 1)
    return np.bincount(items, np.log2(1 + counts), dataset.n_items).astype(np.float32)


def _squared_weights(dataset: Dataset) -> Float32Array:
    """float32 [n]: the squares of the sums of weights of each user, summed."""
    squares = interaction_matrix(dataset, weighted=True).power(2)
    return np.asarray(squares.sum(axis=0), np.float32).ravel()


def _repetition_weights(baskets: sparse.csr_matrix, users: Int64Array) -> Float32Array:
    """float32 [nnz]: log2(1 + n) / n for an item that n baskets of a user hold."""
    keys = users[rows_of(baskets)] * baskets.shape[1] + baskets.indices
    _, pairs, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weights: Float32Array = (np.log2(1 + counts) / counts).astype(np.float32)
    return weights[pairs]


def _scale_rows(matrix: sparse.csr_matrix, factors: npt.NDArray[np.floating]) -> sparse.csr_matrix:
    return (sparse.diags_array(factors.astype(np.float32)) @ matrix).tocsr()
