"""Rules over the columns of a row, written in a mapping: `InvoiceNo starts with C`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from plait.errors import MappingError
from plait.ingest.column_parsers import parse_numbers
from plait.ingest.column_synonyms import normalized_name
from plait.ingest.row_chunk import RowChunk

__all__ = ["Rule", "parse_rule"]

_Test = Callable[[pl.Series, str], pl.Series]


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String, strict=False).str.strip_chars()


def _number(column: pl.Series) -> pl.Series:
    return parse_numbers(column).values


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
    """A comparison of a column with a value; it is parsed, never evaluated as code.

    Attributes:
        column: The name of the column.
        operator: A key of the tables of operators in this module.
        value: What is compared with; "" where the operator needs nothing.
    """

    column: str
    operator: str
    value: str = ""

    def holds(self, chunk: RowChunk) -> pl.Series:
        """Find the rows that fulfil the rule; a missing value fulfils none but `is empty`.

        Args:
            chunk: N rows.

        Returns:
            Bool [N].
        """
        test = _EMPTY.get(self.operator) or _WITH_VALUE[self.operator]
        return test(chunk.column(self.column), self.value).fill_null(False)


def parse_rule(text: str, columns: Sequence[str]) -> Rule:
    """Parse a rule.

    Args:
        text: The rule: a column, an operator and perhaps a value.
        columns: The columns of the file, whose names may hold spaces.

    Returns:
        The rule.

    Raises:
        MappingError: If the rule names no column, no operator, or compares with something that is
            not a number.
    """
    text = text.strip()
    candidates = [column for column in columns if _begins_with(text, column)]
    if not candidates:
        raise MappingError(
            f"the rule {text!r} does not begin with a column of the file",
            hint=f"columns are {', '.join(columns)}; for example 'Quantity < 0'",
            field=text,
        )
    column = max(candidates, key=len)
    condition = text[len(column) :].strip()
    if condition in _EMPTY:
        return Rule(column, condition)
    for operator in _WITH_VALUE:
        value = condition[len(operator) :].strip().strip("'\"")
        if condition.startswith(operator) and value:
            if operator in _NUMERIC:
                _require_number(value, text)
            return Rule(column, operator, value)
    known = ", ".join([*_WITH_VALUE, *_EMPTY])
    raise MappingError(f"cannot read the rule {text!r}", hint=f"operators are {known}", field=text)


def _begins_with(text: str, column: str) -> bool:
    length = len(column)
    same = normalized_name(text[:length]) == normalized_name(column) and bool(column)
    return same and text[length : length + 1] in tuple(" <>=!")


def _require_number(value: str, rule: str) -> None:
    try:
        float(value)
    except ValueError as problem:
        message = f"the rule {rule!r} compares with {value!r}"
        raise MappingError(message, hint="write a number", field=rule) from problem
