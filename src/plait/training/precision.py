"""Number formats that a processor supports natively."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

__all__ = ["bfloat16_is_fast"]

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
