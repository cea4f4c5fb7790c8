"""Proposes time formats for texts that are no times by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import polars as pl

from plait.ingest.time_formats import wall_times

__all__ = ["proposed_formats"]

_DAYS = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%a %b %d %Y",
    "%Y年%m月%d日",
)
_CLOCKS = ("", "%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")
_BETWEEN = (" ", ", ", "T")
_MOST_FORMATS = 3
_FIRST_YEAR, _LAST_YEAR = 1970, 2100


def proposed_formats(texts: Sequence[str]) -> list[list[str]]:
    """Find the formats that read all texts.

    Args:
        texts: Times of a column, at least one.

    Returns:
        The formats that are needed, at most three; of each the other ways to read the same texts
        (the day first, the month first). Empty if the texts are written in another way.
    """
    unread = pl.Series(list(texts), dtype=pl.String)
    formats = [
        f"{day}{between}{clock}" if clock else day
        for day, clock in product(_DAYS, _CLOCKS)
        for between in (_BETWEEN if clock else ("",))
    ]
    proposals: list[list[str]] = []
    while len(unread) and len(proposals) < _MOST_FORMATS:
        times = {pattern: _plausible(unread, pattern) for pattern in formats}
        most = min(column.null_count() for column in times.values())
        if most == len(unread):
            return []
        best = next(column for column in times.values() if column.null_count() == most)
        readings: dict[str, pl.Series] = {}
        for pattern, column in times.items():
            is_other = not any(map(column.equals, readings.values()))
            if is_other and column.is_null().equals(best.is_null()):
                readings[pattern] = column
        proposals.append(list(readings))
        unread = unread.filter(best.is_null())
    return [] if len(unread) else proposals


def _plausible(texts: pl.Series, pattern: str) -> pl.Series:
    try:
        times = wall_times(texts, pattern).dt.replace_time_zone(None)
    except pl.exceptions.PolarsError:
        return pl.Series([None] * len(texts), dtype=pl.Datetime("us"))
    return times.set(~times.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR), None)
