"""What a setting can be: said where a config declares it, checked before a stage does anything."""

from __future__ import annotations

import dataclasses
from collections import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from math import inf
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from plait.errors import InputError

__all__ = ["KEY", "Limit", "bounded_field", "check", "limit_of"]

KEY = "limit"
"""Under what the metadata of a field holds its limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Numbers of `least` and more, or `above`; up to `most`, or `below`. None: as far as may be."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def contains(self, value: Any) -> bool:
        """Whether a number lies in it."""
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        low = "" if self.least is None else f"{self.least:,}"
        low = low if self.above is None else f"above {self.above:,}"
        high = "" if self.most is None else f"{self.most:,}"
        high = high if self.below is None else f"below {self.below:,}"
        if low and high:
            return f"{low} to {high}"
        if low:
            return low if self.above is not None else f"{low} or more"
        return high if self.below is not None or not high else f"at most {high}"


def bounded_field(default: Any, limit: Limit) -> Any:
    """Declares a field of a config whose number, or each of them, lies within `limit`.

    `plait.pipeline.search_space.tunable` takes a limit too.
    """
    return dataclasses.field(default=default, metadata={KEY: limit})


def limit_of(field: dataclasses.Field[Any]) -> Limit:
    """The limit that a field of a config was declared with; any number, where there is none."""
    found = field.metadata.get(KEY)
    return found if isinstance(found, Limit) else Limit()


def check(config: Any, where: str = "") -> None:
    """Raise InputError for the first setting of a config, or of a table in it, that cannot be.

    Types are those that the dataclass declares; a number is finite and no yes or no. `where`: what
    stands before the names of the fields, the stage's name.
    """
    for place, value, wanted in _within(config, where):
        raise InputError(f"{place} is {value!r}, not {wanted}", field=place)


Wrong = tuple[str, Any, str]
"""A setting's place, its value, and what was expected."""


def _within(config: Any, where: str) -> Iterator[Wrong]:
    hints = _hints(type(config))
    for one in dataclasses.fields(config):
        place = f"{where}.{one.name}" if where else one.name
        value = getattr(config, one.name)
        yield from _wrong(value, hints.get(one.name, Any), limit_of(one), place)


def _hints(config: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(config)
    except NameError:  # a class made within a function may name what nobody else can see
        return {}


def _wrong(value: Any, hint: Any, limit: Limit, place: str) -> Iterator[Wrong]:
    """What is wrong with a value that was declared as `hint`; what is not known here is not."""
    origin = get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, hint):  # type: ignore[arg-type]
        yield from _within(value, place)
    elif origin in (Union, UnionType):
        yield from _wrong_for_all(value, get_args(hint), limit, place)
    elif origin is tuple and isinstance(value, tuple | list):
        kinds = get_args(hint)
        for one, kind in zip(value, repeat(kinds[0]) if ... in kinds else kinds, strict=False):
            yield from _wrong(one, kind, limit, place)
    elif origin is abc.Mapping and isinstance(value, Mapping):
        for key, one in value.items():
            yield from _wrong(one, get_args(hint)[1], limit, f"{place}.{key}")
    else:
        wanted = _wanted(value, hint, limit)
        if wanted:
            yield place, value, wanted


def _wrong_for_all(value: Any, hints: Any, limit: Limit, place: str) -> Iterator[Wrong]:
    """What is wrong where one of several kinds is meant."""
    if value is None and NoneType in hints:
        return
    tried = [list(_wrong(value, one, limit, place)) for one in hints if one is not NoneType]
    if all(tried):  # what is wrong within a table says more than that it is no text
        yield max((one[0] for one in tried), key=lambda one: len(one[0]))


def _wanted(value: Any, hint: Any, limit: Limit) -> str:
    """What was meant by a field declared as `hint`, "" if the value is that."""
    if hint in (int, float):
        return _wanted_number(value, limit, whole=hint is int)
    if hint is str:
        return "" if isinstance(value, str) else "a text"
    if hint is bool:
        return "" if isinstance(value, bool | np.bool_) else "true or false"
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return "" if value in words else " or ".join(repr(one) for one in words)
    if dataclasses.is_dataclass(hint):
        return f"of the type {hint.__name__}"  # type: ignore[union-attr]
    return {tuple: "a list", abc.Mapping: "a table"}.get(get_origin(hint), "")


def _wanted_number(value: Any, limit: Limit, *, whole: bool) -> str:
    number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if number and abs(value) < inf:  # NaN is not, either
        return "" if limit.contains(value) else str(limit)
    more = f" ({limit})" if str(limit) else ""
    return f"a {'whole' if whole else 'finite'} number{more}"
