"""The state of a training run: counters, and all that a checkpoint needs for an exact resume."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from plait.training.checkpoints import Checkpoint
from plait.training.config import TrainingConfig
from plait.training.ema import WeightEMA
from plait.training.process_group import ProcessGroup

__all__ = ["RunState", "pack_state", "restore_state"]


@dataclass
class RunState:
    """The counters of a run; JSON can represent them.

    Attributes:
        epoch: Epochs done.
        step: Batches done of the next epoch.
        updates: Optimizer steps done.
        loss_sum: The sum of the loss over the rows of this epoch.
        rows: Rows of this epoch so far.
        best: The best metric so far.
        best_epoch: The epoch of the best metric.
        validations_without_improvement: Validations since the best one.
        history: The values of every epoch.
        seconds: How long the epochs took, in all processes that the run was resumed in.
    """

    epoch: int = 0
    step: int = 0
    updates: int = 0
    loss_sum: float = 0.0
    rows: int = 0
    best: float | None = None
    best_epoch: int = 0
    validations_without_improvement: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._checkpointed_at = self._epoch_closed_at = time.monotonic()

    @property
    def loss(self) -> float:
        """The mean over the rows of this epoch so far."""
        return self.loss_sum / max(self.rows, 1)

    def add(self, loss: float, rows: int) -> None:
        """Count a batch.

        Args:
            loss: Its mean loss.
            rows: Its number of rows.
        """
        self.step += 1
        self.loss_sum += loss * rows
        self.rows += rows

    def close_epoch(self) -> None:
        """Count an epoch and the seconds since the last one, and reset the counters of batches."""
        self.epoch += 1
        self.step, self.loss_sum, self.rows = 0, 0.0, 0
        now = time.monotonic()
        seconds = self.seconds + now - self._epoch_closed_at
        self.seconds = ProcessGroup.current().broadcast(seconds)  # all processes stop together
        self._epoch_closed_at = now

    def is_over(self, config: TrainingConfig) -> bool:
        """Return whether the run should stop before its last epoch.

        Args:
            config: `patience` and `max_seconds`.
        """
        is_stuck = 0 < config.patience <= self.validations_without_improvement
        return is_stuck or 0 < config.max_seconds <= self.seconds

    def update_best(self, metric: float) -> bool:
        """Compare a metric with the best one so far and remember it if it is better.

        While the metric is 0 no target was ranked at all, so it gives no reason to stop: the newest
        epoch counts as the best. A few queries over many items begin like that.

        Args:
            metric: The metric of this epoch; larger is better.

        Returns:
            Whether it is the best so far.
        """
        is_better = self.best is None or metric > self.best or metric == self.best == 0
        if is_better:
            self.best, self.best_epoch = metric, self.epoch
            self.validations_without_improvement = 0
        else:
            self.validations_without_improvement += 1
        return is_better

    def checkpointed(self) -> None:
        """Note that a checkpoint was written now."""
        self._checkpointed_at = time.monotonic()

    def seconds_since_checkpoint(self) -> float:
        """Return the seconds since the last checkpoint, or since the start of the process."""
        return time.monotonic() - self._checkpointed_at


def pack_state(
    module: nn.Module,
    optimizer: Any,
    ema: WeightEMA,
    best_weights: dict[str, torch.Tensor],
    state: RunState,
) -> Checkpoint:
    """Collect the whole state of a run.

    Args:
        module: The module in training.
        optimizer: Its optimizer.
        ema: The average of its weights.
        best_weights: The weights of the best epoch; empty before the first validation.
        state: The counters.
    """
    groups: dict[str, Any] = {
        "module": module.state_dict(),
        "ema": ema.state_dict(),
        "best": best_weights,
        "random": {"cpu": torch.get_rng_state()},
    }
    for number, moments in optimizer.state_dict()["state"].items():
        tensors = {name: m for name, m in moments.items() if isinstance(m, torch.Tensor)}
        groups[f"optimizer.{number}"] = tensors
    if torch.cuda.is_available():
        groups["random"]["cuda"] = torch.cuda.get_rng_state()
    return Checkpoint(
        {
            f"{group}.{name}": tensor
            for group, tensors in groups.items()
            for name, tensor in tensors.items()
        },
        asdict(state),
    )


def restore_state(
    checkpoint: Checkpoint, module: nn.Module, optimizer: Any, ema: WeightEMA
) -> None:
    """Restore what `pack_state` collected, except best weights and counters.

    Args:
        checkpoint: The state of the interrupted run.
        module: The module that continues.
        optimizer: Its optimizer.
        ema: The average of its weights.
    """
    module.load_state_dict(checkpoint.group("module"))
    ema.load_state_dict(checkpoint.group("ema"))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in checkpoint.group("optimizer").items():
        number, _, name = key.partition(".")
        moments.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    torch.set_rng_state(checkpoint.tensors["random.cpu"])
    if "random.cuda" in checkpoint.tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(checkpoint.tensors["random.cuda"])
