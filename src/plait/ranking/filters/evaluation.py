"""What a filter's tree means: one truth per entry of a catalogue, computed column by column.

A comparison with a missing value is false, `!=` and `not in` included; only `== null` and `!= null`
look at whether a value is there. `not` turns any truth around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

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

Mask = npt.NDArray[np.bool_]

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


def evaluate(node: Node, catalogue: Catalogue) -> Mask:
    """bool [N]; FilterError where the expression does not fit the catalogue's fields."""
    if isinstance(node, BooleanOp):
        join = np.logical_and if node.operator == "and" else np.logical_or
        return np.asarray(join.reduce([evaluate(part, catalogue) for part in node.parts]))
    if isinstance(node, Not):
        return ~evaluate(node.inner, catalogue)
    if isinstance(node, Comparison):
        return _compare(node, catalogue)
    return _truth(node, catalogue)


def _truth(node: Operand, catalogue: Catalogue) -> Mask:
    """An operand that stands alone."""
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
        return np.array([bool(one) for one in column.values], np.bool_)
    if column.type in ("category", "text"):
        return _each(column, lambda value: value.casefold() not in _FALSE)
    return _present(column)


def _compare(node: Comparison, catalogue: Catalogue) -> Mask:
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
        return _far(left, operator, right, catalogue)
    column = _column(left, catalogue)
    if isinstance(right, FieldReference):
        return _columns(left, operator, right, catalogue)
    if isinstance(right.value, tuple):
        _refuse(f"a list can only stand behind `in`, not behind {operator}")
    return _constant(left.name, column, operator, right.value)


def _constant(name: str, column: Column, operator: str, value: Any) -> Mask:
    """A field against one constant."""
    if value is None:
        if operator not in ("==", "!="):
            _refuse(f"null has no order, so it cannot stand behind {operator}")
        return _present(column) if operator == "!=" else ~_present(column)
    if column.type == "set" and isinstance(value, str) and operator in ("==", "!="):
        return _each(column, lambda one: (value in one) == (operator == "=="))
    if column.type in ("set", "place"):
        way = f'"..." in {name}' if column.type == "set" else f"distance({name}, 48.2, 16.4) < 5"
        _refuse(f"{name} is a {column.type}; write {way}")
    if column.type in ("number", "time"):
        wanted = _number(name, value) if column.type == "number" else _moment(name, value)
        return np.asarray(_present(column) & _NUMPY[operator](column.values, wanted))
    if isinstance(value, bool):
        return _word_truth(name, column, operator, value)
    if not isinstance(value, str):
        _refuse(f"{name} is a {column.type}: compare it with a text in quotes, not with {value:g}")
    return _ordered(column, operator, value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, str):
        _refuse(f"{name} is a number: compare it with a number, not with {value!r}")
    return float(value)


