r"""Lines whose quotes do not follow RFC 4180: `"The \"Old\" Hand"`, `"Ann "AJ" Ray"`, `"a", "b"`.

Each function reads one record and returns None where its rule does not lead to one. A value that
begins and ends with the quote never keeps it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

__all__ = ["has_blank_before_quote", "read_escaped", "read_outer_quotes", "split_and_unquote"]


def has_blank_before_quote(values: Iterable[str], quote: str) -> bool:
    """Return whether a value is quoted behind a space, as those of `"a", "b"` are.

    Args:
        values: Values of a record that was read by the book.
        quote: What quotes values.
    """
    return any(value[:1] == " " and value.lstrip(" ")[:1] == quote for value in values)


def read_escaped(
    record: str, separator: str, quote: str, escape: str, *, bare: bool = False
) -> list[str] | None:
    r"""Read a record in which a sign stands before quotes inside quoted values: `\"`.

    The sign is dropped before a quote and before itself; elsewhere it is a character like any
    other, as in `C:\temp`. A doubled quote is a quote as well.

    Args:
        record: The record, perhaps of several lines.
        separator: One character.
        quote: What quotes values.
        escape: The sign, one character.
        bare: Whether it also stands before separators and quotes in values without quotes.

    Returns:
        The values; None if a quoted value does not end or is followed by something else.
    """
    quoted, plain = _patterns(separator, quote, escape, bare)
    values: list[str] = []
    position = 0
    while position <= len(record):
        match = quoted.match(record, position)
        if match:
            values.append(_unescape(match[1].replace(quote * 2, quote), quote, escape))
        else:
            match = plain.match(record, position)
            if match is None or match[0].lstrip(" ")[:1] == quote:
                return None
            values.append(_unescape(match[0], quote + separator, escape) if bare else match[0])
        position = match.end() + 1
    return values


@cache
def _patterns(
    separator: str, quote: str, escape: str, bare: bool
) -> tuple[re.Pattern[str], re.Pattern[str]]:
    end, mark, sign = (re.escape(character) for character in (separator, quote, escape))
    inside = rf"(?:[^{mark}{sign}]++|{sign}.|{mark}{mark})*+"
    quoted = rf" *{mark}({inside}){mark} *(?={end}|\Z)"
    plain = rf"(?:[^{end}{sign}]++|{sign}.)*+(?={end}|\Z)" if bare else rf"[^{end}]*+"
    return re.compile(quoted, re.DOTALL), re.compile(plain, re.DOTALL)


def _unescape(text: str, characters: str, escape: str) -> str:
    if escape not in text:
        return text
    sign = re.escape(escape)
    return re.sub(rf"{sign}([{re.escape(characters + escape)}])", r"\1", text)


def read_outer_quotes(record: str, separator: str, quote: str) -> list[str] | None:
    """Read a line in which quotes inside quoted values are not doubled: `"Ann "AJ" Ray"`.

    A quoted value ends with the first quote before a separator or the end of the line.

    Args:
        record: The line.
        separator: One character.
        quote: What quotes values.

    Returns:
        The values; None if a value begins with a quote and none ends it.
    """
    values: list[str] = []
    position = 0
    end_of_value = re.compile(rf"{re.escape(quote)} *(?={re.escape(separator)}|\Z)")
    while position <= len(record):
        start = len(record) - len(record[position:].lstrip(" "))
        if record.startswith(quote, start):
            match = end_of_value.search(record, start + len(quote))
            if match is None:
                return None
            values.append(_inside(record[start + len(quote) : match.start()], quote))
            position = match.end() + 1
        else:
            stop = record.find(separator, position)
            stop = len(record) if stop < 0 else stop
            values.append(record[position:stop])
            position = stop + 1
    return values


def split_and_unquote(record: str, separator: str, quote: str) -> list[str]:
    """Split a line at each separator; a value that begins and ends with the quote loses it.

    Args:
        record: The line.
        separator: One character.
        quote: What quotes values; "" if nothing does.

    Returns:
        The values.
    """
    values = record.split(separator)
    if not quote or quote not in record:
        return values
    return [_unquote(value, quote) for value in values]


def _unquote(value: str, quote: str) -> str:
    stripped = value.strip(" ")
    if len(stripped) > 1 and stripped.startswith(quote) and stripped.endswith(quote):
        return _inside(stripped[1:-1], quote)
    return value


def _inside(text: str, quote: str) -> str:
    r"""The text between two quotes: `""` and `\"` are quotes."""
    return text.replace(quote * 2, quote).replace("\\" + quote, quote)
