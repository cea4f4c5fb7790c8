"""From batches of arrays to tensors on the device: together, checked, shared out, moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import torch

from plait.errors import InputError
from plait.training.config import Batch, TrainingConfig, rows_of
from plait.training.process_group import ProcessGroup
from plait.training.run_state import RunState

__all__ = ["accelerator_of", "group_batches", "require_finite", "shard", "to_device"]

_PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def accelerator_of(training: TrainingConfig) -> Any:
    """accelerate's Accelerator for these settings.

    Raises InputError for float16 on a CPU, where accelerate would compute in float32 unasked.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    for cpu in (training.device == "cpu", True):
        # It remembers the settings of the first one in a process and refuses others.
        AcceleratorState._reset_state(reset_partial_state=True)
        found = Accelerator(mixed_precision=_PRECISIONS[training.precision], cpu=cpu)
        if (
            found.num_processes >= ProcessGroup.here().size
        ):  # without a GPU: only if told to, on CPUs
            break
    if training.precision == "float16" and found.device.type == "cpu":
        raise InputError(
            "precision is float16, which a CPU does not train in",
            hint="take bfloat16 or float32 on a CPU",
            field="precision",
        )
    return found


def group_batches(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """The batches of each step: `size` of them, or what is left."""
    while found := list(islice(batches, size)):
        yield found


def require_finite(batch: Batch, at: RunState) -> Batch:
    """The same batch; InputError names the first field with a number that is not finite."""
    for name, one in batch.items():
        if one.dtype.kind == "f" and not np.isfinite(one).all():
            row = int(np.argwhere(~np.isfinite(one))[0][0])
            raise InputError(
                f"{name} is not finite in row {row} of batch {at.step + 1}, epoch {at.epoch + 1}",
                hint="look for missing or infinite values in what it is made of",
                field=name,
            )
    return batch


def shard(batch: Batch, process: int, processes: int) -> Batch:
    """The rows of one of several processes; all of them where there are fewer rows than that."""
    if processes == 1 or rows_of(batch) < processes:
        return batch
    return {name: one[process::processes] for name, one in batch.items()}


def to_device(batch: Batch, device: torch.device) -> Mapping[str, torch.Tensor]:
    """Tensors on the device; what is read-only or strided is copied first."""
    return {
        name: torch.from_numpy(np.require(one, requirements=["C", "W"])).to(
            device, non_blocking=True
        )
        for name, one in batch.items()
    }
