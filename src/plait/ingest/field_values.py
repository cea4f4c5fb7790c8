"""The fields of an event as JSON: nested objects flattened, invalid values left out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from plait.ingest.plain_values import MAX_LEVELS, with_escapes
from plait.ingest.rejects import shortened
from plait.ingest.scalar_parsers import EXPECTED, FieldError
from plait.schema.coercion import LATITUDE, LONGITUDE
from plait.schema.missing_words import BLANKS, FIELD_WORDS
from plait.utils.toml_json import is_nested_deeper

__all__ = ["LostField", "fields_json", "is_location", "label_of", "parts_of"]

_JSON_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_MAX_DEPTH = 16
_PLAIN = frozenset((str, int, bool))
_EXPRESSIBLE = "a value that JSON can express: Unicode text, numbers, lists, objects"
_LEVELS = f"at most {MAX_LEVELS} levels of lists and objects"


class LostField(NamedTuple):
    """A field that is left out, because its value is nothing that a field may hold.

    Attributes:
        name: The name of the field.
        value: Its value.
        expected: What was expected.
    """

    name: str
    value: Any
    expected: str


def fields_json(
    fields: Any,
    columns: Iterable[tuple[str, Any]] = (),
    *,
    words: Collection[str] = FIELD_WORDS,
    without: Collection[str] = (),
    lost: list[LostField] | None = None,
) -> str | None:
    """Write the fields of an event as a JSON object with sorted keys.

    Args:
        fields: Names and values: text, finite numbers, truth values, lists, {lat, lon}. Another
            object becomes a field for each of its parts: `{"style": {"size": 3}}` is `style.size`.
            Lists in a list become one list. A field that is None stays null, which in a patch
            clears it.
        columns: More names and values, of the columns of a file; what is None among them is no
            field.
        words: Texts that mean None.
        without: Names of parts of objects that are left out.
        lost: Takes up the fields whose values cannot be stored; without it they are an error.

    Returns:
        The text; None if there are no fields.

    Raises:
        FieldError: If `fields` is no mapping, or a value cannot be stored and there is no `lost`.
    """
    fields = {} if fields is None else fields
    if not isinstance(fields, Mapping):
        raise FieldError(EXPECTED["fields"], "fields")
    flat: dict[str, Any] = {}
    for name, value in columns:
        if type(value) in _PLAIN:  # the usual case; chunks have no words that mean None
            flat[name] = value
        elif value is not None and not _is_refused(name, value, lost):
            parts = _flattened(name, value, words)
            present = ((part, inner) for part, inner in parts if inner is not None)
            _set_fields(flat, present, () if name in without else without, lost)
    for name, value in fields.items():
        if not _is_refused(str(name), value, lost):
            _set_fields(flat, _flattened(str(name), value, words), without, lost)
    try:
        return orjson.dumps(flat, option=_JSON_OPTIONS).decode() if flat else None
    except (TypeError, ValueError) as problem:
        refused: list[LostField] = [] if lost is None else lost
        text = _expressible(flat, refused)
        if lost is None:
            raise FieldError(refused[0].expected, refused[0].name) from problem
        return text


def _expressible(flat: Mapping[str, Any], lost: list[LostField]) -> str | None:
    """The fields that JSON can express; the others are noted."""
    fields: dict[str, Any] = {}
    for name, value in flat.items():
        try:
            orjson.dumps({name: value}, option=_JSON_OPTIONS)
            fields[name] = value
        except (TypeError, ValueError):
            lost.append(LostField(with_escapes(name), with_escapes(shortened(value)), _EXPRESSIBLE))
    return orjson.dumps(fields, option=_JSON_OPTIONS).decode() if fields else None


def _is_refused(name: str, value: Any, lost: list[LostField] | None) -> bool:
    """Whether a value is nested too deep to be looked at; FieldError where that is not noted."""
    if type(value) in _PLAIN or not is_nested_deeper(value, MAX_LEVELS):
        return False
    if lost is None:
        raise FieldError(_LEVELS, name)
    lost.append(LostField(with_escapes(name), shortened(value), _LEVELS))
    return True


def _flattened(
    name: str, value: Any, words: Collection[str], depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """A field, or one for each part of an object that is not {lat, lon}."""
    parts = parts_of(value) if depth < _MAX_DEPTH else None
    if parts is None:
        yield name, _without_words(value, words)
        return
    for label, inner in parts.items():
        yield from _flattened(f"{name}.{label_of(label)}", inner, words, depth + 1)


def _without_words(value: Any, words: Collection[str]) -> Any:
    """The value, None for a word that means so; lists in a list become one list."""
    if type(value) is str:
        return None if value.strip(BLANKS) in words else value
    if type(value) is not list:
        return value
    members: list[Any] = []
    for member in value:
        plain = _without_words(member, words)
        if type(plain) is list:
            members += plain
        elif plain is not None or member is None:
            members.append(plain)
    return members


def label_of(key: Any) -> str:
    """Return the name of a part of an object, as the name of its field ends with it.

    Args:
        key: The key in the object.
    """
    return with_escapes(" ".join(str(key).split()).rstrip(": "))


def parts_of(value: Any) -> Mapping[Any, Any] | None:
    """Return the parts of a value that become fields of their own.

    An object has its entries as parts. A list of {key, value} is an object as well, and any other
    list of objects is an object of lists: `[{"url": "a"}, {"url": "b"}]` is `{"url": ["a", "b"]}`.

    Args:
        value: Any value.

    Returns:
        The parts by name; None for a value that is one field.
    """
    if isinstance(value, Mapping):
        return None if is_location(value) else value
    if not isinstance(value, list | tuple | np.ndarray) or not len(value):
        return None
    entries = [entry for entry in value if entry is not None]
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return None
    if all(entry.keys() == {"key", "value"} for entry in entries):
        return {entry["key"]: _typed_value(entry["value"]) for entry in entries}
    if all(map(is_location, entries)):
        return None
    return _lists_of_parts(entries)


def _lists_of_parts(entries: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    lists: dict[Any, list[Any]] = {}
    for entry in entries:
        for key, value in entry.items():
            if value is not None:
                lists.setdefault(key, []).extend(value if isinstance(value, list) else [value])
    return dict(lists)


def _typed_value(value: Any) -> Any:
    """The value of `{"string_value": "a", "int_value": null}`, as GA4 writes it."""
    if isinstance(value, Mapping) and all(str(key).endswith("_value") for key in value):
        return next((inner for inner in value.values() if inner is not None), None)
    return value


def _set_fields(
    flat: dict[str, Any],
    parts: Iterable[tuple[str, Any]],
    without: Collection[str],
    lost: list[LostField] | None,
) -> None:
    for name, value in parts:
        if name in without:
            continue
        if isinstance(value, set | frozenset):
            flat[name] = sorted(value, key=str)
        elif type(value) is str or _is_finite(value):
            flat[name] = value
        elif lost is None:
            raise FieldError("a finite number", name)
        else:
            lost.append(LostField(name, value, "a finite number"))


def is_location(value: Mapping[Any, Any]) -> bool:
    """Return whether an object is a place: it has a latitude and a longitude.

    Args:
        value: The object.
    """
    return any(map(value.__contains__, LATITUDE)) and any(map(value.__contains__, LONGITUDE))


def _is_finite(value: Any) -> bool:
    """Whether the value, or everything in it, is finite; at most 64 levels are looked at."""
    values = [value]
    for _ in range(64):
        nested: list[Any] = []
        for element in values:
            if isinstance(element, float | np.floating) and not math.isfinite(element):
                return False
            if isinstance(element, list | tuple):
                nested += element
            elif isinstance(element, Mapping):
                nested += element.values()
        if not nested:
            break
        values = nested
    return True
