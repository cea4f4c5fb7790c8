"""Histories through a fitted network, many or one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.core.types import Bools, Floats, History, Longs
from plait.learn.sequences import PADDING, Sequences
from plait.models.networks.sequential import Sequential, Shape

__all__ = ["ahead", "built", "pieces", "plain", "read"]

_CELLS = 1 << 13
"""Places of histories that go through the network together."""


def built(shape: Mapping[str, Any], weights: Mapping[str, Any]) -> Sequential:
    """The network of a shape with these weights, ready to answer."""
    network = Sequential(Shape(**shape))
    network.load_state_dict({name: torch.tensor(one) for name, one in weights.items()})
    return network.eval().requires_grad_(requires_grad=False)


def read(
    network: Sequential, history: History, table: Floats, known: Bools
) -> tuple[Floats, Longs]:
    """What comes after each history that has an event of a known item.

    float32 [R, D], and int64 [R] which histories these are. `table` [N, D] and `known` [N] by item.
    """
    rows = np.where(known, np.arange(1, len(known) + 1), PADDING).astype(np.int32)
    found = Sequences.of(history, rows, network.shape.history, least=1)
    states = np.zeros((len(found), network.shape.dim), np.float32)
    with torch.inference_mode():
        for chosen in pieces(found.lengths):
            items, seconds = found.take(chosen)
            vectors = torch.from_numpy(table[np.maximum(items - 1, 0)])
            states[chosen] = ahead(network, vectors, found.lengths[chosen], seconds).numpy()
    return states, found.sources


def ahead(network: Sequential, vectors: Tensor, lengths: Longs, seconds: Longs) -> Tensor:
    """float32 [B, D] from item vectors [B, L, D]."""
    device = vectors.device
    when = torch.from_numpy(seconds).to(device) if network.shape.timed else None
    return network.ahead(vectors, torch.from_numpy(lengths).to(device), when)


def pieces(lengths: Longs) -> Iterator[Longs]:
    """Rows of similar length together, as many as fill about 8,000 places."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        shortest = int(lengths[order[start]])
        rows = max(_CELLS // shortest, 1)
        # Not behind the first row that is twice as long: half of the places would be padding.
        longer = int(np.searchsorted(lengths[order], 2 * shortest + 8, side="right"))
        stop = min(start + rows, max(longer, start + 1), len(order))
        yield order[start:stop]
        start = stop


def plain(module: nn.Module) -> dict[str, Any]:
    """Weights as arrays by name."""
    return {name: one.detach().cpu().numpy() for name, one in module.state_dict().items()}
