"""Inference with a fitted network, for many histories or one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from plait.data.array_types import Float32Array, Int64Array
from plait.data.history import History
from plait.models.sequential.item_embedding_table import ItemVectors
from plait.models.sequential.network import SequentialNetwork
from plait.models.sequential.sequential_recommender import NetworkShape
from plait.training.sequence_batches import PADDING, Sequences, length_buckets

__all__ = ["build_network", "encode_histories", "last_states", "weights_of"]


def build_network(shape: NetworkShape, weights: Mapping[str, Any]) -> SequentialNetwork:
    """Build a network for inference.

    Args:
        shape: Its architecture.
        weights: Arrays by name.
    """
    network = SequentialNetwork(shape)
    network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    return network.eval().requires_grad_(requires_grad=False)


def encode_histories(
    network: SequentialNetwork, history: History, items: ItemVectors
) -> tuple[Float32Array, Int64Array]:
    """Compute the state that predicts what follows each history with a known item.

    Args:
        network: A network for inference.
        history: B histories.
        items: The vectors of all items.

    Returns:
        States float32 [R, D], and int64 [R], the histories they belong to.
    """
    known = items.known
    rows = np.where(known, np.arange(1, len(known) + 1), PADDING).astype(np.int32)
    sequences = Sequences.of(history, rows, network.shape.max_length, min_length=1)
    states = np.zeros((len(sequences), network.shape.embedding_dim), np.float32)
    with torch.inference_mode():
        for chosen in length_buckets(sequences.lengths):
            table_rows, seconds = sequences.take(chosen)
            vectors = torch.from_numpy(items.table[np.maximum(table_rows - 1, 0)])
            lengths = sequences.lengths[chosen]
            states[chosen] = last_states(network, vectors, lengths, seconds).numpy()
    return states, sequences.sources


def last_states(
    network: SequentialNetwork, vectors: Tensor, lengths: Int64Array, seconds: Int64Array
) -> Tensor:
    """Compute the state that predicts what follows each history.

    Args:
        network: The network.
        vectors: float32 [B, L, D], item vectors, padded at the end.
        lengths: int64 [B], 1 or more.
        seconds: int64 [B, L], the times of events.

    Returns:
        float32 [B, D].
    """
    device = vectors.device
    times = torch.from_numpy(seconds).to(device) if network.shape.timed else None
    return network.last_state(vectors, torch.from_numpy(lengths).to(device), times)


def weights_of(module: nn.Module) -> dict[str, Any]:
    """Return the weights of a module as arrays by name.

    Args:
        module: The module.
    """
    return {name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()}
