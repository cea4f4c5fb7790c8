"""Evaluates the tree of a filter: one boolean per entry of a catalogue, column by column.

A comparison with a missing value is false, also for `!=` and `not in`; `== null` and `!= null` test
whether a value is missing. `not` negates any expression.

Strings are compared once for each distinct value of a column (`plait.data.encoded_column`), and an
expression that occurs twice is evaluated once. `MAX_WORK` bounds what one filter may cost.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from plait.data.array_types import BoolArray, Float64Array
from plait.data.catalogue import NO_TIME, Catalogue, Column
from plait.errors import FilterError
from plait.ranking.filters.parser import (
    BooleanOp,
    Call,
    Comparison,
    FieldReference,
    Literal,
    Node,
    Not,
    Operand,
)

__all__ = ["MAX_WORK", "evaluate"]

MAX_WORK = 2_000_000
"""Searches in texts, comparisons of texts and distances, times the entries of the catalogue, in one
filter; it takes a tenth of a second."""

FREE_SEARCHES = 16
"""So many of them are allowed in a catalogue of any size."""

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0", ""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARTH_KM = 6371.0088
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_id_columns: WeakKeyDictionary[Catalogue, Column] = WeakKeyDictionary()


def evaluate(node: Node, catalogue: Catalogue) -> BoolArray:
    """Evaluate an expression.

    Args:
        node: The root of its tree.
        catalogue: N entries.

    Returns:
        bool [N]: the entries that match.

    Raises:
        FilterError: The expression does not fit the fields of the catalogue, or has more costly
            parts than `MAX_WORK` allows.
    """
    _check_work(node, len(catalogue))
    return _evaluate(node, catalogue, {})


def _evaluate(node: Node, catalogue: Catalogue, masks: dict[str, BoolArray]) -> BoolArray:
    """Evaluate an expression, once for each of its forms in `masks`; the result is read-only."""
    key = repr(node)
    mask = masks.get(key)
    if mask is None:
        mask = masks[key] = _mask(node, catalogue, masks)
    return mask


def _mask(node: Node, catalogue: Catalogue, masks: dict[str, BoolArray]) -> BoolArray:
    if isinstance(node, BooleanOp):
        combine = np.logical_and if node.operator == "and" else np.logical_or
        result = _evaluate(node.operands[0], catalogue, masks).copy()
        for operand in node.operands[1:]:
            combine(result, _evaluate(operand, catalogue, masks), out=result)
        return result
    if isinstance(node, Not):
        return ~_evaluate(node.inner, catalogue, masks)
    if isinstance(node, Comparison):
        return _comparison(node, catalogue)
    return _truth(node, catalogue)


def _check_work(node: Node, n_entries: int) -> None:
    """FilterError if an expression has too many distinct parts that read a whole column."""
    costly = len(set(map(repr, _costly_parts(node))))
    limit = max(MAX_WORK // max(n_entries, 1), FREE_SEARCHES)
    if costly > limit:
        raise FilterError(
            f"the filter searches texts, orders texts or measures distances {costly} times",
            hint=f"at most {limit} times for {n_entries:,} items; use == and in where you can",
            field="filter",
        )


def _costly_parts(node: Node) -> Iterator[Node]:
    if isinstance(node, BooleanOp):
        for operand in node.operands:
            yield from _costly_parts(operand)
    elif isinstance(node, Not):
        yield from _costly_parts(node.inner)
    elif isinstance(node, Call) or (isinstance(node, Comparison) and _reads_texts(node)):
        yield node


def _reads_texts(node: Comparison) -> bool:
    """Whether a comparison searches or orders strings, computes a distance or reads two columns."""
    operands = (node.left, node.right)
    if node.operator in ("in", "not in"):
        return isinstance(node.right, FieldReference) and not isinstance(node.left, Literal)
    return (
        node.operator == "contains"
        or any(isinstance(operand, Call) for operand in operands)
        or all(isinstance(operand, FieldReference) for operand in operands)
        or (
            node.operator not in ("==", "!=")
            and any(isinstance(o, Literal) and isinstance(o.value, str) for o in operands)
        )
    )


def _truth(node: Operand, catalogue: Catalogue) -> BoolArray:
    """The truth of an operand that is not compared."""
    if isinstance(node, Literal):
        if not isinstance(node.value, bool):
            _refuse(f"{_shown(node)} alone is neither true nor false")
        return np.full(len(catalogue), node.value)
    if isinstance(node, Call):
        if node.name != "contains":
            _refuse("distance must be compared with a number, in kilometres")
        return _contains(node.arguments[0], node.arguments[1], catalogue)
    column = _column(node, catalogue)
    if column.type == "number":
        return _present(column) & np.asarray(column.values != 0, np.bool_)
    if column.type == "set":
        return column.encoded.entries_with(np.ones(len(column.encoded.vocabulary.codes), np.bool_))
    if column.type in ("category", "text"):
        return _strings(column, lambda texts: ~texts.is_in(_FALSE), folded=True)
    return _present(column)


def _comparison(node: Comparison, catalogue: Catalogue) -> BoolArray:
    left, right, symbol = node.left, node.right, node.operator
    if symbol == "contains":
        return _contains(left, right, catalogue)
    if symbol in ("in", "not in"):
        return _inside(left, right, symbol, catalogue)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, symbol = right, left, _FLIPPED[symbol]
    if isinstance(left, Literal):
        _refuse(f"{_shown(left)} {symbol} {_shown(right)} compares no field")
    if isinstance(left, Call) or isinstance(right, Call):
        return _distance(left, symbol, right, catalogue)
    column = _column(left, catalogue)
    if isinstance(right, FieldReference):
        return _two_columns(left, symbol, right, catalogue)
    if isinstance(right.value, tuple):
        _refuse(f"a list can only stand behind `in`, not behind {symbol}")
    return _constant(left.name, column, symbol, right.value)


def _constant(name: str, column: Column, symbol: str, value: Any) -> BoolArray:
    """A field against one constant."""
    if value is None:
        if symbol not in ("==", "!="):
            _refuse(f"null has no order, so it cannot stand behind {symbol}")
        return _present(column) if symbol == "!=" else ~_present(column)
    if column.type == "set" and isinstance(value, str) and symbol in ("==", "!="):
        mask = column.encoded.entries_in([value])
        return mask if symbol == "==" else ~mask & _present(column)
    if column.type in ("set", "place"):
        example = (
            f'"..." in {name}' if column.type == "set" else f"distance({name}, 48.2, 16.4) < 5"
        )
        _refuse(f"{name} is a {column.type}; write {example}")
    if column.type in ("number", "time"):
        if column.type == "time":
            value = _microseconds(name, value)
        elif isinstance(value, str):
            _refuse(f"{name} is a number: compare it with a number, not with {value!r}")
        mask = np.asarray(_COMPARE[symbol](column.values, value))
        is_false_for_nan = column.type == "number" and symbol != "!="
        return mask if is_false_for_nan else mask & _present(column)
    if isinstance(value, bool):
        return _word_truth(name, column, symbol, value)
    if not isinstance(value, str):
        _refuse(f"{name} is a {column.type}: compare it with a text in quotes, not with {value:g}")
    return _string_comparison(column, symbol, value)


def _microseconds(name: str, value: Any) -> int:
    """Microseconds since 1970 of an ISO timestamp; one without a zone is UTC."""
    try:
        timestamp = datetime.fromisoformat(value)
        aware = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1)
    except (TypeError, ValueError, OverflowError):
        _refuse(f'{name} is a time: compare it with one like "2024-05-31", not with {value!r}')


def _word_truth(name: str, column: Column, symbol: str, value: bool) -> BoolArray:
    """A category or text that stands for a boolean."""
    if symbol not in ("==", "!="):
        _refuse(f"{name} {symbol} {str(value).lower()} has no meaning; use == or !=")
    words = _TRUE if value == (symbol == "==") else _FALSE
    return _strings(column, lambda texts: texts.is_in(words), folded=True)


def _string_comparison(column: Column, symbol: str, value: str) -> BoolArray:
    if symbol in ("==", "!="):
        mask = column.encoded.entries_in([value])
        return mask if symbol == "==" else ~mask & _present(column)
    return _strings(column, lambda texts: _COMPARE[symbol](texts, value))


def _two_columns(
    left: FieldReference, symbol: str, right: FieldReference, catalogue: Catalogue
) -> BoolArray:
    """A field against another of the same type."""
    first, second = _column(left, catalogue), _column(right, catalogue)
    strings = ("text", "category", "media")
    is_comparable = first.type == second.type or {first.type, second.type} <= {*strings}
    if not is_comparable or first.type in ("set", "place"):
        _refuse(f"{left.name} ({first.type}) and {right.name} ({second.type}) cannot be compared")
    rows = np.nonzero(_present(first) & _present(second))[0]
    mask = np.zeros(len(catalogue), np.bool_)
    mask[rows] = _COMPARE[symbol](first.values[rows], second.values[rows])
    return mask


def _inside(left: Operand, right: Operand, symbol: str, catalogue: Catalogue) -> BoolArray:
    """`field in [..]`, or `"word" in field`."""
    if isinstance(right, FieldReference):
        mask = _contains(right, left, catalogue)
        return mask if symbol == "in" else ~mask & _present(_column(right, catalogue))
    if not (isinstance(left, FieldReference) and isinstance(right, Literal)):
        _refuse(f"write FIELD {symbol} [values], or value {symbol} FIELD")
    if not isinstance(right.value, tuple):
        _refuse(f"behind `{symbol}` stands a list in brackets or a field, not {_shown(right)}")
    values = right.value
    strings = [value for value in values if isinstance(value, str)]
    column = _column(left, catalogue)
    mask = np.zeros(len(catalogue), np.bool_)
    if left.name == "id" and len(strings) == len(values):
        numbers = catalogue.numbers(strings)
        mask[numbers[numbers >= 0]] = True
    elif column.type in ("set", "category", "text", "media") and len(strings) == len(values):
        mask = column.encoded.entries_in(strings)
    else:
        for value in values:
            mask |= _constant(left.name, column, "==", value)
    return mask if symbol == "in" else ~mask & _present(column)


def _contains(field: Operand, literal: Operand, catalogue: Catalogue) -> BoolArray:
    """A set has a member; a text contains another, regardless of case."""
    if not (
        isinstance(field, FieldReference)
        and isinstance(literal, Literal)
        and isinstance(literal.value, str)
    ):
        _refuse('contains needs a field and a text: contains(title, "mug")')
    column, text = _column(field, catalogue), literal.value
    if column.type == "set":
        return column.encoded.entries_in([text])
    if column.type not in ("text", "category", "media"):
        _refuse(f"{field.name} is a {column.type}, which contains nothing")
    folded = text.casefold()
    return _strings(column, lambda texts: texts.str.contains(folded, literal=True), folded=True)


def _distance(left: Operand, symbol: str, right: Operand, catalogue: Catalogue) -> BoolArray:
    """A distance in kilometres against a number."""
    if isinstance(right, Call):
        left, right, symbol = right, left, _FLIPPED[symbol]
    limit = right.value if isinstance(right, Literal) else None
    if not (isinstance(left, Call) and left.name == "distance" and type(limit) is float):
        _refuse("a function is compared with a number only: distance(place, 48.2, 16.4) < 5")
    field, *numbers = left.arguments
    column = _column(field, catalogue) if isinstance(field, FieldReference) else None
    center = [
        number.value
        for number in numbers
        if isinstance(number, Literal) and type(number.value) is float
    ]
    if column is None or column.type != "place" or len(center) != 2:
        _refuse("distance takes a place field, a latitude and a longitude in degrees")
    mask = _present(column)
    places = np.array([column.values[row] for row in np.nonzero(mask)[0]], float).reshape(-1, 2)
    mask[mask] = _COMPARE[symbol](_kilometres(places, center[0], center[1]), limit)
    return mask


def _kilometres(places: Float64Array, latitude: float, longitude: float) -> Any:
    """Great-circle distances of [N, 2] degrees, by the haversine formula."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 360):
        _refuse(f"{latitude:g}, {longitude:g} is not a latitude and longitude in degrees")
    places, center = np.radians(places), np.radians([latitude, longitude])
    half = np.sin((places - center) / 2) ** 2
    chord = half[:, 0] + np.cos(places[:, 0]) * np.cos(center[0]) * half[:, 1]
    return 2 * _EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))


