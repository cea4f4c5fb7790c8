"""Small rules over the columns of a row, written in a mapping: `InvoiceNo starts with C`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from plait.errors import MappingError
from plait.ingest.column_synonyms import key_of
from plait.ingest.row_chunk import RowChunk

__all__ = ["Rule", "parse_rule"]

_Test = Callable[[pl.Series, str], pl.Series]


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String, strict=False).str.strip_chars()


def _number(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64, strict=False)


def _equal(column: pl.Series, value: str) -> pl.Series:
    return _text(column) == value


_EMPTY: dict[str, _Test] = {
    "is not empty": lambda column, _: _text(column).fill_null("") != "",
    "is empty": lambda column, _: _text(column).fill_null("") == "",
}
_WITH_VALUE: dict[str, _Test] = {
    "starts with": lambda column, value: _text(column).str.starts_with(value),
    "ends with": lambda column, value: _text(column).str.ends_with(value),
    "contains": lambda column, value: _text(column).str.contains(value, literal=True),
    "is not": lambda column, value: ~_equal(column, value).fill_null(False),
    "is": _equal,
    "<=": lambda column, value: _number(column) <= float(value),
    ">=": lambda column, value: _number(column) >= float(value),
    "!=": lambda column, value: ~_equal(column, value).fill_null(False),
    "==": _equal,
    "<": lambda column, value: _number(column) < float(value),
    ">": lambda column, value: _number(column) > float(value),
    "=": _equal,
}
_NUMERIC = ("<", ">", "<=", ">=")


@dataclass(frozen=True, slots=True)
class Rule:
    """`column operator value`; nothing else, and nothing is run."""

    column: str
    operator: str
    value: str = ""

    def holds(self, chunk: RowChunk) -> pl.Series:
        """For each row whether the rule holds; a missing value fulfils none but `is empty`."""
        test = _EMPTY.get(self.operator) or _WITH_VALUE[self.operator]
        return test(chunk.column(self.column), self.value).fill_null(False)


def parse_rule(text: str, columns: Sequence[str]) -> Rule:
    """A rule over one of `columns`, whose names may hold spaces.

    Raises MappingError if it names no column, no operator or compares with what is no number.
    """
    text = text.strip()
    fitting = [one for one in columns if _begins(text, one)]
    if not fitting:
        raise MappingError(
            f"the rule {text!r} names no column of the file",
            hint=f"columns are {', '.join(columns)}; for example 'Quantity < 0'",
            field=text,
        )
    column = max(fitting, key=len)
    rest = text[len(column) :].strip()
    if rest in _EMPTY:
        return Rule(column, rest)
    for operator in _WITH_VALUE:
        value = rest[len(operator) :].strip().strip("'\"")
        if rest.startswith(operator) and value:
            return Rule(column, operator, _number_in(value, text, operator))
    known = ", ".join([*_WITH_VALUE, *_EMPTY])
    raise MappingError(f"cannot read the rule {text!r}", hint=f"operators are {known}", field=text)


def _begins(text: str, column: str) -> bool:
    rest = text[len(column) :]
    same = key_of(text[: len(column)]) == key_of(column) and bool(column)
    return same and (rest[:1] in tuple(" <>=!"))


def _number_in(value: str, text: str, operator: str) -> str:
    if operator in _NUMERIC:
        try:
            float(value)
        except ValueError as problem:
            message = f"the rule {text!r} compares with {value!r}"
            raise MappingError(message, hint="write a number", field=text) from problem
    return value
