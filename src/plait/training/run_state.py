"""Where a run stands: counters, and everything that a checkpoint must hold to go on exactly."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from plait.training.checkpoints import Checkpoint
from plait.training.ema import WeightEMA

__all__ = ["RunState", "packed", "unpacked"]


@dataclass
class RunState:
    """The counters of a run; JSON can carry them."""

    epoch: int = 0
    """Epochs done."""
    step: int = 0
    """Batches done of the next one."""
    updates: int = 0
    """Steps of the optimiser."""
    loss_sum: float = 0.0
    rows: int = 0
    best: float | None = None
    best_epoch: int = 0
    worse: int = 0
    """Validations since the best one."""
    averaged: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._kept = time.monotonic()

    @property
    def loss(self) -> float:
        """The mean over the rows of this epoch so far."""
        return self.loss_sum / max(self.rows, 1)

    def add(self, loss: float, rows: int) -> None:
        """A batch is done."""
        self.step += 1
        self.loss_sum += loss * rows
        self.rows += rows

    def close_epoch(self) -> None:
        """An epoch is done."""
        self.epoch += 1
        self.step, self.loss_sum, self.rows = 0, 0.0, 0

    def judge(self, value: float) -> bool:
        """Whether a metric is the best so far.

        As long as it is 0 nothing was found yet, which says nothing about when to stop: then the
        newest is the best. Few questions about many items begin like that.
        """
        better = self.best is None or value > self.best or value == self.best == 0
        if better:
            self.best, self.best_epoch, self.worse = value, self.epoch, 0
        else:
            self.worse += 1
        return better

    def kept(self) -> None:
        """A checkpoint was written just now."""
        self._kept = time.monotonic()

    def seconds_kept(self) -> float:
        """Since the last checkpoint."""
        return time.monotonic() - self._kept


def packed(
    module: nn.Module,
    optimizer: Any,
    average: WeightEMA,
    best: dict[str, torch.Tensor],
    at: RunState,
) -> Checkpoint:
    """Weights, optimiser, averages, best weights, random states and counters."""
    tensors = {f"module.{name}": one for name, one in module.state_dict().items()}
    tensors |= {f"average.{name}": one for name, one in average.weights.items()}
    tensors |= {f"best.{name}": one for name, one in best.items()}
    for number, state in optimizer.state_dict()["state"].items():
        found = {name: one for name, one in state.items() if isinstance(one, torch.Tensor)}
        tensors |= {f"optimizer.{number}.{name}": one for name, one in found.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    at.averaged = average.updates
    return Checkpoint(tensors, asdict(at))


def unpacked(found: Checkpoint, module: nn.Module, optimizer: Any, average: WeightEMA) -> None:
    """Put back what `packed` took."""
    module.load_state_dict(found.part("module"))
    average.weights = {
        name: found.part("average")[name].to(one.device) for name, one in average.weights.items()
    }
    average.updates = int(found.notes["averaged"])
    states: dict[int, dict[str, torch.Tensor]] = {}
    for key, one in found.part("optimizer").items():
        number, _, name = key.partition(".")
        states.setdefault(int(number), {})[name] = one
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    torch.set_rng_state(found.tensors["random.cpu"])
    if "random.cuda" in found.tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(found.tensors["random.cuda"])
