"""Parses days that are written as numbers: 20220408, 20220408123000, and Excel's 44659.5.

As unix times they would lie in the first days of 1970, or far in the future. A column is read so
only if its numbers, all over the source, are such days.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from plait.data.array_types import Float64Array
from plait.ingest.row_chunk import RawColumn
from plait.ingest.scalar_parsers import UNIX_PATTERN
from plait.ingest.time_formats import numbers_as_texts, wall_times

__all__ = ["NumericReading", "TimeEvidence", "may_be_day", "survey_times", "wall_times_of_numbers"]

NumericReading = Literal["unix", "calendar", "excel"]
"""What the numbers of a column of times count: units since 1970, digits of a date, Excel's days."""

_CALENDAR = r"^(?:19|20)[0-9]{6}(?:[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9})?$"
_WHOLE = r"^([0-9]+)\.0*$"
_COMMA = r"^([0-9]{5}),([0-9]+)$"
_EXCEL = r"^[2-6][0-9]{4}(?:\.[0-9]+)?$"
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]*)?").fullmatch
_EXCEL_FIRST, _EXCEL_LAST = 20_000, 60_000
_EXCEL_1970 = 25_569
_MILLIS_OF_DAY = 86_400_000
_NEARLY_ALL = 0.95
_MOST_DIGITS = 17
_CALENDAR_SCALES = (10**6, 10**8, 10**10, 10**12, 10**15)


class TimeEvidence(NamedTuple):
    """What the numbers of a column of times look like.

    Attributes:
        numbers: How many numbers there are.
        calendar: How many are the digits of a date that exists.
        excel: How many lie in the range of Excel's days.
    """

    numbers: int = 0
    calendar: int = 0
    excel: int = 0

    def __add__(self, other: object) -> TimeEvidence:
        """Add the counts of more rows."""
        if not isinstance(other, TimeEvidence):
            return NotImplemented
        return TimeEvidence(*(count + more for count, more in zip(self, other, strict=True)))

    @property
    def reading(self) -> NumericReading | None:
        """What the numbers count; None if there are none."""
        if not self.numbers:
            return None
        if self.excel == self.numbers:
            return "excel"
        return "calendar" if self.calendar >= _NEARLY_ALL * self.numbers else "unix"


def may_be_day(value: Any) -> bool:
    """Return whether a value is a number that is more likely a day than a unix time.

    Args:
        value: Any value.
    """
    if isinstance(value, str):
        text = value.strip()
        is_number = _NUMBER(text) and len(text) <= _MOST_DIGITS
        value = float(text.replace(",", ".")) if is_number else None
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    is_excel = bool(_EXCEL_FIRST <= value <= _EXCEL_LAST)
    return is_excel or any(19 * scale <= value < 21 * scale for scale in _CALENDAR_SCALES)


def may_hold_excel_days(column: RawColumn) -> bool:
    """Return whether any value of a column has the form of a day of a spreadsheet.

    Args:
        column: N values of any type.
    """
    return bool(_texts(column).str.contains(_EXCEL).any())


def survey_times(column: RawColumn, formats: Sequence[str] = ()) -> TimeEvidence:
    """Look at the numbers of a column of times.

    Args:
        column: N values of any type.
        formats: Strptime formats; what fits one is no number.

    Returns:
        How many there are, and how many of them are days.
    """
    if isinstance(column, pl.Series) and not (
        column.dtype.is_numeric() or column.dtype == pl.String
    ):
        return TimeEvidence()
    texts = _texts(column)
    for pattern in formats:
        texts = texts.filter(wall_times(texts, pattern).is_null())
    numbers = texts.filter(texts.str.contains(UNIX_PATTERN).fill_null(False))
    if not len(numbers):
        return TimeEvidence()
    sample = numbers.head(100)
    if not (sample.str.contains(_CALENDAR).any() or _is_excel_day(sample).any()):
        return TimeEvidence(len(numbers))
    calendar = len(numbers) - _from_calendar(numbers).null_count()
    return TimeEvidence(len(numbers), calendar, int(_is_excel_day(numbers).sum()))


def wall_times_of_numbers(column: RawColumn, reading: NumericReading) -> pl.Series:
    """Convert days that are written as numbers.

    Args:
        column: N values of any type.
        reading: "calendar" or "excel".

    Returns:
        Datetimes in microseconds, [N], null where missing or not such a day.
    """
    texts = _texts(column)
    return _from_calendar(texts) if reading == "calendar" else _from_excel(texts)


def _texts(column: RawColumn) -> pl.Series:
    """The numbers as texts; whole ones without a point, and no decimal comma in days of Excel."""
    return numbers_as_texts(column).str.replace(_WHOLE, "${1}").str.replace(_COMMA, "${1}.${2}")


def _from_calendar(texts: pl.Series) -> pl.Series:
    texts = texts.set(~texts.str.contains(_CALENDAR), None)
    seconds = texts.str.slice(0, 14).str.pad_end(14, "0")
    times = seconds.str.to_datetime("%Y%m%d%H%M%S", strict=False, time_unit="us")
    millis = texts.str.slice(14).cast(pl.Int64, strict=False).fill_null(0)
    return (times.to_physical() + millis * 1000).cast(pl.Datetime("us"))


def _is_excel_day(texts: pl.Series) -> pl.Series:
    numbers = texts.cast(pl.Float64, strict=False)
    return numbers.is_between(_EXCEL_FIRST, _EXCEL_LAST).fill_null(False)


def _from_excel(texts: pl.Series) -> pl.Series:
    """Days since 1899-12-30, rounded to a millisecond: Excel writes few digits of the fraction."""
    days: Float64Array = texts.cast(pl.Float64, strict=False).to_numpy()
    fits = (days >= _EXCEL_FIRST) & (days <= _EXCEL_LAST)
    millis = np.round((np.where(fits, days, 0) - _EXCEL_1970) * _MILLIS_OF_DAY).astype(np.int64)
    times = pl.Series(millis * 1000, dtype=pl.Int64).cast(pl.Datetime("us"))
    return times.set(pl.Series(~fits), None)
