"""Parses times in the strptime formats of a mapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from plait.errors import MappingError
from plait.ingest.plain_values import is_unicode
from plait.ingest.row_chunk import RawColumn

__all__ = ["check_time_formats", "has_separator", "numbers_as_texts", "wall_times"]

_DAY = re.compile(r"%[-_0]?[dejDFxsc+vu]")
_MONTH = re.compile(r"%[-_0]?[mbBhjDFxsc+vV]")
_LETTER = re.compile(r"%[-_0]?[A-Za-z+]|%\.?[369]?f")
_EXAMPLE = datetime(2024, 3, 5, 13, 45, 6, tzinfo=UTC)
_FRACTION = re.compile(r"\.%f")


def check_time_formats(formats: Sequence[str]) -> None:
    """Check that strptime formats can be read.

    Args:
        formats: The formats.

    Raises:
        MappingError: If one cannot.
    """
    for pattern in formats:
        try:
            text = pl.Series([_EXAMPLE]).dt.strftime(_FRACTION.sub("%.f", pattern))
            is_read = wall_times(text, pattern).dt.year().to_list() == [_EXAMPLE.year]
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
            is_read = False
        if not is_read:
            message = f"the time format {pattern!r} cannot be read"
            hint = "strptime's letters, with a year: %Y-%m-%d %H:%M:%S"
            raise MappingError(message, hint=hint, field="time_format")


def has_separator(pattern: str) -> bool:
    """Return whether a format holds more than digits, so that no code can be mistaken for a time.

    Args:
        pattern: A strptime format.
    """
    return bool(_LETTER.sub("", pattern).strip())


def numbers_as_texts(column: RawColumn) -> pl.Series:
    """Write the values of a column as texts: whole numbers without a point.

    Args:
        column: N values of any type.

    Returns:
        Texts [N] without blanks around them, null where there is neither text nor number.
    """
    if isinstance(column, pl.Series):
        if column.dtype.is_float():
            whole = column.floor() == column
            texts = column.cast(pl.Int64, strict=False).cast(pl.String)
            texts = texts.zip_with(whole.fill_null(False), column.cast(pl.String))
        elif column.dtype.is_numeric() or column.dtype == pl.String:
            texts = column.cast(pl.String)
        else:
            texts = pl.Series([None] * len(column), dtype=pl.String)
    else:
        texts = pl.Series([_text(value) for value in column], dtype=pl.String)
    texts = texts.str.strip_chars()
    return texts.set(texts == "", None)


def wall_times(texts: pl.Series, pattern: str) -> pl.Series:
    """Parse texts with a strptime format; what the format leaves open is the first of its kind.

    Args:
        texts: N texts.
        pattern: The format.

    Returns:
        Datetimes in microseconds [N], with a zone if the format has one; null where it does not
        fit.
    """
    pattern = _FRACTION.sub("%.f", pattern)
    if not _DAY.search(pattern):
        texts, pattern = texts + " 01", pattern + " %d"
        if not _MONTH.search(pattern):
            texts, pattern = texts + " 01", pattern + " %m"
    try:
        return texts.str.to_datetime(pattern, strict=False, time_unit="us")
    except pl.exceptions.PolarsError:  # a format without a clock
        return texts.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))


def _text(value: Any) -> str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
    text = str(value) if is_number else None
    return text if text is None or is_unicode(text) else None
