"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from plait.training.config import TrainingConfig

__all__ = ["learning_rate", "optimizer_of", "scheduler_of"]


def optimizer_of(parameters: Iterable[torch.nn.Parameter], config: TrainingConfig) -> Optimizer:
    """Build the optimizer that the settings name.

    Its learning rate is 1 until `scheduler_of` sets it. Vectors (biases, norms) are not decayed.

    Args:
        parameters: The parameters of the module; those without gradient are left out.
        config: Optimizer, momentum and weight decay.
    """
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    decayed = [parameter for parameter in trainable if parameter.dim() > 1]
    others = [parameter for parameter in trainable if parameter.dim() <= 1]
    groups = [
        {"params": group, "weight_decay": decay}
        for group, decay in ((decayed, config.weight_decay), (others, 0.0))
        if group
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=1.0, momentum=config.momentum)
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=1.0)
    return torch.optim.AdamW(groups, lr=1.0)


def scheduler_of(
    optimizer: Optimizer, config: TrainingConfig, steps: int, done: int = 0
) -> LambdaLR:
    """Build the learning-rate schedule of an optimizer.

    Args:
        optimizer: An optimizer of `optimizer_of`.
        config: Learning rate, schedule and warm-up.
        steps: Optimizer steps of the whole run.
        done: Steps done before, by the run that is resumed.
    """
    for group in optimizer.param_groups:
        group["initial_lr"] = 1.0
    return LambdaLR(optimizer, lambda step: learning_rate(config, step, steps), last_epoch=done - 1)


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """Return the learning rate of one step.

    Args:
        config: Learning rate, schedule and warm-up.
        step: The step, from 0.
        steps: Steps of the whole run.
    """
    warmup = round(config.warmup_ratio * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    progress = (step - warmup) / max(steps - warmup, 1)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
