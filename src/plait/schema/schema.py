"""Fields have types: inferred when a field is first seen, stored, and kept from then on.

What does not fit the stored type is drift: the row is rejected with a reason, the type stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

import orjson

from plait.data.catalogue import FIELD_TYPES, FieldType
from plait.data.types import Event
from plait.errors import ConflictError, InputError
from plait.schema.coercion import COERCE
from plait.schema.inference import infer_type

__all__ = ["ENTITIES", "MAX_FIELDS", "MAX_NAME", "FieldProblem", "Schema", "typed"]

ENTITIES = ("item", "user", "interaction", "impression")
"""What may have typed fields."""

MAX_FIELDS = 1000
"""The most fields an entity may have: more is a mistake (ids used as names)."""

MAX_NAME = 200
"""The longest name of a field, in characters."""

_Key = tuple[str, str]
_Coercers = Mapping[str, Mapping[str, Callable[[Any], Any]]]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A row whose field does not fit: its place in the batch, the field, the value, what would."""

    index: int
    field: str
    value: Any
    expected: str

    @property
    def error(self) -> str:
        """The problem as a sentence."""
        said = repr(self.value)
        return f"expected {self.expected}, got {said if len(said) <= 200 else said[:200] + '...'}"


@dataclass(frozen=True, slots=True)
class Schema:
    """The types of all fields by (entity, field name); immutable."""

    types: Mapping[_Key, FieldType] = field(default_factory=dict)
    _coerce: _Coercers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        coerce: dict[str, dict[str, Callable[[Any], Any]]] = {one: {} for one in ENTITIES}
        for (entity, name), kind in self.types.items():
            coerce[entity][name] = COERCE[kind]
        object.__setattr__(self, "types", MappingProxyType(dict(self.types)))
        object.__setattr__(self, "_coerce", coerce)

    def declare(self, entity: str, types: Mapping[str, str]) -> Schema:
        """The schema with types that a mapping names; those it has already must agree.

        Raises InputError for an unknown entity or type, a name that no field can have or too many
        fields, ConflictError if a field is stored as another type.
        """
        if entity not in ENTITIES:
            raise InputError(f"no fields for {entity!r}", hint=f"one of {', '.join(ENTITIES)}")
        declared = Schema({**self.types, **dict(self._declared(entity, types))})
        if len(declared._coerce[entity]) > MAX_FIELDS:
            raise InputError(
                f"{entity}s would have {len(declared._coerce[entity]):,} fields",
                hint=f"at most {MAX_FIELDS:,}: leave columns out of the mapping",
            )
        return declared

    def _declared(self, entity: str, types: Mapping[str, str]) -> Iterable[tuple[_Key, FieldType]]:
        for name, kind in types.items():
            if kind not in FIELD_TYPES:
                hint = f"a type is one of {', '.join(FIELD_TYPES)}"
                raise InputError(f"{kind!r} is no field type", hint=hint, field=name)
            if not _good_name(name):
                hint = f"a name has 1 to {MAX_NAME} printable characters"
                raise InputError(f"{name[:MAX_NAME]!r} can name no field", hint=hint)
            stored = self.types.get((entity, name), kind)
            if stored != kind:
                raise ConflictError(
                    f"the field {name!r} of {entity}s is stored as {stored}, not {kind}",
                    hint="give the column another field name in the mapping",
                    field=name,
                )
            yield (entity, name), cast(FieldType, kind)

    def admit(self, events: Sequence[Event]) -> tuple[Schema, list[Event | FieldProblem]]:
        """Every event with its `fields` in canonical form, or what is wrong with them.

        Fields never seen before get a type from all their values in this batch; the schema that
        comes back has them. Canonical: sorted keys, finite numbers, times as integer microseconds
        UTC, sets as lists of strings, places as [latitude, longitude]. null fits everywhere and
        stays. Facts and erasures pass as they are.
        """
        verdicts: list[Event | FieldProblem] = list(events)
        places = [at for at, event in enumerate(events) if _has_fields(event)]
        schema = self
        for at in places:
            event = events[at]
            verdict = _fit(event, at, schema._coerce[event.record_type])
            if verdict is None and schema is self:  # a field of no type: now all rows vote
                schema = self._learned([events[one] for one in places])
                verdict = _fit(event, at, schema._coerce[event.record_type])
            verdicts[at] = _refuse_name(event, at, schema) if verdict is None else verdict
        return schema, verdicts

    def _learned(self, events: Sequence[Event]) -> Schema:
        """A schema with a type for every new field that has a value in these events."""
        known = {one: set(names) for one, names in self._coerce.items()}
        votes: dict[_Key, list[Any]] = {}
        for event in events:
            said = _parsed(event)
            if said is None or known[event.record_type].issuperset(said):
                continue
            for name in said.keys() - known[event.record_type]:
                votes.setdefault((event.record_type, name), []).append(said[name])
        fresh = self._elected(votes, {entity: len(names) for entity, names in known.items()})
        return Schema({**self.types, **fresh})

    def _elected(
        self, votes: Mapping[_Key, list[Any]], counts: dict[str, int]
    ) -> dict[_Key, FieldType]:
        fresh: dict[_Key, FieldType] = {}
        for key in sorted(votes):
            entity, name = key
            kind = infer_type(name, votes[key])
            if kind is None or counts[entity] >= MAX_FIELDS or not _good_name(name):
                continue
            fresh[key] = kind
            counts[entity] += 1
        return fresh


