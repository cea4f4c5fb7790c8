"""A mapping says in TOML what the columns of a file mean, where the guesses do not know."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from plait.data.catalogue import FIELD_TYPES
from plait.errors import MappingError

__all__ = ["KINDS", "Alias", "ColumnMapping", "FileKind", "load_mapping"]

FileKind = Literal["events", "items", "users", "facts"]
KINDS: tuple[str, ...] = get_args(FileKind)

_Role = str | bool


@dataclass(frozen=True, slots=True)
class Alias:
    """A table of other ids: those in column `from_` of `file` become those in column `to`."""

    file: str
    from_: str
    to: str


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """One table of a mapping, for one kind of file. Empty parts are guessed or have no effect.

    A role (`user`, `item`, ...) is the name of a column, or false: no column plays it.
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
    kind_default: str = ""
    """The kind where the file says none; of facts the relation, of items and users put or patch."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Other names for kinds: what stands in the file = what it becomes."""
    when: Mapping[str, list[str]] = field(default_factory=dict)
    """Rules by kind: the first kind that has a rule that holds is the kind of the row."""
    fields: Mapping[str, str | bool] = field(default_factory=dict)
    """Columns as fields: a name, or false to leave it out; "*" = false leaves out the rest."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Types by field name."""
    flags: Mapping[str, list[str]] = field(default_factory=dict)
    """A set field by name: the columns of ones and noughts that it is made of."""
    split: Mapping[str, str] = field(default_factory=dict)
    """By column: what separates the parts of its values; they become lists."""
    most_frequent: bool = False
    """One row an id, each field with its most frequent value, from a file of many rows an id."""
    timezone: str = ""
    """Where times without a zone were written down; UTC if nothing is said."""
    time_format: str = ""
    """How times are written, if neither ISO 8601 nor unix: `%d/%m/%Y %H:%M`."""
    source: str = ""
    """The name that derived event ids begin with; else that of the file."""
    columns: tuple[str, ...] = ()
    """The columns of a file without a header."""
    separator: str = ""
    quote: str = '"'
    """What quotes values; "" if quotes are letters like any other."""
    encoding: str = ""
    missing: tuple[str, ...] | None = None
    """What stands for no value in a delimited file."""
    head_prefix: str = ""
    tail_prefix: str = ""
    """Put before ids of facts that name no items, so that they cannot be mistaken for any."""
    alias: Alias | None = None
    folder: str = ""
    """Where the mapping lies; the alias table is also looked for there."""


_ROLES = {
    "events": ("user", "item", "time", "value", "kind", "position", "session", "request_id", "id"),
    "items": ("item", "time", "kind", "id"),
    "users": ("user", "time", "kind", "id"),
    "facts": ("head", "relation", "tail", "time", "id"),
}
_COMMON = (
    "kind_default",
    "kinds",
    "fields",
    "types",
    "flags",
    "split",
    "timezone",
    "time_format",
    "source",
    "columns",
    "separator",
    "quote",
    "encoding",
    "missing",
)
_OWN = {
    "events": ("when",),
    "items": ("most_frequent",),
    "users": ("most_frequent",),
    "facts": ("head_prefix", "tail_prefix", "alias"),
}
_SHARED = ("timezone", "encoding", "separator", "quote", "source")


def load_mapping(source: str | Path | Mapping[str, Any] | None) -> Mapping[str, ColumnMapping]:
    """A mapping, from a TOML file or as the dictionary it would hold, by kind of file.

    Raises MappingError for a file that is no TOML, an unknown key (with those there are) or a value
    of the wrong type.
    """
    if source is None:
        return {}
    folder = ""
    if isinstance(source, str | Path):
        folder = str(Path(source).parent)
        source = _toml(Path(source))
    _known(source, (*KINDS, *_SHARED), "the mapping")
    shared = {name: value for name, value in source.items() if name in _SHARED}
    found: dict[str, ColumnMapping] = {}
    for kind in KINDS:
        if kind in source or shared:
            table = _table(source.get(kind, {}), kind)
            found[kind] = _file_map(kind, {**shared, **table}, folder)
    return found


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise MappingError(f"there is no mapping {path}", hint="check the path") from problem
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise MappingError(f"the mapping {path} is not TOML: {problem}") from problem


def _known(found: Mapping[str, Any], names: tuple[str, ...], where: str) -> None:
    for name in found:
        if name not in names:
            hint = f"{where} may have {', '.join(sorted(names))}"
            raise MappingError(f"{where} has the unknown key {name!r}", hint=hint, field=name)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MappingError(f"{where} is {value!r}", hint=f"write a table: [{where}]", field=where)
    return value


def _file_map(kind: str, table: Mapping[str, Any], folder: str) -> ColumnMapping:
    _known(table, (*_ROLES[kind], *_COMMON, *_OWN[kind]), f"[{kind}]")
    declared = {one.name: str(one.type) for one in fields(ColumnMapping)}
    values = {name: _value(kind, name, declared[name], value) for name, value in table.items()}
    found = ColumnMapping(**values, folder=folder)
    for name, wanted in found.types.items():
        if wanted not in FIELD_TYPES:
            hint = f"a type is one of {', '.join(FIELD_TYPES)}"
            raise MappingError(f"[{kind}.types] {name} is {wanted!r}", hint=hint, field=name)
    return found


def _value(kind: str, name: str, declared: str, value: Any) -> Any:
    """A value of a table, checked against the type that FileMap declares for it."""
    where = f"[{kind}] {name}"
    if name == "alias":
        return _alias(_table(value, where))
    if name == "when":
        return {one: _rules(rules, where) for one, rules in _table(value, where).items()}
    if declared == "_Role":
        fits = (isinstance(value, str) and bool(value)) or value is False
        return _fitting(where, value, fits, "the name of a column, or false")
    if declared in ("str", "bool"):
        fits = isinstance(value, bool if declared == "bool" else str)
        return _fitting(where, value, fits, "true or false" if declared == "bool" else "a text")
    if declared.startswith("tuple"):
        return tuple(_fitting(where, value, _strings(value), "a list of texts"))
    return _table_value(where, declared, _table(value, where))


def _table_value(where: str, declared: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    lists, falses = "list" in declared, "bool" in declared
    expected = "lists of texts" if lists else "texts, or false" if falses else "texts"
    fits = all(
        _strings(one) if lists else isinstance(one, str) or (falses and one is False)
        for one in value.values()
    )
    return cast(Mapping[str, Any], _fitting(where, value, fits, f"a table of {expected}"))


def _fitting(where: str, value: Any, fits: bool, expected: str) -> Any:
    if not fits:
        raise MappingError(f"{where} is {value!r}", hint=f"expected {expected}", field=where)
    return value


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _rules(value: Any, where: str) -> list[str]:
    rules = [value] if isinstance(value, str) else value
    return cast(list[str], _fitting(where, rules, _strings(rules), "a rule, or a list of rules"))


def _alias(table: Mapping[str, Any]) -> Alias:
    names = ("file", "from", "to")
    _known(table, names, "[facts.alias]")
    for name in names:
        one = table.get(name)
        fits = isinstance(one, str) and bool(one)
        _fitting(f"[facts.alias] {name}", one, fits, "a text; file, from and to are all needed")
    return Alias(table["file"], table["from"], table["to"])
