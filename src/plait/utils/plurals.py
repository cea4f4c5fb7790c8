"""Numbers with what they count, in English."""

from __future__ import annotations

__all__ = ["counted"]


def counted(count: int, thing: str) -> str:
    """Write a number and what it counts: "1 row", "2,000 rows".

    Args:
        count: How many.
        thing: What is counted, in the singular; its plural ends with an s.

    Returns:
        The words.
    """
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"