def _good_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def _has_fields(event: Event) -> bool:
    return event[9] is not None and event[0] not in ("fact", "erase")


def _parsed(event: Event) -> dict[str, Any] | None:
    try:
        said = orjson.loads(event.fields or "")
    except ValueError:
        return None
    return said if type(said) is dict else None


def _fit(
    event: Event, index: int, coerce: Mapping[str, Callable[[Any], Any]]
) -> Event | FieldProblem | None:
    """The event in canonical form, or what is wrong with it; None: a field has no type yet."""
    said = _parsed(event)
    if said is None:
        return FieldProblem(index, "fields", event.fields, "a JSON object")
    name = ""
    try:
        for name, value in said.items():
            if value is not None and value != "" and value != []:
                said[name] = coerce[name](value)
            else:
                said[name] = None
    except KeyError:
        return None
    except ValueError as problem:
        return FieldProblem(index, name, said[name], str(problem))
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
    return event if text == event[9] else Event(*event[:9], text)


def _refuse_name(event: Event, index: int, schema: Schema) -> FieldProblem:
    """Why a field could not be given a type."""
    said, known = _parsed(event) or {}, schema._coerce[event.record_type]
    fresh = ((name, one) for name, one in said.items() if one is not None and name not in known)
    name, value = next(fresh, ("fields", None))
    if not _good_name(name):
        expected = f"a field name of 1 to {MAX_NAME} printable characters"
        return FieldProblem(index, name[:MAX_NAME], value, expected)
    if isinstance(value, dict):
        return FieldProblem(index, name, value, "text, a number, a list or {lat, lon}")
    return FieldProblem(index, name, value, f"one of the {MAX_FIELDS} fields there are")


def typed(
    fields: str | None, entity: str, types: Mapping[tuple[str, str], FieldType]
) -> dict[str, Any]:
    """The values of stored canonical `fields` as `core.catalogue.Column` keeps them.

    Sets become tuples of strings, places pairs of floats; the rest is as stored, null is None.
    Fields without a type (never given a value) are left out.
    """
    if not fields:
        return {}
    found: dict[str, Any] = {}
    for name, value in orjson.loads(fields).items():
        kind = types.get((entity, name))
        if kind is not None:
            tuples = kind in ("set", "place") and value is not None
            found[name] = tuple(value) if tuples else value
    return found
