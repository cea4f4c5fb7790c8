"""How much memory a run will take, said before it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from plait.errors import InputError
from plait.settings import local_process_count

__all__ = ["SHARE", "available_bytes", "require_memory", "total_bytes", "weight_bytes"]

_GROUP = Path("/sys/fs/cgroup")
SHARE = 0.9
"""What part of the memory that is free a run may plan with."""


def available_bytes(group: Path = _GROUP) -> int:
    """Bytes that a process may still take: of the machine, or of its control group.

    Of processes that were started together each has its part. What cannot be known is no limit.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = _table(lines)["MemAvailable:"] * 1024
    except (OSError, KeyError, ValueError):
        free = _physical()
    try:
        used = int((group / "memory.current").read_text(encoding="ascii"))
        told = _table((group / "memory.stat").read_text(encoding="ascii").splitlines())
        # Pages of files are given back when they are wanted; a container that has run for a while
        # is full of them.
        files = told.get("active_file", 0) + told.get("inactive_file", 0)
        free = min(free, _limit(group) - max(used - files, 0))
    except (OSError, ValueError):
        pass
    return max(free, 0) // local_process_count()


def total_bytes(group: Path = _GROUP) -> int:
    """Bytes that the machine or the control group has in all, used or not."""
    return min(_physical(), _limit(group)) // local_process_count()


def weight_bytes(numbers: int, average: bool = True) -> int:
    """Bytes for so many weights: themselves, gradients, two moments, the best, the average."""
    return 4 * numbers * (6 if average else 5)


def require_memory(
    needs: Mapping[str, int],
    what: str,
    room: int | None = None,
    hints: Mapping[str, str] | None = None,
) -> None:
    """Raise InputError unless the needs, bytes by setting, fit into `room` (what is available).

    The error names the setting that takes most, and what `hints` says of it: else, to make it
    smaller.
    """
    free = available_bytes() if room is None else room
    total = sum(needs.values())
    if total <= SHARE * free:
        return
    worst = max(needs, key=lambda one: needs[one])
    raise InputError(
        f"{what} would need about {_told(total)} of memory, and there are {_told(free)}:"
        f" {worst} alone takes {_told(needs[worst])}",
        hint=(hints or {}).get(worst, f"make {worst} smaller"),
        field=worst,
    )


def _table(lines: list[str]) -> dict[str, int]:
    """Name and number of each line."""
    return {name: int(rest.split()[0]) for name, rest in (one.split(None, 1) for one in lines)}


def _limit(group: Path) -> int:
    try:
        return int((group / "memory.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return sys.maxsize


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):  # a system that does not tell
        return sys.maxsize


def _told(size: int) -> str:
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
