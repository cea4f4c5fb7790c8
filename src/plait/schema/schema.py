"""The types of fields: inferred from the first values, stored, changed only on request.

A value that does not fit the stored type is drift: its row is stored without it, the type stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import orjson

from plait.data.catalogue import FIELD_TYPES, FieldType
from plait.data.types import Event
from plait.errors import ConflictError, InputError
from plait.schema.coercion import COERCE
from plait.schema.inference import infer_type
from plait.schema.retyping import as_type, is_stored_as
from plait.utils.html_text import plain_text

__all__ = [
    "ENTITIES",
    "EVENT_TYPES",
    "MAX_FIELDS",
    "MAX_NAME",
    "Admission",
    "FieldProblem",
    "FieldReader",
    "Schema",
]

ENTITIES = ("item", "user", "interaction", "impression")
"""The entities that may have typed fields."""

EVENT_TYPES = "kind"
"""What stands for an entity where an event type is retired."""

MAX_FIELDS = 1000
"""The most fields of an entity: more are a mistake, such as ids used as names."""

MAX_NAME = 200
"""The longest name of a field, in characters."""

_Key = tuple[str, str]
_Coercers = Mapping[str, Mapping[str, Callable[[Any], Any]]]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A field whose value does not fit its type.

    Attributes:
        index: The index of the event in its batch.
        field: The name of the field.
        value: Its value.
        expected: What was expected.
    """

    index: int
    field: str
    value: Any
    expected: str

    @property
    def error(self) -> str:
        """The problem as a sentence."""
        text = repr(self.value)
        return f"expected {self.expected}, got {text if len(text) <= 200 else text[:200] + '...'}"


class Admission(NamedTuple):
    """The outcome of checking the fields of N events.

    Attributes:
        schema: The types, with those of new fields.
        events: For each event its canonical form, [N]; what is wrong where its fields are no JSON
            object.
        lost: The fields that were left out because their values do not fit, by event.
    """

    schema: Schema
    events: list[Event | FieldProblem]
    lost: list[FieldProblem]


@dataclass(frozen=True, slots=True)
class Schema:
    """The types of all fields; immutable.

    Attributes:
        types: The types by (entity, field name).
        retired: The fields, by (entity, field name), that are no longer used, and the event types,
            as ("kind", name).
    """

    types: Mapping[_Key, FieldType] = field(default_factory=dict)
    retired: frozenset[_Key] = frozenset()
    _coerce: _Coercers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        coerce: dict[str, dict[str, Callable[[Any], Any]]] = {entity: {} for entity in ENTITIES}
        for (entity, name), kind in self.types.items():
            coerce[entity][name] = COERCE[kind]
        object.__setattr__(self, "types", MappingProxyType(dict(self.types)))
        object.__setattr__(self, "_coerce", coerce)

    def declare(self, entity: str, types: Mapping[str, str]) -> Schema:
        """Return a schema with more types.

        Args:
            entity: One of `ENTITIES`.
            types: The types by field name, from a column mapping.

        Returns:
            The schema with all types.

        Raises:
            ConflictError: If a field is stored as another type.
            InputError: For an unknown entity or type, a name that a field cannot have, or too
                many fields.
        """
        if entity not in ENTITIES:
            hint = f"one of {', '.join(ENTITIES)}"
            raise InputError(f"{entity!r} cannot have fields", hint=hint)
        for name, kind in types.items():
            self._check_declared(entity, name, kind)
        new = {(entity, name): cast(FieldType, kind) for name, kind in types.items()}
        declared = Schema({**self.types, **new}, self.retired)
        count = len(declared._coerce[entity])
        if count > MAX_FIELDS:
            raise InputError(
                f"{entity}s would get {count:,} fields",
                hint=f"at most {MAX_FIELDS:,}: leave columns out of the mapping",
            )
        return declared

    def _check_declared(self, entity: str, name: str, kind: str) -> None:
        if kind not in FIELD_TYPES:
            hint = f"a type is one of {', '.join(FIELD_TYPES)}"
            raise InputError(f"{kind!r} is not a field type", hint=hint, field=name)
        if not _is_field_name(name):
            hint = f"a name has 1 to {MAX_NAME} printable characters"
            raise InputError(f"{name[:MAX_NAME]!r} cannot be the name of a field", hint=hint)
        if (entity, name) in self.retired:
            hint = "plait schema restore takes that back; or give the column another field name"
            raise ConflictError(f"the field {name!r} was retired", hint=hint, field=name)
        stored = self.types.get((entity, name), kind)
        if stored != kind:
            raise ConflictError(
                f"the field {name!r} of {entity}s is stored as {stored}, not {kind}",
                hint="give the column another field name in the mapping",
                field=name,
            )

    def admit(self, events: Sequence[Event]) -> Admission:
        """Convert the fields of events to their canonical form, and learn the types of new fields.

        A new field gets its type from all its values in the batch. Canonical are: sorted keys,
        finite numbers, times as integer microseconds UTC, sets as lists of strings, places as
        [latitude, longitude]. null fits every type and is kept. A value that does not fit costs
        the field, not the event.

        Args:
            events: The events; triples and erasures pass unchanged.

        Returns:
            The schema with the new types (self if there are none), the canonical events, and what
            was left out of them.
        """
        admission = Admission(self, list(events), [])
        with_fields = [
            index
            for index, event in enumerate(events)
            if event.fields is not None and event.record_type in ENTITIES
        ]
        schema = self
        for index in with_fields:
            event = events[index]
            result = _convert(event, index, schema._coerce[event.record_type])
            if result is None and schema is self:  # a new field: now all events vote on its type
                schema = self.learn([events[voter] for voter in with_fields])
                result = _convert(event, index, schema._coerce[event.record_type])
            if result is None:
                result, lost = _without_misfits(
                    event, index, schema._coerce[event.record_type], self.retired
                )
                admission.lost.extend(lost)
            admission.events[index] = result
        return admission._replace(schema=schema)

    def learn(self, events: Sequence[Event]) -> Schema:
        """Infer a type for every new field that has a value in these events.

        Args:
            events: The events, with fields.

        Returns:
            The schema with the new types.
        """
        values_by_key: dict[_Key, list[Any]] = {}
        for event in events:
            known = self._coerce[event.record_type]
            for name, value in (_parse(event) or {}).items():
                if name not in known and (event.record_type, name) not in self.retired:
                    values_by_key.setdefault((event.record_type, name), []).append(value)
        types = dict(self.types)
        counts = Counter(entity for entity, _ in types)
        for key in sorted(values_by_key):
            entity, name = key
            kind = infer_type(name, values_by_key[key])
            if kind is not None and counts[entity] < MAX_FIELDS and _is_field_name(name):
                types[key] = kind
                counts[entity] += 1
        return Schema(types, self.retired)


