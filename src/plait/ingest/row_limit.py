"""How many rows a file may bring: a few kilobytes can claim, or unpack to, a billion equal ones."""

from __future__ import annotations

from plait.errors import InputError

__all__ = ["ROWS_OF_ANY_FILE", "ROWS_PER_BYTE", "check_row_count", "most_rows"]

ROWS_OF_ANY_FILE = 10_000_000
"""So many rows are taken from a file of any size."""

ROWS_PER_BYTE = 4
"""And so many for each byte on disk. Logs of real users, sorted and compressed, have a byte or more
for each row, because items and times differ."""


def most_rows(size: int, limit: int) -> int:
    """Return how many rows a file may bring.

    Args:
        size: Its length on disk in bytes.
        limit: What the mapping says; 0: it follows from the size.

    Returns:
        The number of rows.
    """
    return limit or max(ROWS_OF_ANY_FILE, ROWS_PER_BYTE * size)


def check_row_count(rows: int, size: int, limit: int, name: str) -> None:
    """Check that a file does not bring too many rows.

    Args:
        rows: How many rows it claims, or has brought so far.
        size: Its length on disk in bytes.
        limit: What the mapping says; 0: it follows from the size.
        name: The name of the source.

    Raises:
        InputError: If there are more rows than `most_rows`.
    """
    most = most_rows(size, limit)
    if rows > most:
        raise InputError(
            f"{name} has more than {most:,} rows in {size:,} bytes",
            hint=f"if that is right, set max_rows = {max(rows, 10 * most)} in the mapping",
            field="max_rows",
        )
