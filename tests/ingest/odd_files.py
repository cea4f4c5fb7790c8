"""Odd ways in which the same log is written: encodings, quotes, ends, dates, ids and gaps.

A quirk never changes what the rows mean, so every file and frame made here gives the same events.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from plait.ingest.byte_sources import zstd_module

HEADER = ("user", "item", "time", "kind", "rating", "note")


# -- values: (name, how it is written), the same for every entry point

TIMES = {
    "iso-z": lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso-space": lambda time: time.strftime("%Y-%m-%d %H:%M:%S"),
    "iso-zone": lambda time: time.astimezone(dt.timezone(dt.timedelta(hours=9))).isoformat(),
    "utc-word": lambda time: time.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "slashes": lambda time: time.strftime("%Y/%m/%d %H:%M:%S"),
    "basic": lambda time: time.strftime("%Y%m%dT%H%M%S"),
    "seconds": lambda time: int(time.timestamp()),
    "milliseconds": lambda time: int(time.timestamp()) * 1000,
    "microseconds": lambda time: int(time.timestamp()) * 10**6,
    "nanoseconds": lambda time: int(time.timestamp()) * 10**9,
    "seconds-point": lambda time: float(int(time.timestamp())),
}
GAPS = ("", "NA", "NaN", "nan", "None", "<NA>", "null", "NULL", "\\N", "NaT", "#N/A", "N/A", " NA ")
PADS = ("", " ", "\t", "\u00a0", "\ufeff", "\u200b", "\u00ad", "\u3000", "\u2060 ")
NUMBERS = {
    "int": int,
    "float": float,
    "text": str,
    "point": lambda number: f"{number}.0",
    "decimal": Decimal,
    "decimal-point": lambda number: Decimal(number).quantize(Decimal("0.00")),
    "numpy": np.int64,
    "numpy-float": np.float64,
}
"""Ids that are whole numbers. "point" is only for files of text, where no type says what it is."""


# -- delimited files

SEPARATORS = (",", ";", "\t", "|", "::")
ENDS = ("\n", "\r\n", "\r", "\r\r\n", "mixed")
EXTRA_LINES = ("none", "no-end", "blank-between", "blank-first", "sep-line")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "utf-16-le")
DECLARED = ("cp1252", "utf-16-le")
PACKS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": lambda data: zstd_module().compress(data),
    "two-members": lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:]),
}


def by_the_book(cells, separator):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(cells)
    return text.getvalue().removesuffix("\n")


def all_quoted(cells, separator):
    return separator.join('"' + cell.replace('"', '""') + '"' for cell in cells)


def backslashes(cells, separator):
    return separator.join('"' + cell.replace('"', '\\"') + '"' for cell in cells)


def not_doubled(cells, separator):
    return separator.join(f'"{cell}"' for cell in cells)


def blank_before_quotes(cells, separator):
    return f"{separator} ".join('"' + cell.replace('"', '""') + '"' for cell in cells)


def single_quotes(cells, separator):
    return separator.join("'" + cell.replace("'", "''") + "'" for cell in cells)


def spreadsheet(cells, separator):
    first, *others = cells
    if '"' in first or separator in first or first in HEADER:
        return all_quoted(cells, separator)
    return separator.join([f'="{first}"', *('"' + c.replace('"', '""') + '"' for c in others)])


QUOTES = {
    writer.__name__: writer
    for writer in (
        by_the_book,
        all_quoted,
        backslashes,
        not_doubled,
        blank_before_quotes,
        single_quotes,
        spreadsheet,
    )
}


def is_unclear(cell, separator):
    """Whether quotes that are not doubled could be read in two ways."""
    return '""' in cell or cell.endswith('"') or bool(re.search(f'" *{re.escape(separator)}', cell))


@dataclass(frozen=True)
class Layout:
    """How a delimited file is written."""

    separator: str = ","
    quotes: str = "by_the_book"
    end: str = "\n"
    lines: str = "none"
    encoding: str = "utf-8"
    pack: str = "plain"

    @property
    def mapping(self):
        return {"encoding": self.encoding} if self.encoding in DECLARED else None


def delimited(table, layout):
    """The bytes of a file with these rows of texts."""
    separator = layout.separator
    writer = QUOTES[layout.quotes]
    unclear = any(is_unclear(cell, separator) for cells in table for cell in cells)
    if writer is not_doubled and unclear:
        writer = all_quoted
    if separator == "::":
        writer = all_quoted if writer is by_the_book else writer
        table = [[cell.replace("::", ":") for cell in cells] for cells in table]
    lines = [writer(cells, separator) for cells in table]
    if layout.lines == "blank-between":
        lines = [line for pair in zip(lines, [""] * len(lines), strict=True) for line in pair]
    elif layout.lines == "blank-first":
        lines = ["", *lines]
    elif layout.lines == "sep-line" and separator != "::":
        lines = [f"sep={separator}", *lines]
    ends = ["\n", "\r\n", "\r"] if layout.end == "mixed" else [layout.end]
    text = "".join(line + ends[index % len(ends)] for index, line in enumerate(lines))
    if layout.lines == "no-end":
        text = text.rstrip("\r\n")
    return PACKS[layout.pack](text.encode(layout.encoding))


# -- JSON files


def plain_json(rows):
    return "\n".join(json.dumps(row) for row in rows)


def unescaped_json(rows):
    return "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def old_mac_json(rows):
    return "\r".join(json.dumps(row) for row in rows)


def json_array(rows):
    return json.dumps(rows, indent=1)


def python_notation(rows):
    return "\n".join(map(repr, rows))


def python_array(rows):
    return repr(rows)


JSON_FILES = {
    writer.__name__: writer
    for writer in (
        plain_json,
        unescaped_json,
        old_mac_json,
        json_array,
        python_notation,
        python_array,
    )
}


# -- columns of frames; each function takes texts (None for a gap)


def pandas_columns():
    """Ways in which pandas holds texts."""
    import pandas as pd
    import pyarrow as pa

    return {
        "object": lambda texts: pd.Series(texts, dtype=object),
        "str": pd.Series,
        "string": lambda texts: pd.array(texts, dtype="string"),
        "category": pd.Categorical,
        "arrow": lambda texts: pd.array(texts, dtype=pd.ArrowDtype(pa.string())),
        "large-arrow": lambda texts: pd.array(texts, dtype=pd.ArrowDtype(pa.large_string())),
        "bytes": lambda texts: pd.Series([t and t.encode() for t in texts], dtype=object),
        "numpy-str": lambda texts: pd.Series([t and np.str_(t) for t in texts], dtype=object),
    }


POLARS_COLUMNS = {
    "string": lambda texts: pl.Series(texts, dtype=pl.String),
    "categorical": lambda texts: pl.Series(texts, dtype=pl.Categorical),
    "enum": lambda texts: pl.Series(texts, dtype=pl.Enum(sorted({*texts} - {None}))),
    "binary": lambda texts: pl.Series([text and text.encode() for text in texts], dtype=pl.Binary),
    "object": lambda texts: pl.Series(texts, dtype=pl.Object),
}


def pandas_times():
    """Ways in which pandas holds moments."""
    import pandas as pd
    import pyarrow as pa

    def arrow(unit, zone):
        return lambda times: pd.array(times, dtype=pd.ArrowDtype(pa.timestamp(unit, zone)))

    return {
        "zoned": lambda times: pd.to_datetime(times, utc=True),
        "tokyo": lambda times: pd.to_datetime(times, utc=True).tz_convert("Asia/Tokyo"),
        "naive": lambda times: pd.to_datetime(times, utc=True).tz_localize(None),
        "object": lambda times: pd.Series(times, dtype=object),
        "arrow-us": arrow("us", "UTC"),
        "arrow-ms": arrow("ms", "Europe/London"),
    }


POLARS_TIMES = {
    f"{unit}-{zone}": lambda times, unit=unit, zone=zone: (
        pl.Series(times, dtype=pl.Datetime("us", "UTC"))
        .dt.convert_time_zone(zone)
        .dt.cast_time_unit(unit)
    )
    for unit in ("ms", "us", "ns")
    for zone in ("UTC", "America/New_York")
}
