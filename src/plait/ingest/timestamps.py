"""Parses a column of times to microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from plait.errors import MappingError
from plait.ingest.column_parsers import ParsedColumn
from plait.ingest.numeric_dates import NumericReading, wall_times_of_numbers
from plait.ingest.plain_values import is_unicode
from plait.ingest.row_chunk import RawColumn
from plait.ingest.scalar_parsers import UNIX_PATTERN, FieldError, wall_time
from plait.ingest.time_formats import numbers_as_texts, wall_times
from plait.schema.event_bounds import EARLIEST_TIME, MAX_CLOCK_SKEW
from plait.schema.missing_words import BLANKS

__all__ = ["any_times", "check_timezone", "now_micros", "parse_times"]

_THREE_HOURS = 3 * 3_600_000_000
_UNMISTAKABLE = 10**8 * 1_000_000
"""From 1973 on, a number beside dates of other forms can be taken for a unix time."""
_USUAL_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|\+00:00)?$"
)
"""The times that are parsed as a column; all others are parsed one by one."""


def now_micros() -> int:
    """Return the current time in microseconds since 1970 UTC."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def check_timezone(name: str) -> None:
    """Check the name of a time zone.

    Args:
        name: A name such as Europe/London; "" is UTC.

    Raises:
        MappingError: If there is no such time zone.
    """
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name or "UTC")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as problem:
        hint = "names are like Europe/London, America/New_York, UTC"
        message = f"unknown time zone {name!r}"
        raise MappingError(message, hint=hint, field="timezone") from problem


def parse_times(
    column: RawColumn,
    timezone: str,
    formats: Sequence[str],
    now: int,
    reading: NumericReading = "unix",
) -> ParsedColumn:
    """Parse a column of times, as `plait.ingest.scalar_parsers.parse_time` does.

    A wall-clock time that a clock change skipped is read with the offset before the change, one
    that it repeats as the first of the two.

    Args:
        column: N values of any type.
        timezone: The zone of times that name none; "" is UTC.
        formats: Strptime formats, tried in this order before ISO 8601 and unix numbers.
        now: The current time in microseconds since 1970 UTC.
        reading: What numbers count where there are no formats.

    Returns:
        Microseconds since 1970 UTC, Int64 [N], and which values are no plausible times.
    """
    times, present = any_times(column, timezone, formats, reading)
    plausible = times.is_between(EARLIEST_TIME, now + MAX_CLOCK_SKEW).fill_null(False)
    if plausible.all():
        return ParsedColumn(times, present & False)
    return ParsedColumn(times.set(~plausible, None), present & ~plausible)


def any_times(
    column: RawColumn,
    timezone: str,
    formats: Sequence[str],
    reading: NumericReading = "unix",
) -> tuple[pl.Series, pl.Series]:
    """Parse a column of times of any age.

    Args:
        column: N values of any type.
        timezone: The zone of times that name none; "" is UTC.
        formats: Strptime formats, tried in this order before ISO 8601 and unix numbers.
        reading: What numbers count where there are no formats.

    Returns:
        Microseconds since 1970 UTC, Int64 [N], and which values are there, bool [N].
    """
    zone = timezone or "UTC"
    times, present = _in_units(column, zone)
    if formats or reading != "unix":
        # a small number is more likely something else than a unix time
        is_number = numbers_as_texts(column).str.contains(UNIX_PATTERN).fill_null(False)
        times = times.set(is_number & (times.abs() < _UNMISTAKABLE).fill_null(True), None)
    if reading != "unix":
        days = _to_utc(wall_times_of_numbers(column, reading), zone)
        times = days.zip_with(days.is_not_null(), times)
    return (_in_formats(column, times, zone, formats) if formats else times), present


def _in_units(column: RawColumn, zone: str) -> tuple[pl.Series, pl.Series]:
    """Times in ISO 8601 and unix numbers, and which values are there."""
    if not isinstance(column, pl.Series):
        strings = [v if isinstance(v, str) and is_unicode(v) else None for v in column]
        texts = pl.Series(strings, dtype=pl.String)
        others = [None if isinstance(v, str) else v for v in column]
        times, present = _from_texts(texts, zone)
        times = times.zip_with(texts.is_not_null(), _from_objects(others, zone))
        return times, present | pl.Series([v is not None for v in others], dtype=pl.Boolean)
    if column.dtype == pl.String:
        return _from_texts(column, zone)
    return _from_typed(column, zone), column.is_not_null()


def _in_formats(
    column: RawColumn, times: pl.Series, zone: str, formats: Sequence[str]
) -> pl.Series:
    """Times in one of the formats; what has none of them keeps the time that it has without."""
    texts = numbers_as_texts(column)
    for pattern in reversed(formats):
        parsed = _to_utc(wall_times(texts, pattern), zone)
        times = parsed.zip_with(parsed.is_not_null(), times)
    return times


