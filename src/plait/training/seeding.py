"""Seeds and fingerprints that make training runs reproducible."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch within the block and restore its random state afterwards.

    Args:
        seed: The seed.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
