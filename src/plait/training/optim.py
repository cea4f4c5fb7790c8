"""Optimisers, and how their step size goes up and down."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from plait.training.config import TrainingConfig

__all__ = ["optimizer_of", "rate"]


def optimizer_of(
    parameters: Iterable[torch.nn.Parameter], training: TrainingConfig
) -> torch.optim.Optimizer:
    """The optimiser that the settings name; vectors (biases, norms) are not decayed."""
    wanted = [one for one in parameters if one.requires_grad]
    groups = [
        {"params": [one for one in wanted if one.dim() > 1], "weight_decay": training.weight_decay},
        {"params": [one for one in wanted if one.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [one for one in groups if one["params"]]
    rate = training.learning_rate
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=training.momentum)
    if training.optimizer == "adam":
        return torch.optim.Adam(groups, lr=rate)
    return torch.optim.AdamW(groups, lr=rate)


def rate(training: TrainingConfig, step: int, steps: int) -> float:
    """The step size of step `step` (from 0) of `steps`."""
    rising = round(training.warmup_ratio * steps)
    if step < rising:
        return training.learning_rate * (step + 1) / rising
    if training.schedule == "constant":
        return training.learning_rate
    gone = (step - rising) / max(steps - rising, 1)
    return training.learning_rate * 0.5 * (1 + math.cos(math.pi * min(gone, 1.0)))
