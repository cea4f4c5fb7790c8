"""Exponential moving average of weights (Polyak & Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from plait.training.config import TrainingConfig

__all__ = ["WeightEMA", "decay_of"]

_Tensors = tuple[Tensor, ...] | list[Tensor]

_LEAST_STEPS = 100
"""Optimizer steps that an average spans at least, if its decay follows the length of an epoch."""


def decay_of(config: TrainingConfig, steps_per_epoch: int) -> float:
    """Return the decay of a run.

    Args:
        config: `ema_decay`; None: the average spans the steps of an epoch, and 100 at least.
        steps_per_epoch: Optimizer steps of an epoch.
    """
    if config.ema_decay is None:
        return 1 - 1 / max(steps_per_epoch, _LEAST_STEPS)
    return config.ema_decay


class WeightEMA:
    """The moving average of a module's parameters, kept by torch's `AveragedModel`.

    The average starts at the initial weights; the decay rises to its final value,
    `min(decay, (1 + t) / (10 + t))` at update t.

    Args:
        module: The module to follow, on its device.
        decay: The decay in [0, 1); with 0 there is no average and nothing below has an effect.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        def average(averages: _Tensors, weights: _Tensors, updates: Tensor | int) -> None:
            step_decay = min(decay, (1 + int(updates)) / (10 + int(updates)))
            torch._foreach_lerp_(averages, weights, 1 - step_decay)

        # The parameters alone: buffers and constants of a module may be large, and do not change.
        self._parameters = nn.ParameterList(module.parameters())
        self._averaged: AveragedModel | None = None
        if decay:
            self._averaged = AveragedModel(self._parameters, multi_avg_fn=average)
            self._averaged.n_averaged += (
                1  # else the first update would replace the initial weights
            )

    def update(self) -> None:
        """Move the average towards the current weights."""
        if self._averaged is not None:
            self._averaged.update_parameters(self._parameters)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the module has the averaged weights."""
        if self._averaged is None:
            yield
            return
        weights = [parameter.detach().clone() for parameter in self._parameters]
        self._assign(list(self._averaged.parameters()))
        try:
            yield
        finally:
            self._assign(weights)

    def state_dict(self) -> Mapping[str, Tensor]:
        """Return the average and its number of updates; empty without an average."""
        return {} if self._averaged is None else self._averaged.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned.

        Args:
            state: Tensors by name.
        """
        if self._averaged is not None:
            self._averaged.load_state_dict(state)

    @torch.no_grad()
    def _assign(self, weights: list[Tensor]) -> None:
        for parameter, weight in zip(self._parameters, weights, strict=True):
            parameter.copy_(weight)
