"""What a training run is told: its settings, where its batches come from, who listens.

Nothing here needs torch, so that configs of stages may hold a `Training`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from plait.errors import InputError
from plait.pipeline.constraints import Limit, bounded_field, check
from plait.pipeline.search_space import Range, tunable

__all__ = [
    "ArrayBatches",
    "Batch",
    "Batches",
    "Targets",
    "TrainingConfig",
    "TrainingResult",
    "rows_of",
]

Batch = Mapping[str, npt.NDArray[Any]]
"""Arrays by field; the first axis of each is that of the rows."""

Targets = Callable[[Batch], float]
"""Over how many targets the objective of a batch is a mean: those of its rows, added up."""

_IRRELEVANT = ("checkpoint_seconds", "device")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How a module is trained. Every model by gradient has these settings."""

    epochs: int = bounded_field(40, Limit(least=1))
    """At most so many passes over the data."""
    batch_size: int = bounded_field(256, Limit(least=1))
    """Rows a batch."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adamw"
    """Adam (Kingma & Ba, 2015), with decoupled decay (Loshchilov & Hutter, 2019), or SGD."""
    learning_rate: float = tunable(1e-3, Range(1e-4, 3e-2, log=True), Limit(least=0))
    """The step size at its largest."""
    momentum: float = bounded_field(0.9, Limit(least=0, below=1))
    """Of SGD alone."""
    weight_decay: float = bounded_field(0.0, Limit(least=0))
    """Weight decay: decoupled under adamw, added to the gradient otherwise."""
    schedule: Literal["constant", "cosine"] = "constant"
    """What the step size does after the warm-up: stay, or fall to zero along a half cosine."""
    warmup_ratio: float = bounded_field(0.0, Limit(least=0, below=1))
    """The share of all steps in which the step size rises linearly from zero."""
    gradient_accumulation_steps: int = bounded_field(1, Limit(least=1))
    """Batches that make up one step, as if they were one; at the end of an epoch what is left."""
    max_grad_norm: float = bounded_field(0.0, Limit(least=0))
    """The largest norm of the gradient; 0: any."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What matrix products are computed in; weights stay float32."""
    ema_decay: float = bounded_field(0.0, Limit(least=0, below=1))
    """Keep an exponential moving average of the weights with this decay, and answer with it; 0: no.
    """
    patience: int = bounded_field(5, Limit(least=0))
    """Stop after so many validations without a better metric; 0: never."""
    validate_every: int = bounded_field(1, Limit(least=1))
    """Epochs from one validation to the next."""
    checkpoint_seconds: float = bounded_field(30.0, Limit(least=0))
    """How long a run may have to be repeated after a crash."""
    device: Literal["auto", "cpu"] = "auto"
    """The accelerator if there is one, or the CPU whatever there is."""

    def identity(self) -> dict[str, Any]:
        """The settings that decide what comes out."""
        found = asdict(self)
        return {name: one for name, one in found.items() if name not in _IRRELEVANT}

    def check(self) -> None:
        """Raise InputError for the first setting that cannot be."""
        check(self)


def rows_of(batch: Batch) -> int:
    """How many rows a batch has."""
    return len(next(iter(batch.values()), ()))


class Batches(Protocol):
    """Where batches come from."""

    def __len__(self) -> int:
        """Batches an epoch."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of epoch `number` (from 0) from the one at `start` on.

        A function of `number` alone: an interrupted run asks again, and must get the same.
        """


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a run. The module holds the weights of `best_epoch`."""

    epochs: int
    """Epochs trained."""
    best_epoch: int
    """After how many epochs the metric was best; `epochs` where nothing was validated."""
    metric: float | None
    """The best metric."""
    history: tuple[Mapping[str, float], ...]
    """By epoch: `epoch`, `loss`, `learning_rate` and, where validated, the metric by its name."""
    resumed: bool
    """Whether an interrupted run was taken up."""


class ArrayBatches:
    """Rows of parallel arrays, shuffled anew each epoch."""

    def __init__(self, arrays: Batch, size: int, *, seed: int = 0) -> None:
        lengths = {len(one) for one in arrays.values()}
        if len(lengths) != 1:
            raise InputError(f"the arrays have {sorted(lengths)} rows, not one number of rows")
        self._arrays, self._size, self._seed = arrays, size, seed
        self._rows = lengths.pop()

    def __len__(self) -> int:
        return (self._rows + self._size - 1) // self._size

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Each row once, in an order drawn by seed and epoch."""
        order = np.random.default_rng([self._seed, number]).permutation(self._rows)
        for low in range(start * self._size, self._rows, self._size):
            chosen = order[low : low + self._size]
            yield {name: one[chosen] for name, one in self._arrays.items()}
