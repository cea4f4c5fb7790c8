"""Histories through a fitted network, many or one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.types import Bools, Floats, History, Longs
from plait.models.sequential.network import Sequential, Shape
from plait.training.sequence_batches import PADDING, Sequences, pieces

__all__ = ["ahead", "built", "plain", "read"]


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


def plain(module: nn.Module) -> dict[str, Any]:
    """Weights as arrays by name."""
    return {name: one.detach().cpu().numpy() for name, one in module.state_dict().items()}
