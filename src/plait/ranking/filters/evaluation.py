"""Evaluates the tree of a filter: one boolean per entry of a catalogue, column by column.

A comparison with a missing value is false, also for `!=` and `not in`; `== null` and `!= null` test
whether a value is missing. `not` negates any expression.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import numpy as np

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

__all__ = ["evaluate"]

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0", ""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARTH_KM = 6371.0088
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NUMPY: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def evaluate(node: Node, catalogue: Catalogue) -> BoolArray:
    """Evaluate an expression.

    Args:
        node: The root of its tree.
        catalogue: N entries.

    Returns:
        bool [N]: the entries that match.

    Raises:
        FilterError: The expression does not fit the fields of the catalogue.
    """
    if isinstance(node, BooleanOp):
        combine = np.logical_and if node.operator == "and" else np.logical_or
        operands = [evaluate(operand, catalogue) for operand in node.operands]
        return np.asarray(combine.reduce(operands))
    if isinstance(node, Not):
        return ~evaluate(node.inner, catalogue)
    if isinstance(node, Comparison):
        return _comparison(node, catalogue)
    return _truth(node, catalogue)


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
        return np.array([bool(value) for value in column.values], np.bool_)
    if column.type in ("category", "text"):
        return _each(column, lambda value: value.casefold() not in _FALSE)
    return _present(column)


def _comparison(node: Comparison, catalogue: Catalogue) -> BoolArray:
    left, right, operator = node.left, node.right, node.operator
    if operator == "contains":
        return _contains(left, right, catalogue)
    if operator in ("in", "not in"):
        return _inside(left, right, operator, catalogue)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, operator = right, left, _FLIPPED[operator]
    if isinstance(left, Literal):
        _refuse(f"{_shown(left)} {operator} {_shown(right)} compares no field")
    if isinstance(left, Call) or isinstance(right, Call):
        return _distance(left, operator, right, catalogue)
    column = _column(left, catalogue)
    if isinstance(right, FieldReference):
        return _two_columns(left, operator, right, catalogue)
    if isinstance(right.value, tuple):
        _refuse(f"a list can only stand behind `in`, not behind {operator}")
    return _constant(left.name, column, operator, right.value)


def _constant(name: str, column: Column, operator: str, value: Any) -> BoolArray:
    """A field against one constant."""
    if value is None:
        if operator not in ("==", "!="):
            _refuse(f"null has no order, so it cannot stand behind {operator}")
        return _present(column) if operator == "!=" else ~_present(column)
    if column.type == "set" and isinstance(value, str) and operator in ("==", "!="):
        return _each(column, lambda members: (value in members) == (operator == "=="))
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
        return np.asarray(_present(column) & _NUMPY[operator](column.values, value))
    if isinstance(value, bool):
        return _word_truth(name, column, operator, value)
    if not isinstance(value, str):
        _refuse(f"{name} is a {column.type}: compare it with a text in quotes, not with {value:g}")
    return _string_comparison(column, operator, value)


def _microseconds(name: str, value: Any) -> int:
    """Microseconds since 1970 of an ISO timestamp; one without a zone is UTC."""
    try:
        timestamp = datetime.fromisoformat(value)
        aware = timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1)
    except (TypeError, ValueError, OverflowError):
        _refuse(f'{name} is a time: compare it with one like "2024-05-31", not with {value!r}')


def _word_truth(name: str, column: Column, operator: str, value: bool) -> BoolArray:
    """A category or text that stands for a boolean."""
    if operator not in ("==", "!="):
        _refuse(f"{name} {operator} {str(value).lower()} has no meaning; use == or !=")
    words = _TRUE if value == (operator == "==") else _FALSE
    return _each(column, lambda value: value.casefold() in words)


def _string_comparison(column: Column, operator: str, value: str) -> BoolArray:
    if operator in ("==", "!="):
        return np.asarray(_NUMPY[operator](column.values, value), np.bool_) & _present(column)
    order = _NUMPY[operator]
    return _each(column, lambda own: order(0, (own < value) - (own > value)))


def _two_columns(
    left: FieldReference, operator: str, right: FieldReference, catalogue: Catalogue
) -> BoolArray:
    """A field against another of the same type."""
    first, second = _column(left, catalogue), _column(right, catalogue)
    strings = ("text", "category", "media")
    is_comparable = first.type == second.type or {first.type, second.type} <= {*strings}
    if not is_comparable or first.type in ("set", "place"):
        _refuse(f"{left.name} ({first.type}) and {right.name} ({second.type}) cannot be compared")
    rows = np.nonzero(_present(first) & _present(second))[0]
    mask = np.zeros(len(catalogue), np.bool_)
    mask[rows] = _NUMPY[operator](first.values[rows], second.values[rows])
    return mask


def _inside(left: Operand, right: Operand, operator: str, catalogue: Catalogue) -> BoolArray:
    """`field in [..]`, or `"word" in field`."""
    if isinstance(right, FieldReference):
        mask = _contains(right, left, catalogue)
        return mask if operator == "in" else ~mask & _present(_column(right, catalogue))
    if not (isinstance(left, FieldReference) and isinstance(right, Literal)):
        _refuse(f"write FIELD {operator} [values], or value {operator} FIELD")
    if not isinstance(right.value, tuple):
        _refuse(f"behind `{operator}` stands a list in brackets or a field, not {_shown(right)}")
    values = right.value
    column = _column(left, catalogue)
    mask = np.zeros(len(catalogue), np.bool_)
    if left.name == "id" and all(isinstance(value, str) for value in values):
        numbers = catalogue.numbers(str(value) for value in values)
        mask[numbers[numbers >= 0]] = True
    else:
        for value in values:
            mask |= _constant(left.name, column, "==", value)
    return mask if operator == "in" else ~mask & _present(column)


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
        return _each(column, lambda value: text in value)
    if column.type not in ("text", "category", "media"):
        _refuse(f"{field.name} is a {column.type}, which contains nothing")
    folded = text.casefold()
    return _each(column, lambda value: folded in value.casefold())


def _distance(left: Operand, operator: str, right: Operand, catalogue: Catalogue) -> BoolArray:
    """A distance in kilometres against a number."""
    if isinstance(right, Call):
        left, right, operator = right, left, _FLIPPED[operator]
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
    mask[mask] = _NUMPY[operator](_kilometres(places, center[0], center[1]), limit)
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
        return Column("category", np.array([*catalogue.ids, None], object)[:-1])
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
    return np.array([value is not None for value in column.values], np.bool_)


def _each(column: Column, test: Callable[[Any], bool]) -> BoolArray:
    """The test of every value; false where it is missing."""
    return np.array([value is not None and bool(test(value)) for value in column.values], np.bool_)


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
