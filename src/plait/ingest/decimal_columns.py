"""Parses columns of amounts after deciding which sign separates their decimals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from plait.ingest.row_chunk import RawColumn
from plait.ingest.scalar_parsers import NUMBER_PATTERN
from plait.utils.number_texts import (
    Decimal,
    DecimalEvidence,
    parse_number_text,
    survey_numbers,
    unambiguous_number,
)

__all__ = ["number_parser", "plain_numbers", "survey_decimals"]

_EITHER = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_SAMPLE = 200


def survey_decimals(column: RawColumn) -> DecimalEvidence:
    """Look at the texts of a column.

    Args:
        column: N values of any type.

    Returns:
        What they say about the separator of decimals. A column that is mostly no numbers is not
        counted to its end.
    """
    texts = _texts(column)
    if not len(texts):
        return DecimalEvidence()
    is_plain = texts.str.contains(NUMBER_PATTERN)
    plain, others = texts.filter(is_plain), texts.filter(~is_plain)
    either = int(plain.str.contains(_EITHER).sum())
    dot = int(plain.str.contains(".", literal=True).sum()) - either
    example = plain.filter(plain.str.contains(_EITHER))[0] if either else ""
    evidence = DecimalEvidence(
        0, dot, either, len(plain) - dot - either, len(others), example=example
    )
    if not len(others):
        return evidence
    sample = survey_numbers(others.head(_SAMPLE).to_list())
    if sample.others * 2 > min(len(others), _SAMPLE) and len(others) > len(plain):
        return evidence
    return survey_numbers(others.to_list()) + evidence._replace(others=0)


def number_parser(decimal: Decimal | None) -> Callable[[str], float | None]:
    """Return the rule that reads the texts of a column.

    Args:
        decimal: What separates its decimals; None: only texts with one meaning are read.

    Returns:
        A function of a text, which returns None for what is no number.
    """
    if decimal is None:
        return unambiguous_number
    return lambda text: parse_number_text(text, decimal)


def plain_numbers(values: list[Any], decimal: Decimal | None) -> list[Any]:
    """Convert the texts among the values of a column to numbers.

    Args:
        values: N values.
        decimal: What separates decimals, see `number_parser`.

    Returns:
        The values; a text that a program reads as the same number, or that is none, stays.
    """
    parse = number_parser(decimal)
    texts = pl.Series([value for value in values if type(value) is str], dtype=pl.String).unique()
    odd = ~texts.str.contains(NUMBER_PATTERN)
    if decimal == ",":
        odd = odd | texts.str.contains(_EITHER)
    numbers = {text: parse(text) for text in texts.filter(odd)}
    numbers = {text: number for text, number in numbers.items() if number is not None}
    if not numbers:
        return values
    return [numbers.get(value, value) if type(value) is str else value for value in values]


def _texts(column: RawColumn) -> pl.Series:
    """The texts of a column that are not blank."""
    if not isinstance(column, pl.Series):
        column = pl.Series([v if type(v) is str else None for v in column], dtype=pl.String)
    elif column.dtype != pl.String:
        return pl.Series([], dtype=pl.String)
    texts = column.drop_nulls().str.strip_chars()
    return texts.filter(texts != "")
