"""Histories through a fitted network, many or one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.types import BoolArray, Float32Array, History, Int64Array
from plait.models.sequential.network import NetworkShape, SequentialNetwork
from plait.training.sequence_batches import PADDING, Sequences, length_buckets

__all__ = ["built", "last_states", "plain", "read"]


def built(shape: Mapping[str, Any], weights: Mapping[str, Any]) -> SequentialNetwork:
    """The network of a shape with these weights, ready to answer."""
    network = SequentialNetwork(NetworkShape(**shape))
    network.load_state_dict({name: torch.tensor(one) for name, one in weights.items()})
    return network.eval().requires_grad_(requires_grad=False)


def read(
    network: SequentialNetwork, history: History, table: Float32Array, known: BoolArray
) -> tuple[Float32Array, Int64Array]:
    """What comes after each history that has an event of a known item.

    float32 [R, D], and int64 [R] which histories these are. `table` [N, D] and `known` [N] by item.
    """
    rows = np.where(known, np.arange(1, len(known) + 1), PADDING).astype(np.int32)
    found = Sequences.of(history, rows, network.shape.max_length, min_length=1)
    states = np.zeros((len(found), network.shape.embedding_dim), np.float32)
    with torch.inference_mode():
        for chosen in length_buckets(found.lengths):
            items, seconds = found.take(chosen)
            vectors = torch.from_numpy(table[np.maximum(items - 1, 0)])
            states[chosen] = last_states(network, vectors, found.lengths[chosen], seconds).numpy()
    return states, found.sources


def last_states(
    network: SequentialNetwork, vectors: Tensor, lengths: Int64Array, seconds: Int64Array
) -> Tensor:
    """float32 [B, D] from item vectors [B, L, D]."""
    device = vectors.device
    when = torch.from_numpy(seconds).to(device) if network.shape.timed else None
    return network.last_state(vectors, torch.from_numpy(lengths).to(device), when)


def plain(module: nn.Module) -> dict[str, Any]:
    """Weights as arrays by name."""
    return {name: one.detach().cpu().numpy() for name, one in module.state_dict().items()}
