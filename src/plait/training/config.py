"""Settings, batches and results of a training run.

Nothing here needs torch, so that configs of stages can hold a `TrainingConfig`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from plait.errors import InputError
from plait.pipeline.config_validation import Limit, bounded_field, check
from plait.pipeline.search_space import Range, tunable

__all__ = [
    "ArrayBatches",
    "Batch",
    "Batches",
    "CountTargets",
    "TrainingConfig",
    "TrainingResult",
    "row_count",
]

Batch = Mapping[str, npt.NDArray[Any]]
"""Arrays by field; the first axis of each one is that of the rows."""

CountTargets = Callable[[Batch], float]
"""The number of targets in a batch: the loss is a mean over them."""

_IRRELEVANT = ("checkpoint_seconds", "device")
"""Settings that do not change the result."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of gradient training, shared by every model that is trained by gradients."""

    epochs: int = bounded_field(40, Limit(least=1))
    """The maximum number of passes over the data."""
    batch_size: int = bounded_field(256, Limit(least=1))
    """Rows in a batch."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam (Kingma & Ba, 2015), with decoupled decay (Loshchilov & Hutter, 2019), or SGD."""
    learning_rate: float = tunable(1e-3, Range(1e-4, 3e-2, log=True), Limit(least=0))
    """The largest learning rate of the schedule."""
    momentum: float = bounded_field(0.9, Limit(least=0, below=1))
    """Momentum of `sgd`; the others ignore it."""
    weight_decay: float = bounded_field(0.0, Limit(least=0))
    """Weight decay: decoupled under `adamw`, added to the gradient otherwise."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate after the warm-up: constant, or falling to zero along a half cosine."""
    warmup_ratio: float = bounded_field(0.0, Limit(least=0, below=1))
    """The share of all steps in which the learning rate rises linearly from zero."""
    gradient_accumulation_steps: int = bounded_field(1, Limit(least=1))
    """Batches in one optimizer step; the last step of an epoch takes what is left."""
    max_grad_norm: float = bounded_field(0.0, Limit(least=0))
    """Gradients are clipped to this norm; 0: no clipping."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """The type in which matrix products are computed; weights stay float32."""
    ema_decay: float = bounded_field(0.0, Limit(least=0, below=1))
    """Decay of an exponential moving average of the weights, which the model then uses; 0: none.
    """
    patience: int = bounded_field(5, Limit(least=0))
    """Stop after this many validations without improvement; 0: never."""
    validate_every: int = bounded_field(1, Limit(least=1))
    """Epochs from one validation to the next."""
    checkpoint_seconds: float = bounded_field(30.0, Limit(least=0))
    """The minimum number of seconds between checkpoints."""
    device: Literal["auto", "cpu"] = "auto"
    """`auto` takes an accelerator if there is one; `cpu` never does."""

    def identity(self) -> dict[str, Any]:
        """Return the settings that affect the result."""
        return {name: value for name, value in asdict(self).items() if name not in _IRRELEVANT}

    def check(self) -> None:
        """Check all settings.

        Raises:
            InputError: A setting is out of bounds; the error names the first one.
        """
        check(self)


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


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a run; the module then holds the weights of `best_epoch`.

    Attributes:
        epochs: Epochs trained.
        best_epoch: The epoch with the best metric; `epochs` if nothing was validated.
        metric: The best value of the metric, or None.
        history: For each epoch `epoch`, `loss`, `learning_rate` and, where validated, the metric
            under its name.
        resumed: Whether the run continued from a checkpoint.
    """

    epochs: int
    best_epoch: int
    metric: float | None
    history: tuple[Mapping[str, float], ...]
    resumed: bool


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
