"""The memory allocator of the C library, held to few arenas."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

__all__ = ["limit_arenas"]

_M_ARENA_MAX = -8
"""The parameter of glibc's `mallopt`."""


def limit_arenas(count: int) -> None:
    """Let the threads of this process share a few arenas; does nothing without glibc.

    Each thread would get an arena of its own, up to eight for each core, and keep there what it
    freed: with many threads that write, the memory of a server grows for hours.

    Args:
        count: The most arenas; 0 leaves the number as it is.
    """
    if count and sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, count)
