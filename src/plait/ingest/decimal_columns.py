"""Parses columns of amounts after deciding which sign separates their decimals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from plait.ingest.plain_values import is_unicode
from plait.ingest.row_chunk import RawColumn
from plait.ingest.scalar_parsers import NUMBER_PATTERN
from plait.utils.number_texts import (
    Decimal,
    DecimalEvidence,
    parse_number_text,
    survey_numbers,
    unambiguous_number,
)

__all__ = ["currencies_in", "number_parser", "plain_numbers", "survey_decimals"]

_EITHER = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_CURRENCY = r"(?:\p{L}{0,3}\p{Sc}|\b\p{L}{2,4}\b\.?)"
_SAME_CURRENCY = {"EUR": "€", "EURO": "€", "USD": "$", "US$": "$", "GBP": "£", "BRL": "R$"}
_SAME_CURRENCY |= {"SFR": "CHF", "FR": "CHF", "JPY": "¥", "CNY": "¥", "RMB": "¥"}
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


def currencies_in(column: RawColumn) -> list[str]:
    """List the signs and codes of currencies in a column.

    Args:
        column: N values of any type.

    Returns:
        The signs and codes, each once, sorted.
    """
    texts = _texts(column)
    marks = texts.filter(texts.str.contains(r"[0-9]")).str.extract_all(_CURRENCY).explode()
    names = (mark.upper().rstrip(".") for mark in marks.drop_nulls().unique().to_list())
    return sorted({_SAME_CURRENCY.get(name, name) for name in names})


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
    texts = _texts_of_values(values).drop_nulls().unique()
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
        column = _texts_of_values(column)
    elif column.dtype != pl.String:
        return pl.Series([], dtype=pl.String)
    texts = column.drop_nulls().str.strip_chars()
    return texts.filter(texts != "")


def _texts_of_values(values: Sequence[Any]) -> pl.Series:
    """The texts among Python values, String [N]; lone surrogates are in none that is a number."""
    texts = [value if type(value) is str and is_unicode(value) else None for value in values]
    return pl.Series(texts, dtype=pl.String)
