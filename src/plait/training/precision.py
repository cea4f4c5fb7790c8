"""Which number formats a processor is quick with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

__all__ = ["bfloat16_is_fast"]

_FLAGS = ("avx512_bf16", "amx_bf16", " bf16")
"""How processors say that they multiply bfloat16 by themselves: x86, x86, ARM."""


@cache
def bfloat16_is_fast(device: str = "cpu") -> bool:
    """Whether matrix products in bfloat16 are native on a device, `cpu` or `cuda`."""
    if device != "cpu":
        return device == "cuda" and torch.cuda.is_bf16_supported()
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in told for flag in _FLAGS)
