"""The memory allocator of the C library: few arenas, and what they hold unused is given back."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

__all__ = ["limit_arenas", "limit_free_memory", "return_free_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's `mallopt`."""


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


def limit_free_memory(size: int) -> None:
    """Let each arena keep little free memory at its end; does nothing without glibc.

    By itself the allocator raises this limit to 64 MB an arena once large arrays are freed, and
    `return_free_memory` does not reach the ends of the arenas of threads.

    Args:
        size: The most bytes; larger blocks are the system's from the start. 0 leaves both limits
            to the allocator.
    """
    if size and sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, size)
            library.mallopt(_M_TRIM_THRESHOLD, size)


def return_free_memory() -> None:
    """Give the system back all memory that this process has freed; does nothing without glibc.

    The allocator gives back only what lies at the end of an arena. What was freed below it stays
    resident, and large arrays of other sizes do not fit into its gaps.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
