"""The memory that a run needs, checked before it starts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from plait.errors import InputError
from plait.settings import local_process_count

__all__ = ["SHARE", "available_bytes", "require_memory", "total_bytes", "weight_bytes"]

_GROUP = Path("/sys/fs/cgroup")
SHARE = 0.9
"""The share of the available memory that a run may plan with."""


def available_bytes(group: Path = _GROUP) -> int:
    """Return the bytes that this process may still allocate.

    The minimum of the machine and the control group, divided by the number of processes that were
    started together on this machine. A limit that cannot be determined does not count.

    Args:
        group: The folder of the control group (cgroup v2).
    """
    available: int = psutil.virtual_memory().available
    try:
        used = int((group / "memory.current").read_text(encoding="ascii"))
        lines = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        statistics = {name: int(value) for name, value in (line.split(None, 1) for line in lines)}
        # The kernel frees cached pages on demand, and those of a container fill up over time.
        cached = statistics.get("active_file", 0) + statistics.get("inactive_file", 0)
        available = min(available, _limit(group) - max(used - cached, 0))
    except (OSError, ValueError):
        pass
    return max(available, 0) // local_process_count()


def total_bytes(group: Path = _GROUP) -> int:
    """Return the bytes of the machine or the control group, used or not, for each local process.

    Args:
        group: The folder of the control group (cgroup v2).
    """
    total: int = psutil.virtual_memory().total
    return min(total, _limit(group)) // local_process_count()


def weight_bytes(count: int, ema: bool = True) -> int:
    """Return the bytes that trained weights take with all that belongs to them.

    These are the weights, their gradients, two moments, the best weights and their average.

    Args:
        count: The number of weights.
        ema: Whether an average is kept.
    """
    return 4 * count * (6 if ema else 5)


def require_memory(
    needs: Mapping[str, int],
    task: str,
    available: int | None = None,
    hints: Mapping[str, str] | None = None,
) -> None:
    """Check that a task fits into memory.

    Args:
        needs: Bytes by the setting that causes them.
        task: What needs them, for the message.
        available: Bytes that may be used; by default `available_bytes()`.
        hints: What to do, by setting; by default to make the setting smaller.

    Raises:
        InputError: The task does not fit; the error names the setting that needs most.
    """
    available = available_bytes() if available is None else available
    total = sum(needs.values())
    if total <= SHARE * available:
        return
    largest = max(needs, key=lambda setting: needs[setting])
    raise InputError(
        f"{task} needs about {_format_size(total)} of memory, available are"
        f" {_format_size(available)}: {largest} alone needs {_format_size(needs[largest])}",
        hint=(hints or {}).get(largest, f"make {largest} smaller"),
        field=largest,
    )


def _limit(group: Path) -> int:
    try:
        return int((group / "memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize


def _format_size(size: int) -> str:
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