def _from_typed(column: pl.Series, zone: str) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        return _to_utc(column.dt.cast_time_unit("us"), zone)
    if dtype == pl.Date:
        return _to_utc(column.cast(pl.Datetime("us"), strict=False), zone)
    if dtype.is_numeric():
        return _from_unix(column)
    return pl.Series(column.name, [None] * len(column), pl.Int64)


def _from_objects(values: list[Any], zone: str) -> pl.Series:
    """Python values one by one; the vectorised rules do not know all that Python can parse."""
    times: list[int | None] = []
    walls: list[int | None] = []
    for value in values:
        try:
            parsed = wall_time(value)
        except FieldError:
            parsed = None
        time, zoned = parsed or (None, True)
        fits = time is not None and -(1 << 63) <= time < 1 << 63
        times.append(time if zoned and fits else None)
        walls.append(None if zoned or not fits else time)
    absolute = pl.Series(times, dtype=pl.Int64)
    local = pl.Series(walls, dtype=pl.Int64).cast(pl.Datetime("us"))
    return absolute.zip_with(local.is_null(), _to_utc(local, zone))


def _from_unix(column: pl.Series) -> pl.Series:
    """Unix times in the unit that their size tells, see `plait.utils.timestamps`."""
    if column.dtype.is_integer():
        column = column.cast(pl.Int64, strict=False)
    else:
        column = column.cast(pl.Float64)
        column = column.set(~column.is_finite(), None)
        column = column.set(column.abs() > 9e18, None)
    number, size = pl.col("number"), pl.col("number").abs()
    micros = (
        pl.when(size < 10**11)
        .then(number * 1_000_000)
        .when(size < 10**14)
        .then(number * 1000)
        .when(size < 10**17)
        .then(number)
        .otherwise(number // 1000)
    )
    times = pl.DataFrame({"number": column}).select(micros).to_series()
    return times if times.dtype == pl.Int64 else times.round().cast(pl.Int64, strict=False)


def _from_texts(column: pl.Series, zone: str) -> tuple[pl.Series, pl.Series]:
    """The times, and which texts are not blank."""
    texts = column.str.strip_chars(BLANKS)
    texts = texts.set(texts == "", None)
    present = texts.is_not_null()
    usual = texts.str.contains(_USUAL_PATTERN).fill_null(False)
    times = _from_usual(texts.set(~usual, None), zone)
    numeric = texts.str.contains(UNIX_PATTERN).fill_null(False)
    if numeric.any():
        times = times.zip_with(~numeric, _from_numeric_texts(texts.set(~numeric, None)))
    missed = times.is_null() & present
    if missed.any():
        unusual = texts.filter(missed).unique()
        known = dict(zip(unusual, _from_objects(unusual.to_list(), zone), strict=True))
        parsed = pl.Series([known[text] for text in texts.filter(missed)], dtype=pl.Int64)
        times = times.scatter(missed.arg_true(), parsed)
    return times, present


def _from_usual(texts: pl.Series, zone: str) -> pl.Series:
    """Texts that match `_USUAL_PATTERN`."""
    zoned = texts.str.contains(r"Z|\+")
    plain = texts.str.replace("T", " ", literal=True).str.replace(r"Z$|\+00:00$", "")
    times = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    if zone == "UTC" or not zoned.any():
        return _to_utc(times, zone)
    return times.to_physical().zip_with(zoned, _to_utc(times.set(zoned, None), zone))


def _from_numeric_texts(texts: pl.Series) -> pl.Series:
    """Whole numbers as integers: as floats they would lose microseconds."""
    integers = texts.cast(pl.Int64, strict=False)
    if integers.null_count() == texts.null_count():
        return _from_unix(integers)
    floats = texts.set(~texts.str.contains(".", literal=True), None).cast(pl.Float64, strict=False)
    return _from_unix(integers).zip_with(integers.is_not_null(), _from_unix(floats))


def _to_utc(times: pl.Series, zone: str) -> pl.Series:
    """Times as microseconds UTC; those without a zone are wall-clock times of `zone`."""
    dtype: Any = times.dtype
    if dtype.time_zone is not None:
        return times.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_physical()
    if zone == "UTC":
        return times.to_physical()

    def localise(walls: pl.Series) -> pl.Series:
        zoned = walls.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_physical()

    utc = localise(times)
    if utc.null_count() > times.null_count():  # skipped by a clock change: use the offset before it
        earlier = (times.to_physical() - _THREE_HOURS).cast(pl.Datetime("us"))
        utc = utc.zip_with(utc.is_not_null(), localise(earlier) + _THREE_HOURS)
    return utc