def _column(field: Operand, catalogue: Catalogue) -> Column:
    if not isinstance(field, FieldReference):
        _refuse(f"{_shown(field)} stands where a field is expected")
    if field.name == "id":
        column = _id_columns.get(catalogue)
        if column is None:
            ids = np.array([*catalogue.ids, None], object)[:-1]
            column = _id_columns[catalogue] = Column("category", ids)
        return column
    if field.name not in catalogue.columns:
        known = ", ".join(["id", *sorted(catalogue.columns)])
        raise FilterError(
            f"no item has a field {field.name!r}", hint=f"fields are {known}", field="filter"
        )
    return catalogue.columns[field.name]


def _present(column: Column) -> BoolArray:
    if column.type == "number":
        return np.asarray(~np.isnan(column.values))
    if column.type == "time":
        return np.asarray(column.values != NO_TIME)
    if column.type == "place":
        return np.array([value is not None for value in column.values], np.bool_)
    return column.encoded.present.copy()


def _strings(
    column: Column, test: Callable[[pl.Series], pl.Series], *, folded: bool = False
) -> BoolArray:
    """Test the distinct strings of a column; false where the value is missing."""
    texts = column.encoded.vocabulary.series(folded=folded)
    return column.encoded.entries_with(test(texts).to_numpy())


def _shown(operand: Operand) -> str:
    if isinstance(operand, Literal):
        return repr(operand.value)
    return operand.name


def _refuse(problem: str) -> NoReturn:
    raise FilterError(
        f"the filter does not fit: {problem}",
        hint='write for example: category == "lamps" and price < 20',
        field="filter",
    )
