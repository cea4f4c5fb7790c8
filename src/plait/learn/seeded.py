"""How a stage trains its network: fresh weights drawn by a seed, the rest as the context says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from plait.core.context import FitContext
from plait.learn.loop import Objective, train
from plait.learn.training import Batches, Outcome, Training

__all__ = ["seeded", "train_within"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block torch draws by `seed`; its random state is then as it was before."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def train_within(
    context: FitContext,
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    training: Training,
    **more: Any,
) -> Outcome:
    """`plait.learn.loop.train` with the seed, folder, progress and trackers of `context`."""
    return train(
        module,
        batches,
        objective,
        training,
        seed=context.seed,
        folder=context.folder,
        report=context.progress,
        trackers=context.trackers,
        **more,
    )