def _is_field_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def _parse(event: Event) -> dict[str, Any] | None:
    try:
        fields = orjson.loads(event.fields or "")
    except ValueError:
        return None
    return fields if type(fields) is dict else None


def _convert(
    event: Event, index: int, coerce: Mapping[str, Callable[[Any], Any]]
) -> Event | FieldProblem | None:
    """The event in canonical form; None: a field has no type yet, or its value does not fit."""
    fields = _parse(event)
    if fields is None:
        return FieldProblem(index, "fields", event.fields, "a JSON object")
    try:
        for name, value in fields.items():
            fields[name] = coerce[name](value) if value or not _is_empty(value) else None
    except (KeyError, ValueError):
        return None
    return _with_fields(event, fields)


def _with_fields(event: Event, fields: Mapping[str, Any]) -> Event:
    text = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return event if text == event.fields else Event._make((*event[:-1], text))


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _without_misfits(
    event: Event, index: int, coerce: Mapping[str, Callable[[Any], Any]], retired: Collection[_Key]
) -> tuple[Event, list[FieldProblem]]:
    """The event without the fields that do not fit, and what is wrong with these."""
    fields: dict[str, Any] = {}
    lost: list[FieldProblem] = []
    for name, value in (_parse(event) or {}).items():
        is_empty = _is_empty(value)
        if not is_empty and name not in coerce:
            is_retired = (event.record_type, name) in retired
            expected = f"no {name!r}, which was retired" if is_retired else _expected(name, value)
            lost.append(FieldProblem(index, name[:MAX_NAME], value, expected))
            continue
        try:
            fields[name] = None if is_empty else coerce[name](value)
        except ValueError as problem:
            lost.append(FieldProblem(index, name, value, str(problem)))
    return _with_fields(event, fields), lost


def _expected(name: str, value: Any) -> str:
    """What was expected of a field that could not be given a type."""
    if not _is_field_name(name):
        return f"a field name of 1 to {MAX_NAME} printable characters"
    if isinstance(value, dict):
        return "text, a number, a list or {lat, lon}"
    return f"one of the {MAX_FIELDS} fields there are"


class FieldReader:
    """Parses the stored fields of an entity to what `plait.data.catalogue.Column` holds.

    Args:
        entity: Whose fields they are, one of `ENTITIES`.
        types: The types by (entity, field name).
        is_read: Whether a field of this name is read; None: all are.

    Attributes:
        types: The types of the fields that are read, by name.
    """

    def __init__(
        self,
        entity: str,
        types: Mapping[tuple[str, str], FieldType],
        is_read: Callable[[str], bool] | None = None,
    ) -> None:
        self.types = {
            name: kind
            for (owner, name), kind in types.items()
            if owner == entity and (is_read is None or is_read(name))
        }
        self._parts: dict[str, list[str]] = {}
        for name in self.types:
            for end in (index for index, sign in enumerate(name) if sign == "."):
                self._parts.setdefault(name[:end], []).append(name)

    def read(self, fields: str | None) -> dict[str, Any]:
        """Parse the fields of one event.

        Args:
            fields: The text of canonical fields, or None.

        Returns:
            The values by field name: sets as tuples of strings, places as pairs of floats, texts
            without HTML and without blanks around them, null as None. Fields without a type (which
            never had a value) are left out. Null for an object is null for each of its parts that
            the event does not name.
        """
        values: dict[str, Any] = {}
        for name, value in orjson.loads(fields).items() if fields and self.types else ():
            kind = self.types.get(name)
            if value is None:
                for part in self._parts.get(name, ()):
                    values.setdefault(part, None)
            if kind is not None:
                values[name] = None if value is None else _readable(value, kind)
        return values


def _readable(value: Any, kind: FieldType) -> Any:
    """A canonical value, not None, as it is read; the log keeps what was sent."""
    if not is_stored_as(value, kind):
        value = as_type(value, kind)  # the field got another type since
        if value is None:
            return None
    if kind in ("text", "category"):
        return plain_text(value).strip() or None
    if kind == "set":
        members = (plain_text(member).strip() for member in value)
        return tuple(dict.fromkeys(filter(None, members))) or None
    return tuple(value) if kind == "place" else value
