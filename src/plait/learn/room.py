"""How much memory a run will take, said before it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from plait.errors import InputError

__all__ = ["available", "check_room", "weight_bytes"]

_LIMIT = Path("/sys/fs/cgroup/memory.max")
_USED = Path("/sys/fs/cgroup/memory.current")
_SHARE = 0.9


def available() -> int:
    """Bytes that a process may still take: of the machine, or of its control group."""
    pages = os.sysconf("SC_AVPHYS_PAGES")
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = {name: rest.split() for name, _, rest in (one.partition(":") for one in lines)}
        free = int(found["MemAvailable"][0]) * 1024
    except (OSError, KeyError, ValueError):
        free = pages * os.sysconf("SC_PAGE_SIZE")
    try:
        group = int(_LIMIT.read_text(encoding="ascii")) - int(_USED.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return free
    return min(free, group)


def weight_bytes(numbers: int, average: bool = True) -> int:
    """Bytes for so many weights: themselves, gradients, two moments, the best, the average."""
    return 4 * numbers * (6 if average else 5)


def check_room(
    needs: Mapping[str, int],
    what: str,
    room: int | None = None,
    hints: Mapping[str, str] | None = None,
) -> None:
    """Raise InputError unless the needs, bytes by setting, fit into `room` (what is available).

    The error names the setting that takes most, and what `hints` says of it: else, to make it
    smaller.
    """
    free = available() if room is None else room
    total = sum(needs.values())
    if total <= _SHARE * free:
        return
    worst = max(needs, key=lambda one: needs[one])
    raise InputError(
        f"{what} would need about {_told(total)} of memory, and there are {_told(free)}:"
        f" {worst} alone takes {_told(needs[worst])}",
        hint=(hints or {}).get(worst, f"make {worst} smaller"),
        field=worst,
    )


def _told(size: int) -> str:
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
