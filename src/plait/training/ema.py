"""An exponential moving average of weights (Polyak & Juditsky, 1992): steadier than the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["WeightEMA"]


class WeightEMA:
    """The running average of a module's parameters; with a decay of 0 there is none."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.weights: dict[str, torch.Tensor] = {}
        if decay:
            self.weights = {name: one.detach().clone() for name, one in module.named_parameters()}
        self.updates = 0

    def update(self, module: nn.Module) -> None:
        """Move a little towards the weights as they are; faster at first."""
        if not self.weights:
            return
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        now = [one.detach() for _, one in module.named_parameters()]
        torch._foreach_lerp_(list(self.weights.values()), now, 1 - decay)

    @contextmanager
    def in_place(self, module: nn.Module) -> Iterator[None]:
        """Within the block the module has the average for weights."""
        if not self.weights:
            yield
            return
        own = {name: one.detach().clone() for name, one in module.named_parameters()}
        _put(module, self.weights)
        try:
            yield
        finally:
            _put(module, own)


def _put(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, one in module.named_parameters():
            one.copy_(weights[name])
