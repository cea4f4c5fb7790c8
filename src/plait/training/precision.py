"""Number formats that a processor supports natively."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch

from plait.errors import InputError
from plait.training.config import TrainingConfig
from plait.training.process_group import ProcessGroup

__all__ = ["accelerator_of", "bfloat16_is_fast", "require_device"]

_FLAGS = ("avx512_bf16", "amx_bf16", " bf16")
"""CPU flags of native bfloat16 products: x86, x86, ARM."""


@cache
def bfloat16_is_fast(device: str = "cpu") -> bool:
    """Return whether matrix products in bfloat16 are native on a device.

    Args:
        device: `cpu` or `cuda`.
    """
    if device != "cpu":
        return device == "cuda" and torch.cuda.is_bf16_supported()
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in cpu_info for flag in _FLAGS)


def require_device(device: str) -> None:
    """Check that torch sees a device.

    Args:
        device: As in `TrainingConfig.device`.

    Raises:
        InputError: There is no such device.
    """
    kind, _, number = device.partition(":")
    n_devices = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind in n_devices and int(number or 0) >= n_devices[kind]:
        seen = [f"cuda:{number}" for number in range(n_devices["cuda"])]
        seen += ["mps"] * n_devices["mps"]
        raise InputError(
            f"device is {device!r}, which torch does not see",
            hint=f"there are {', '.join(['cpu', *seen])}",
            field="device",
        )


_PRECISIONS = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


def accelerator_of(config: TrainingConfig) -> Any:
    """Build accelerate's `Accelerator` for these settings.

    Args:
        config: Precision and device.

    Raises:
        InputError: There is no such device; or the precision is float16 and the device a CPU, where
            accelerate would compute in float32 without a word.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    require_device(config.device)

    for cpu in (config.device == "cpu", True):
        # accelerate remembers the settings of the first one in a process and refuses others.
        AcceleratorState._reset_state(reset_partial_state=True)
        if config.device not in ("auto", "cpu"):
            PartialState().device = torch.device(config.device)
        accelerator = Accelerator(mixed_precision=_PRECISIONS[config.precision], cpu=cpu)
        # Without a GPU processes form a group only if CPUs are requested explicitly.
        if accelerator.num_processes >= ProcessGroup.current().size:
            break
    if config.precision == "float16" and accelerator.device.type == "cpu":
        raise InputError(
            "precision is float16, which needs a GPU",
            hint="set precision to bfloat16 or float32 on a CPU",
            field="precision",
        )
    return accelerator
