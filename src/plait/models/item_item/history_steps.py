"""The steps of histories: what a user had chosen before each basket, and what came next.

A ridge regression on steps learns from the same weighted sums of baskets that a query is answered
with (`basket_decay`, `max_baskets`). The targets of a step are the next baskets, each weighing less
than the one before it. Steps in reverse, from later baskets to earlier ones, weigh `backward`. A
step into a basket of k items weighs k to the power of -`basket_norm`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from plait.data.array_types import Float32Array, Int64Array
from plait.data.dataset import Dataset
from plait.data.ragged import offsets_of
from plait.models.item_item.base import ItemItemConfig
from plait.models.item_item.cooccurrence_counts import user_baskets

__all__ = ["HistorySteps"]

_LEAST_DECAY = 0.02
"""Baskets that weigh less in a history are left out."""

_MAX_ENTRIES = 40_000_000
"""How many entries of histories are at most computed; of longer logs each n-th basket is a step."""


@dataclass(frozen=True, slots=True, eq=False)
class HistorySteps:
    """Histories and what came next, a row for each step.

    Attributes:
        histories: float32 CSR [S, n], the items before the step.
        targets: float32 CSR [S, n], the items after it.
    """

    histories: sparse.csr_matrix
    targets: sparse.csr_matrix

    @staticmethod
    def of(
        dataset: Dataset, config: ItemItemConfig, *, ahead: int, discount: float
    ) -> HistorySteps:
        """Compute the steps of a data set.

        Args:
            dataset: The data set.
            config: How far histories reach, and what their baskets weigh.
            ahead: How many of the next baskets are targets.
            discount: The weight of one of them, relative to the one before it.

        Returns:
            The steps, in the order of users and times; those in reverse follow.
        """
        baskets, repetitions, users = user_baskets(dataset)
        history_weights = _decays(config.basket_decay, config.max_baskets or len(users))
        target_weights = _decays(discount, ahead)
        stride = _stride(2 * _n_entries(baskets, users, len(history_weights)))
        sizes = np.maximum(np.diff(baskets.indptr), 1)
        weights = np.sqrt(sizes.astype(np.float64) ** -config.basket_norm)
        if config.damp_long_histories:
            lengths = np.bincount(dataset.interactions.users, minlength=dataset.n_users)
            weights /= np.sqrt(np.log1p(lengths[users]))
        histories, targets = [], []
        for share, direction in ((1.0, -1), (config.backward, 1)):
            if share <= 0:
                continue
            steps = _steps(users, direction, stride)
            scale = np.sqrt(share) * weights[steps]
            history = _basket_weights(users, steps, direction, 1, history_weights, scale)
            target = _basket_weights(users, steps, -direction, 0, target_weights, scale)
            histories.append(history @ baskets)
            targets.append(target @ repetitions)
        return HistorySteps(sparse.vstack(histories).tocsr(), sparse.vstack(targets).tocsr())

    @staticmethod
    def needed_bytes(dataset: Dataset, config: ItemItemConfig, *, ahead: int) -> int:
        """Estimate the memory that the steps of a data set take, and a transposed copy.

        Args:
            dataset: The data set.
            config: How far histories reach.
            ahead: How many of the next baskets are targets.

        Returns:
            Bytes.
        """
        baskets, _, users = user_baskets(dataset)
        reach = len(_decays(config.basket_decay, config.max_baskets or len(users)))
        entries = 2 * _n_entries(baskets, users, reach)
        targets = 2 * min(ahead, reach) * baskets.nnz
        return int(2 * 8 * (entries + targets) // _stride(entries))

    def target_rows(self, block: slice) -> sparse.csr_matrix:
        """Count which items come before each item of a range.

        Args:
            block: The items.

        Returns:
            float32 CSR [block, n], the rows of targets' histories.
        """
        return (self.targets[:, block].T.tocsr() @ self.histories).tocsr()


def _decays(factor: float, count: int) -> Float32Array:
    """1, factor, factor squared and so on, float32 [up to count]."""
    if 0 < factor < 1:
        count = min(count, 1 + int(np.log(_LEAST_DECAY) / np.log(factor)))
    elif factor == 0:
        count = 1
    weights: Float32Array = (np.float64(factor) ** np.arange(count)).astype(np.float32)
    return weights


def _stride(n_entries: int) -> int:
    """Of how many baskets one is a step, so that the histories fit into memory."""
    return 1 + n_entries // _MAX_ENTRIES


def _n_entries(baskets: sparse.csr_matrix, users: Int64Array, reach: int) -> int:
    """How many entries the histories of all steps have, forwards alone, at most."""
    first = np.maximum(np.arange(len(users)) - reach, np.searchsorted(users, users))
    starts = baskets.indptr.astype(np.int64)
    return int((starts[:-1] - starts[first]).sum())


def _steps(users: Int64Array, direction: int, stride: int) -> Int64Array:
    """The baskets with a history, counted from the newest of each user; int64 [S]."""
    positions = np.arange(len(users))
    after = np.searchsorted(users, users, side="right") - 1 - positions
    before = positions - np.searchsorted(users, users)
    has_history = (before if direction < 0 else after) > 0
    return np.flatnonzero(has_history & (after % stride == 0))


def _basket_weights(
    users: Int64Array,
    steps: Int64Array,
    direction: int,
    nearest: int,
    weights: Float32Array,
    scale: Float32Array,
) -> sparse.csr_matrix:
    """float32 CSR [S, n_baskets]: the weights of the user's baskets before or after each step.

    The first of them lies `nearest` baskets away; a `direction` of -1 goes back in time.
    """
    if direction < 0:
        available = steps - np.searchsorted(users, users[steps])
    else:
        available = np.searchsorted(users, users[steps], side="right") - 1 - steps
    lengths = np.minimum(available - nearest + 1, len(weights))
    offsets = offsets_of(lengths)
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    columns = np.repeat(steps, lengths) + direction * (places + nearest)
    values = np.repeat(scale.astype(np.float32), lengths) * weights[places]
    return sparse.csr_matrix((values, columns, offsets), shape=(len(steps), len(users)))