def _moment(name: str, value: Any) -> int:
    """Microseconds since 1970 of an ISO time; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(value)
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1)
    except (TypeError, ValueError, OverflowError):
        _refuse(f'{name} is a time: compare it with one like "2024-05-31", not with {value!r}')


def _word_truth(name: str, column: Column, operator: str, value: bool) -> Mask:
    """A category that says yes or no."""
    if operator not in ("==", "!="):
        _refuse(f"{name} {operator} {str(value).lower()} has no meaning; use == or !=")
    words = _TRUE if value == (operator == "==") else _FALSE
    return _each(column, lambda one: one.casefold() in words)


def _ordered(column: Column, operator: str, value: str) -> Mask:
    if operator in ("==", "!="):
        return np.asarray(_NUMPY[operator](column.values, value), np.bool_) & _present(column)
    order = _NUMPY[operator]
    return _each(column, lambda one: order(0, (one < value) - (one > value)))


def _columns(
    left: FieldReference, operator: str, right: FieldReference, catalogue: Catalogue
) -> Mask:
    """One field against another of the same kind."""
    one, two = _column(left, catalogue), _column(right, catalogue)
    words = ("text", "category", "media")
    alike = one.type == two.type or (one.type in words and two.type in words)
    if not alike or one.type in ("set", "place"):
        _refuse(f"{left.name} ({one.type}) and {right.name} ({two.type}) cannot be compared")
    both = np.nonzero(_present(one) & _present(two))[0]
    mask = np.zeros(len(catalogue), np.bool_)
    mask[both] = _NUMPY[operator](one.values[both], two.values[both])
    return mask


def _inside(left: Operand, right: Operand, operator: str, catalogue: Catalogue) -> Mask:
    """`field in [..]`, or `"word" in field`."""
    if isinstance(right, FieldReference):
        found = _contains(right, left, catalogue)
        return found if operator == "in" else ~found & _present(_column(right, catalogue))
    if not (isinstance(left, FieldReference) and isinstance(right, Literal)):
        _refuse(f"write FIELD {operator} [values], or value {operator} FIELD")
    if not isinstance(right.value, tuple):
        _refuse(f"behind `{operator}` stands a list in brackets or a field, not {_shown(right)}")
    values = right.value
    column = _column(left, catalogue)
    if left.name == "id" and all(isinstance(one, str) for one in values):
        found = _ids(catalogue, [str(one) for one in values])
    else:
        parts = [_constant(left.name, column, "==", one) for one in values]
        found = np.logical_or.reduce([np.zeros(len(catalogue), np.bool_), *parts])
    return found if operator == "in" else ~found & _present(column)


def _ids(catalogue: Catalogue, wanted: Iterable[str]) -> Mask:
    mask = np.zeros(len(catalogue), np.bool_)
    numbers = catalogue.numbers(wanted)
    mask[numbers[numbers >= 0]] = True
    return mask


def _contains(where: Operand, what: Operand, catalogue: Catalogue) -> Mask:
    """A set holds an entry; a text holds another, whatever the case."""
    if not (
        isinstance(where, FieldReference)
        and isinstance(what, Literal)
        and isinstance(what.value, str)
    ):
        _refuse('contains needs a field and a text: contains(title, "mug")')
    column, part = _column(where, catalogue), what.value
    if column.type == "set":
        return _each(column, lambda value: part in value)
    if column.type not in ("text", "category", "media"):
        _refuse(f"{where.name} is a {column.type}, which contains nothing")
    folded = part.casefold()
    return _each(column, lambda value: folded in value.casefold())


def _far(left: Operand, operator: str, right: Operand, catalogue: Catalogue) -> Mask:
    """A distance in kilometres against a number."""
    if isinstance(right, Call):
        left, right, operator = right, left, _FLIPPED[operator]
    limit = right.value if isinstance(right, Literal) else None
    if not (isinstance(left, Call) and left.name == "distance" and type(limit) is float):
        _refuse("a function is compared with a number only: distance(place, 48.2, 16.4) < 5")
    field, *numbers = left.arguments
    column = _column(field, catalogue) if isinstance(field, FieldReference) else None
    middle = [one.value for one in numbers if isinstance(one, Literal) and type(one.value) is float]
    if column is None or column.type != "place" or len(middle) != 2:
        _refuse("distance takes a place field, a latitude and a longitude in degrees")
    there = _present(column)
    mask = np.zeros(len(catalogue), np.bool_)
    places = np.array([column.values[one] for one in np.nonzero(there)[0]], float).reshape(-1, 2)
    mask[there] = _NUMPY[operator](_kilometres(places, middle[0], middle[1]), limit)
    return mask


def _kilometres(places: npt.NDArray[np.float64], latitude: float, longitude: float) -> Any:
    """Great-circle distances of [N, 2] degrees, by the haversine formula."""
    if not (abs(latitude) <= 90 and abs(longitude) <= 360):
        _refuse(f"{latitude:g}, {longitude:g} is no latitude and longitude in degrees")
    there, here = np.radians(places), np.radians([latitude, longitude])
    half = np.sin((there - here) / 2) ** 2
    chord = half[:, 0] + np.cos(there[:, 0]) * np.cos(here[0]) * half[:, 1]
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


def _present(column: Column) -> Mask:
    if column.type == "number":
        return np.asarray(~np.isnan(column.values))
    if column.type == "time":
        return np.asarray(column.values != NO_TIME)
    return np.array([one is not None for one in column.values], np.bool_)


def _each(column: Column, test: Callable[[Any], bool]) -> Mask:
    """`test` of every value, false where there is none."""
    return np.array([one is not None and bool(test(one)) for one in column.values], np.bool_)


def _shown(operand: Operand) -> str:
    if isinstance(operand, Literal):
        return repr(operand.value)
    return operand.name


def _refuse(what: str) -> NoReturn:
    raise FilterError(
        f"the filter does not fit: {what}",
        hint='write for example: category == "lamps" and price < 20',
        field="filter",
    )
