"""Mappings: TOML that declares the meaning of the columns of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import polars as pl
from pydantic import BeforeValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError

from plait.data.catalogue import FIELD_TYPES
from plait.errors import MappingError
from plait.utils.toml_json import parse_toml

__all__ = ["FILE_KINDS", "Alias", "ColumnMapping", "FileKind", "load_mapping"]

FileKind = Literal["events", "items", "users", "facts"]
FILE_KINDS: tuple[str, ...] = get_args(FileKind)


@dataclass(frozen=True, slots=True)
class Alias:
    """A table of other ids.

    Attributes:
        file: The file that holds it.
        from_: The column of the ids that stand in the data.
        to: The column of the ids that replace them.
    """

    file: str
    from_: str
    to: str


# The last argument of each annotation says what is expected of a value in a mapping.
_Role = Annotated[
    Annotated[str, Field(min_length=1)] | Literal[False], "the name of a column, or false"
]
_Text = Annotated[str, "a text"]
_Flag = Annotated[bool, "true or false"]
_Texts = Annotated[tuple[str, ...], Strict(False), "a list of texts"]
_TextOrTexts = Annotated[
    tuple[str, ...],
    Strict(False),
    BeforeValidator(lambda texts: [texts] if isinstance(texts, str) else texts),
    "a text, or a list of texts",
]
_Count = Annotated[int, Field(ge=0), "a whole number"]
_Decimal = Annotated[Literal["", ",", "."], '"," or "."']
_Rules = Annotated[
    list[str], BeforeValidator(lambda rules: [rules] if isinstance(rules, str) else rules)
]
_WhereRules = Annotated[
    tuple[str, ...],
    Strict(False),
    BeforeValidator(lambda rules: [rules] if isinstance(rules, str) else rules),
    "a rule, or a list of rules",
]
_RuleTable = Annotated[Mapping[str, _Rules], "a rule, or a list of rules"]
_TextTable = Annotated[Mapping[str, str], "a table of texts"]
_ListTable = Annotated[Mapping[str, list[str]], "a table of lists of texts"]
_ColumnLists = Annotated[
    Mapping[str, Annotated[list[str], Field(min_length=1)]], "a table of lists of columns"
]
_FieldTable = Annotated[Mapping[str, str | Literal[False]], "a table of texts, or false"]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """One table of a mapping, for one kind of file. What is empty is guessed or has no effect.

    A role (`user`, `item`, ...) is the name of a column, or false: no column plays it.

    Attributes:
        user: The column of users.
        item: The column of items.
        time: The column of times.
        value: The column of values, such as ratings.
        kind: The column of event types; of items and users that of put, patch or delete.
        position: The column that orders the events of a user where there is no time.
        session: The column of sessions.
        request_id: The column of the responses that led to events.
        id: The column of event ids.
        head: The column of a fact's head.
        relation: The column of its relation.
        tail: The column of its tail.
        kind_default: The event type where the file states none; of facts the relation.
        kinds: Other names for event types: the name in the file = the event type.
        when: Rules by event type: the first type that has a rule that holds is that of the row.
        anonymous: Ids of users that stand for people who are not known, in any case: their rows
            belong to their sessions, and a row without a session to one of its own.
        where: Rules that a row must fulfil, all of them; other rows are left out.
        fields: Columns as fields: a name, or false to leave it out; "*" = false leaves out all
            others.
        types: Field types by field name.
        flags: A set field by name: the columns of ones and noughts that it is made of.
        split: By column what separates its values, which become lists.
        explode: A column of lists (or of texts that `split` names): each member is a row.
        extract: By column a regular expression whose named groups become columns.
        join: By new column the columns whose values it holds, separated by a space, such as those
            of the day and of the time of day.
        fill: By the column that identifies a group of rows, such as an order, the columns of which
            only the first row of the group has a value, such as the customer.
        properties: The columns `name` and `value` of rows that hold one field each.
        most_frequent: One row an id, each field with its most frequent value, from a file of many
            rows an id.
        timezone: The zone of times that name none; UTC if empty.
        time_format: The strptime formats of times that are neither ISO 8601 nor unix numbers, also
            of numbers and of fields; the first that fits counts.
        decimal: What separates the decimals of numbers in texts, "," or "."; found out if empty.
        source: The name that derived event ids begin with; else that of the file.
        columns: The columns of a file without a header.
        separator: What separates values; found out if empty.
        quote: What quotes values; "" if quotes are characters like any other.
        escape: What stands before a quote inside a quoted value; found out if empty.
        encoding: The encoding of the file.
        missing: What stands for no value in a delimited file.
        max_rows: The most rows of the file; 0: what a file of its size can honestly hold.
        head_prefix: Put before ids of heads that are no items, so that they differ from items.
        tail_prefix: The same for tails.
        alias: A table of other ids for the heads and tails of facts.
        folder: The folder of the mapping; the alias table is also looked for there.
    """

    user: _Role = ""
    item: _Role = ""
    time: _Role = ""
    value: _Role = ""
    kind: _Role = ""
    position: _Role = ""
    session: _Role = ""
    request_id: _Role = ""
    id: _Role = ""
    head: _Role = ""
    relation: _Role = ""
    tail: _Role = ""
    kind_default: _Text = ""
    kinds: _TextTable = field(default_factory=dict)
    when: _RuleTable = field(default_factory=dict)
    anonymous: _TextOrTexts = ()
    where: _WhereRules = ()
    fields: _FieldTable = field(default_factory=dict)
    types: _TextTable = field(default_factory=dict)
    flags: _ListTable = field(default_factory=dict)
    split: _TextTable = field(default_factory=dict)
    explode: _Text = ""
    extract: _TextTable = field(default_factory=dict)
    join: _ColumnLists = field(default_factory=dict)
    fill: _ListTable = field(default_factory=dict)
    properties: _TextTable = field(default_factory=dict)
    most_frequent: _Flag = False
    timezone: _Text = ""
    time_format: _TextOrTexts = ()
    decimal: _Decimal = ""
    source: _Text = ""
    columns: _Texts = ()
    separator: _Text = ""
    quote: _Text = '"'
    escape: _Text = ""
    encoding: _Text = ""
    missing: _Texts | None = None
    max_rows: _Count = 0
    head_prefix: _Text = ""
    tail_prefix: _Text = ""
    alias: Alias | None = None
    folder: str = ""

    @property
    def mentioned(self) -> frozenset[str]:
        """The columns that roles, `fields` and `explode` name."""
        declared = (getattr(self, role) for names in _ROLES.values() for role in names)
        roles = (column for column in declared if isinstance(column, str))
        return frozenset(filter(None, (*roles, *self.fields, self.explode)))


_ROLES = {
    "events": ("user", "item", "time", "value", "kind", "position", "session", "request_id", "id"),
    "items": ("item", "time", "kind", "id"),
    "users": ("user", "time", "kind", "id"),
    "facts": ("head", "relation", "tail", "time", "id"),
}
_TABLES = ("kinds", "fields", "types", "flags", "split", "extract", "join", "fill")
_SHARED = (
    "timezone",
    "time_format",
    "decimal",
    "encoding",
    "separator",
    "quote",
    "escape",
    "source",
    "max_rows",
)
_COMMON = (*_SHARED, *_TABLES, "kind_default", "columns", "missing", "explode", "where")
_OWN = {
    "events": ("when", "anonymous"),
    "items": ("most_frequent", "properties"),
    "users": ("most_frequent", "properties"),
    "facts": ("head_prefix", "tail_prefix", "alias"),
}


def load_mapping(source: str | Path | Mapping[str, Any] | None) -> Mapping[str, ColumnMapping]:
    """Load a mapping.

    Args:
        source: A TOML file, or the dictionary it would hold; None is an empty mapping.

    Returns:
        The tables by kind of file.

    Raises:
        MappingError: If the file is not TOML, a key is unknown, or a value has the wrong type.
    """
    if source is None:
        return {}
    folder = ""
    if isinstance(source, str | Path):
        folder = str(Path(source).parent)
        source = _read_toml(Path(source))
    _require_table(source, "the mapping")
    _require_known(source, (*FILE_KINDS, *_SHARED), "the mapping")
    shared = {name: value for name, value in source.items() if name in _SHARED}
    mappings: dict[str, ColumnMapping] = {}
    for kind in FILE_KINDS:
        if kind in source or shared:
            table = {**shared, **_require_table(source.get(kind, {}), kind)}
            mappings[kind] = _column_mapping(kind, table, folder)
    return mappings


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise MappingError(f"the mapping {path} does not exist", hint="check the path") from problem
    except (OSError, ValueError) as problem:  # no TOML, or not in UTF-8
        raise MappingError(f"the mapping {path} is not valid TOML: {problem}") from problem


def _require_known(table: Mapping[str, Any], names: tuple[str, ...], title: str) -> None:
    for name in table:
        if name not in names:
            hint = f"{title} may have {', '.join(sorted(names))}"
            raise MappingError(f"{title} has the unknown key {name!r}", hint=hint, field=name)


def _require_table(value: Any, title: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MappingError(f"{title} is {value!r}", hint=f"write a table: [{title}]", field=title)
    return value


def _column_mapping(kind: str, table: Mapping[str, Any], folder: str) -> ColumnMapping:
    _require_known(table, (*_ROLES[kind], *_COMMON, *_OWN[kind]), f"[{kind}]")
    values = {name: _parse_value(kind, name, value) for name, value in table.items()}
    mapping = ColumnMapping(**values, folder=folder)
    for name, field_type in mapping.types.items():
        if field_type not in FIELD_TYPES:
            hint = f"a type is one of {', '.join(FIELD_TYPES)}"
            raise MappingError(f"[{kind}.types] {name} is {field_type!r}", hint=hint, field=name)
    for column, pattern in mapping.extract.items():
        _check_pattern(kind, column, pattern)
    if mapping.properties and mapping.properties.keys() != {"name", "value"}:
        title = f"[{kind}] properties"
        hint = 'expected { name = "...", value = "..." }: the columns of names and of values'
        raise MappingError(f"{title} is {mapping.properties!r}", hint=hint, field=title)
    return mapping


def _check_pattern(kind: str, column: str, pattern: str) -> None:
    try:
        groups = pl.Series([""]).str.extract_groups(pattern).struct.fields
    except pl.exceptions.PolarsError:
        groups = []
    if not groups or any(name.isdigit() for name in groups):
        title = f"[{kind}.extract] {column}"
        hint = "expected a regular expression whose groups have names, such as (?P<item>[0-9]+)"
        raise MappingError(f"{title} is {pattern!r}", hint=hint, field=title)


@cache
def _adapters() -> Mapping[str, tuple[TypeAdapter[Any], str]]:
    """By name of a value what checks its type, and what is expected."""
    hints = get_type_hints(ColumnMapping, include_extras=True)
    hints = {name: hint for name, hint in hints.items() if name not in ("alias", "folder")}
    hints["missing"] = _Texts
    strict = ConfigDict(strict=True)
    return {
        name: (TypeAdapter(hint, config=strict), hint.__metadata__[-1])
        for name, hint in hints.items()
    }


def _parse_value(kind: str, name: str, value: Any) -> Any:
    """A value of a table, checked against the type that `ColumnMapping` declares for it."""
    title = f"[{kind}] {name}"
    if name == "alias":
        return _parse_alias(_require_table(value, title))
    adapter, expected = _adapters()[name]
    if name in (*_TABLES, "when", "properties"):
        _require_table(value, title)
    try:
        return adapter.validate_python(value)
    except ValidationError as problem:
        message = f"{title} is {value!r}"
        raise MappingError(message, hint=f"expected {expected}", field=title) from problem


def _parse_alias(table: Mapping[str, Any]) -> Alias:
    names = ("file", "from", "to")
    _require_known(table, names, "[facts.alias]")
    for name in names:
        value = table.get(name)
        if not isinstance(value, str) or not value:
            title = f"[facts.alias] {name}"
            hint = "expected a text; file, from and to are all needed"
            raise MappingError(f"{title} is {value!r}", hint=hint, field=title)
    return Alias(table["file"], table["from"], table["to"])
