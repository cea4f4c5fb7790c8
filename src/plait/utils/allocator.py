"""The memory allocator of the C library: few arenas, and what they hold unused is given back."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

__all__ = ["limit_arenas", "return_free_memory"]

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


def return_free_memory() -> None:
    """Give the system back all memory that this process has freed; does nothing without glibc.

    The allocator gives back only what lies at the end of an arena. What was freed below it stays
    resident, and large arrays of other sizes do not fit into its gaps.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
