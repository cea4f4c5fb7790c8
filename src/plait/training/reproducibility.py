"""How a stage trains its network: fresh weights drawn by a seed, the rest as the context says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from plait.pipeline.fit_context import FitContext
from plait.training.config import Batches, TrainingConfig, TrainingResult
from plait.training.trainer import Objective, train

__all__ = ["fingerprint", "identity_of", "seeded", "train_with_context"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block torch draws by `seed`; its random state is then as it was before."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def fingerprint(*arrays: npt.NDArray[Any]) -> str:
    """A hash of what arrays hold, and of where one ends and the next begins."""
    found = hashlib.blake2b(digest_size=8)
    for one in arrays:
        found.update(f"{one.dtype}{one.shape}".encode())
        found.update(np.ascontiguousarray(one).data)
    return found.hexdigest()


def identity_of(model: str, config: Any, **data: str) -> dict[str, Any]:
    """What makes two runs of a stage the same, beside seed, training and shapes.

    The `identity` of `plait.training.trainer.train`: the settings of its config, and hashes of what
    it learns from by name.
    """
    settings = {name: one for name, one in asdict(config).items() if name != "training"}
    return {"model": model, "settings": settings, **data}


def train_with_context(
    context: FitContext,
    module: nn.Module,
    batches: Batches,
    objective: Objective,
    training: TrainingConfig,
    *,
    best: int = 0,
    **more: Any,
) -> TrainingResult:
    """`plait.training.trainer.train` with the seed, folder, progress and trackers of `context`.

    `best`: the best number of epochs that an earlier run found, 0 for none. Where nothing is held
    out it is trained for as long; where something is, `validate` says anew when to stop.
    """
    return train(
        module,
        batches,
        objective,
        training,
        seed=context.seed,
        until=best if context.held is None and best else None,
        folder=context.folder,
        report=context.progress,
        trackers=context.trackers,
        **more,
    )
