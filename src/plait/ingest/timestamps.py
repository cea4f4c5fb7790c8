"""A column of times to microseconds since 1970 UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl

from plait.errors import MappingError
from plait.utils.timestamps import DAY, EARLIEST

__all__ = ["DAY", "EARLIEST", "EXPECTED", "check_timezone", "micros_of", "now_micros"]

EXPECTED = (
    "a time from 1900 to a day from now: ISO 8601, unix seconds, milliseconds, ...,"
    " or what a mapping gives as time_format"
)

_HOURS = 3 * 3_600_000_000
_NUMBER = r"^[+-]?\d+(\.\d*)?$"
_ISO = (
    r"^(\d{4}[-/]\d\d[-/]\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?([.,]\d{1,9})?)?"
    r"\s*([A-Za-z]+|[+-]\d\d:?(?:\d\d)?)?$"
)
_PLAIN = "%Y-%m-%d %H:%M:%S"


def now_micros() -> int:
    """The time now in microseconds since 1970."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def check_timezone(name: str) -> None:
    """Raises MappingError if this is no time zone, such as Europe/London."""
    try:
        pl.Series([0]).cast(pl.Datetime("us")).dt.replace_time_zone(name or "UTC")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as problem:
        hint = "names are like Europe/London, America/New_York, UTC"
        message = f"there is no time zone {name!r}"
        raise MappingError(message, hint=hint, field="timezone") from problem


def micros_of(
    column: pl.Series, *, timezone: str = "", pattern: str = "", now: int
) -> tuple[pl.Series, pl.Series]:
    """Times as Int64 [N], null where missing or not to be believed, and a mask of the latter.

    Without a zone of its own a time is read in `timezone` (UTC if empty). One that a clock change
    skipped is read with the offset before the change, one that it repeats as the first of the two.
    `pattern` is a strptime format where times are written neither as ISO 8601 nor as a unix number.
    """
    if column.dtype == pl.String:
        texts = column.str.strip_chars()
        texts = texts.set(texts == "", None)
        found, given = _of_texts(texts, timezone or "UTC", pattern), texts.is_not_null()
    else:
        found, given = _of_values(column, timezone or "UTC"), column.is_not_null()
    believed = found.is_between(EARLIEST, now + DAY).fill_null(False)
    if believed.all():
        return found, given & False
    return found.set(~believed, None), given & ~believed


def _of_values(column: pl.Series, zone: str) -> pl.Series:
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        times = column.dt.cast_time_unit("us")
        if kind.time_zone is not None:
            return times.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_physical()
        return _in_zone(times, zone)
    if kind == pl.Date:
        return _in_zone(column.cast(pl.Datetime("us"), strict=False), zone)
    if kind.is_numeric():
        return _of_numbers(column)
    return pl.Series(column.name, [None] * len(column), pl.Int64)


def _of_numbers(column: pl.Series) -> pl.Series:
    """Unix times in the unit that their size tells, see `plait.schema.coercion.micros`."""
    if not column.dtype.is_integer():
        column = column.cast(pl.Float64)
        column = column.set(~column.is_finite(), None)
        column = column.set(column.abs() > 9e18, None)
    else:
        column = column.cast(pl.Int64, strict=False)
    size = column.abs()
    one = pl.col("n")
    unit = (
        pl.when(pl.col("size") < 10**11)
        .then(one * 1_000_000)
        .when(pl.col("size") < 10**14)
        .then(one * 1000)
        .when(pl.col("size") < 10**17)
        .then(one)
        .otherwise(one // 1000)
    )
    found = pl.DataFrame({"n": column, "size": size}).select(unit).to_series()
    return found if found.dtype == pl.Int64 else found.round().cast(pl.Int64, strict=False)


def _of_texts(texts: pl.Series, zone: str, pattern: str) -> pl.Series:
    if pattern:
        return _by_pattern(texts, zone, pattern)
    plain = texts.str.to_datetime(_PLAIN, strict=False, time_unit="us", exact=True)
    if plain.null_count() == texts.null_count():
        return _in_zone(plain, zone)
    numeric = texts.str.contains(_NUMBER).fill_null(False)
    if numeric.all():
        return _of_numbers(_as_numbers(texts))
    found = _of_iso(texts.set(numeric, None), zone)
    if numeric.any():
        found = found.zip_with(~numeric, _of_numbers(_as_numbers(texts.set(~numeric, None))))
    return found


def _as_numbers(texts: pl.Series) -> pl.Series:
    """Integers where all are: a float would lose microseconds."""
    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == texts.null_count():
        return whole
    return texts.cast(pl.Float64, strict=False)


def _by_pattern(texts: pl.Series, zone: str, pattern: str) -> pl.Series:
    try:
        found = texts.str.to_datetime(pattern, strict=False, time_unit="us")
    except pl.exceptions.PolarsError:
        try:
            found = texts.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
        except pl.exceptions.PolarsError as problem:
            message = f"the time format {pattern!r} cannot be read"
            hint = "strptime's letters: %Y-%m-%d %H:%M:%S"
            raise MappingError(message, hint=hint, field="time_format") from problem
    kind: Any = found.dtype
    if kind.time_zone is not None:
        return found.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_physical()
    return _in_zone(found, zone)


def _of_iso(texts: pl.Series, zone: str) -> pl.Series:
    """ISO 8601 in its parts: day, hour and minute, second, fraction, zone."""
    parts = texts.str.extract_groups(_ISO).struct.unnest()
    day, clock, second, fraction, offset = (parts.to_series(at) for at in range(5))
    written = pl.select(
        pl.concat_str(
            day.str.replace_all("/", "-", literal=True),
            pl.lit(" "),
            clock.fill_null("00:00"),
            second.fill_null(":00"),
        )
    ).to_series()
    times = written.str.to_datetime(_PLAIN, strict=False, time_unit="us", exact=True)
    if fraction.null_count() < len(fraction):
        digits = fraction.str.slice(1).str.pad_end(6, "0").str.slice(0, 6)
        more = digits.cast(pl.Int64, strict=False).fill_null(0)
        times = (times.to_physical() + more).cast(pl.Datetime("us"))
    zoned = offset.is_not_null()
    if not zoned.any():
        return _in_zone(times, zone)
    away = _offsets(offset)
    absolute = times.to_physical() - away
    return absolute.zip_with(zoned, _in_zone(times.set(zoned, None), zone))


def _offsets(offset: pl.Series) -> pl.Series:
    """Microseconds ahead of UTC; null for letters other than Z, UTC and GMT."""
    upper = offset.str.to_uppercase()
    named = upper.is_in(["Z", "UTC", "GMT"])
    digits = upper.str.replace(":", "", literal=True).str.pad_end(5, "0")
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False)
    ahead = (hours * 60 + minutes) * 60_000_000
    signed = ahead.zip_with(digits.str.starts_with("+"), -ahead)
    signed = signed.set((hours > 15) | (minutes > 59), None)
    return signed.set(named, 0)


def _in_zone(times: pl.Series, zone: str) -> pl.Series:
    """Wall-clock times of a zone as microseconds UTC."""
    if zone == "UTC":
        return times.to_physical()

    def read(walls: pl.Series) -> pl.Series:
        zoned = walls.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        return zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None).to_physical()

    found = read(times)
    if found.null_count() > times.null_count():  # skipped by a clock change: go by what was before
        earlier = (times.to_physical() - _HOURS).cast(pl.Datetime("us"))
        found = found.zip_with(found.is_not_null(), read(earlier) + _HOURS)
    return found
