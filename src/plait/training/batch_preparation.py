"""Turns batches of arrays into tensors on the device: grouping, checks, sharding, transfer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np
import torch

from plait.errors import InputError
from plait.training.batches import Batch, row_count
from plait.training.run_state import RunState

__all__ = ["group_batches", "require_finite", "shard", "to_device"]


def group_batches(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield the batches of each optimizer step.

    Args:
        batches: The batches of an epoch.
        size: Batches in a step; the last step takes what is left.
    """
    while group := list(islice(batches, size)):
        yield group


def require_finite(batch: Batch, state: RunState) -> Batch:
    """Check that all floating-point values of a batch are finite.

    Args:
        batch: Arrays by field.
        state: The position in the run, for the message.

    Returns:
        The same batch.

    Raises:
        InputError: A value is NaN or infinite; the error names the field and the row.
    """
    for name, array in batch.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise InputError(
                f"{name} is not finite in row {row} of batch {state.step + 1},"
                f" epoch {state.epoch + 1}",
                hint="look for missing or infinite values in the data it is computed from",
                field=name,
            )
    return batch


def shard(batch: Batch, process: int, processes: int) -> Batch:
    """Take the rows of one of several processes.

    Args:
        batch: Arrays by field.
        process: The number of this process, from 0.
        processes: The number of processes.

    Returns:
        Every `processes`-th row, or the same batch if it has fewer rows than processes.
    """
    if processes == 1 or row_count(batch) < processes:
        return batch
    return {name: array[process::processes] for name, array in batch.items()}


def to_device(batch: Batch, device: torch.device) -> Mapping[str, torch.Tensor]:
    """Convert arrays to tensors on a device; read-only and strided arrays are copied first.

    Args:
        batch: Arrays by field.
        device: The device of the tensors.
    """
    return {
        name: torch.from_numpy(np.require(array, requirements=["C", "W"])).to(
            device, non_blocking=True
        )
        for name, array in batch.items()
    }
