"""Training batches and their number of targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from plait.errors import InputError

__all__ = ["ArrayBatches", "Batch", "Batches", "CountTargets", "row_count"]

Batch = Mapping[str, npt.NDArray[Any]]
"""Arrays by field; the first axis of each one is that of the rows."""


CountTargets = Callable[[Batch], float]
"""The number of targets in a batch: the loss is a mean over them."""


def row_count(batch: Batch) -> int:
    """Return the number of rows in a batch.

    Args:
        batch: Arrays by field.
    """
    return len(next(iter(batch.values()), ()))


class Batches(Protocol):
    """A source of batches."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch.

        They are a function of `number` alone: an interrupted run asks again and must get the same.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """


class ArrayBatches:
    """Batches of rows of parallel arrays, shuffled in every epoch.

    Args:
        arrays: Arrays by field, all of one length.
        size: Rows in a batch.
        seed: Seed of the order.

    Raises:
        InputError: The arrays have different lengths.
    """

    def __init__(self, arrays: Batch, size: int, *, seed: int = 0) -> None:
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise InputError(f"expected arrays of one length, got lengths {sorted(lengths)}")
        self._arrays, self._size, self._seed = arrays, size, seed
        self._rows = lengths.pop()

    def __len__(self) -> int:
        return (self._rows + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield every row once, in an order drawn by seed and epoch.

        Args:
            number: The epoch, from 0.
            start: The first batch to yield.
        """
        order = np.random.default_rng([self._seed, number]).permutation(self._rows)
        for low in range(start * self._size, self._rows, self._size):
            rows = order[low : low + self._size]
            yield {name: array[rows] for name, array in self._arrays.items()}
