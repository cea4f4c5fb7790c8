"""The role of each column of a file: from a mapping, else guessed from its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from plait.errors import MappingError
from plait.ingest.column_mapping import ColumnMapping, FileKind
from plait.ingest.column_synonyms import (
    ITEM_FIELDS,
    ROLES,
    TITLES,
    USER_FIELDS,
    is_order_number,
    is_quantity,
    normalized_name,
)
from plait.ingest.event_type_spelling import similar_name
from plait.ingest.property_rows import property_columns
from plait.ingest.row_conditions import Rule, parse_rule

__all__ = ["ColumnRoles", "assign_roles", "missing_column_hint"]

_RATINGS = ROLES["events"]["value"][0] | {"stars", "overall", "score", "rate"}
_SEARCHES = ("searchterm", "searchquery", "query")
_INVOICES = ("invoiceno", "invoice", "invoiceid", "rechnungsnummer", "rechnungsnr")
_TYPE_BY_COLUMN = {"relevance": "judgement", "tag": "tag", "tagid": "tag"}
"""Columns that tell the event type where nothing else does."""

_OPTIONAL = ("session", "request_id")
"""Roles that nothing depends on: where two columns could play them, none does."""


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """How rows of one file become events.

    Attributes:
        kind: What the rows are.
        name: The name of the source.
        roles: Column by role.
        fields: (column, field name), by field name.
        kind_default: The event type where no column has it.
        kinds: Other names for event types.
        rules: By event type the rules that give a row that type.
        types: Declared types by field name.
        nested: The column that holds an object of fields.
        parts: By dotted name of a part of an object the column that holds the object.
        properties: The columns of the names and values of rows that hold one field each.
        own_parts: Parts of objects that are columns of their own, or left out.
        most_frequent: Whether rows are only counted, see `plait.ingest.entity_deduplication`.
        mapping: The mapping that this follows.
    """

    kind: FileKind
    name: str
    roles: Mapping[str, str]
    fields: tuple[tuple[str, str], ...]
    kind_default: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[tuple[str, tuple[Rule, ...]], ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    nested: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    own_parts: frozenset[str] = frozenset()
    most_frequent: bool = False
    mapping: ColumnMapping = field(default_factory=ColumnMapping)

    def by_column(self) -> dict[str, str]:
        """Return what each column is: its role, "field <name>", or "fields" for an object."""
        roles = {column: f"field {name}" for column, name in self.fields}
        names = dict(self.fields)
        for part, parent in self.parts.items():  # an object becomes a field for each part
            name = names.get(parent, "") + part[len(parent) :]
            if parent in names and name not in self.own_parts:
                roles.setdefault(part, f"field {name}")
        for name, columns in self.mapping.flags.items():
            roles |= dict.fromkeys(columns, f"field {name}")
        roles |= {self.nested: "fields"} if self.nested else {}
        return roles | {column: role for role, column in self.roles.items()}


def assign_roles(
    kind: FileKind,
    columns: Sequence[str],
    mapping: ColumnMapping,
    name: str,
    parts: Mapping[str, str] = MappingProxyType({}),
) -> ColumnRoles:
    """Decide which role each column of a file plays.

    Args:
        kind: What the rows are.
        columns: The names of the columns.
        mapping: What is known about them.
        name: The name of the source.
        parts: By dotted name of a part of an object the column that holds the object.

    Returns:
        The roles.

    Raises:
        MappingError: If a required column is missing, two are equally good, or the mapping names
            one that does not exist; it lists the columns and says what to write.
    """
    return _RoleAssigner(kind, columns, mapping, name, parts).assign()


class _RoleAssigner:
    def __init__(
        self,
        kind: FileKind,
        columns: Sequence[str],
        mapping: ColumnMapping,
        name: str,
        parts: Mapping[str, str],
    ) -> None:
        self.kind, self.columns, self.mapping, self.name = kind, columns, mapping, name
        self.parts = parts
        objects = set(parts.values())
        plain = [column for column in columns if column not in objects]
        self.candidates = [*plain, *parts], [*objects]
        self.by_name: dict[str, list[str]] = {}
        for column in (*columns, *parts):
            self.by_name.setdefault(normalized_name(column), []).append(column)

    def assign(self) -> ColumnRoles:
        mapping = self.mapping
        properties = self._properties()
        renamed = {
            self._find(column, "fields"): name
            for column, name in mapping.fields.items()
            if column != "*" and not properties  # then these are names of properties
        }
        flagged = {
            self._find(column, name)
            for name, columns in mapping.flags.items()
            for column in columns
        }
        roles = self._roles({*renamed, *flagged})
        self._require_columns(roles)
        nested = "fields" if self.kind != "facts" and "fields" in self.columns else ""
        counted = self._is_log(roles) and not renamed and not mapping.flags
        used = {*roles.values()} - {roles.get("session", "")}
        fields = self._fields({*used, *flagged, nested}, renamed, counted)
        if properties:
            fields = tuple((column, name) for name, column in properties.items())
        suffixed = {name: "number" for column, name in fields if column.endswith(":float")}
        default = self._default_type(roles)
        return ColumnRoles(
            kind=self.kind,
            name=self.name,
            roles=roles,
            fields=fields,
            kind_default=default,
            kinds={name.strip().lower(): new for name, new in mapping.kinds.items()},
            rules=self._rules(roles, default),
            types={**suffixed, **mapping.types},
            nested=nested,
            parts=self.parts,
            own_parts=self._own_parts({*used, *flagged, *renamed, *mapping.split}, fields),
            properties=properties,
            most_frequent=bool(mapping.most_frequent or counted or properties),
            mapping=mapping,
        )

    def _own_parts(self, columns: set[str], fields: tuple[tuple[str, str], ...]) -> frozenset[str]:
        """The parts that are columns of their own, by the names that the fields of objects have."""
        names, parts = dict(fields), columns & self.parts.keys()
        parents = {part: self.parts[part] for part in parts}
        return frozenset(
            names.get(parent, parent) + part[len(parent) :] for part, parent in parents.items()
        )

    def _properties(self) -> Mapping[str, str]:
        """The columns of names and values, where a row holds one field of an item (or user)."""
        if self.kind not in ("items", "users"):
            return {}
        if self.mapping.properties:
            columns = self.mapping.properties.items()
            return {name: self._find(column, "properties") for name, column in columns}
        known = [*ROLES[self.kind][self.kind[:-1]], *ROLES[self.kind]["time"]]
        others = [
            column
            for column in self.columns
            if not any(normalized_name(column) in tier for tier in known)
        ]
        return {} if self.parts else property_columns(others)

    def _roles(self, field_columns: set[str]) -> dict[str, str]:
        declared = {role: getattr(self.mapping, role) for role in (*ROLES[self.kind], "kind")}
        roles = {role: self._find(column, role) for role, column in declared.items() if column}
        used = {*roles.values(), *field_columns}
        for role, tiers in ROLES[self.kind].items():
            if declared[role] != "":
                continue
            column = self._guess(role, tiers, used)
            if column:
                roles[role] = column
                used.add(column)
        if self.kind == "events" and not {"user", "session"} & roles.keys():
            searches = (name for name in self.columns if normalized_name(name) in _SEARCHES)
            search = next(searches, None)
            if search is not None:
                roles["session"] = search
        return roles

    def _guess(self, role: str, tiers: Sequence[frozenset[str]], used: set[str]) -> str:
        for columns in self.candidates:  # an object plays a role only if nothing else can
            for tier in tiers:
                candidates = [
                    column
                    for column in columns
                    if normalized_name(column) in tier and column not in used
                ]
                if len(candidates) > 1 and role not in _OPTIONAL:
                    raise MappingError(
                        f"{self.name} has several columns for the {role}: {', '.join(candidates)}",
                        hint=f"choose one in a mapping: [{self.kind}] {role} = "
                        f"{_quote(candidates[0])}",
                        field=role,
                    )
                if len(candidates) == 1:
                    return candidates[0]
        return ""

    def _find(self, name: str, field_name: str) -> str:
        """The column that a mapping means: by its exact name, else without case and underscores."""
        if name in self.columns or name in self.parts:
            return name
        candidates = self.by_name.get(normalized_name(name), [])
        if len(candidates) == 1:
            return candidates[0]
        raise MappingError(
            f"{self.name} has no column {name!r}, which the mapping names for {field_name}",
            hint=missing_column_hint(name, [*self.columns, *self.parts]),
            field=field_name,
        )

    def _require_columns(self, roles: Mapping[str, str]) -> None:
        required = {
            "events": ("user", "item"),
            "items": ("item",),
            "users": ("user",),
            "facts": ("head", "relation", "tail"),
        }[self.kind]
        present = set(roles)
        if "session" in roles:
            present.add("user")
        if self.mapping.kind_default:
            present.add("relation")
        missing = [role for role in required if role not in present]
        if not missing:
            return
        parts = {role: self._likely_part(role) for role in missing}
        settings = [f"{role} = {_quote(part or '...')}" for role, part in parts.items()]
        lists = sorted({self.parts[part] for part in parts.values() if part})
        settings += [f"explode = {_quote(name)}    # if it is a list" for name in lists]
        lines = "\n       ".join(settings)
        columns = _list_columns([*self.columns, *self.parts])
        hint = f"columns are {columns}; write in a mapping:\n       [{self.kind}]\n       {lines}"
        if any(name.replace(".", "", 1).lstrip("-").isdigit() for name in self.columns):
            hint += "; if the file has no header, name its columns: columns = [...]"
        raise MappingError(
            f"{self.name} has no column recognised as the {' or the '.join(missing)}",
            hint=hint,
            field=missing[0],
        )

    def _likely_part(self, role: str) -> str:
        """The part of an object whose name is usual for a role; "" if there is none."""
        usual = frozenset().union(*ROLES[self.kind][role])
        names = (part for part in self.parts if normalized_name(part.rpartition(".")[2]) in usual)
        return next(names, "")

    def _is_log(self, roles: Mapping[str, str]) -> bool:
        """Whether items (or users) are read from a file of events: many rows for each of them."""
        other = {"items": "user", "users": "item"}.get(self.kind)
        if other is None:
            return False

        def has(role: str) -> bool:
            return any(name in tier for name in self.by_name for tier in ROLES["events"][role][:2])

        return has(other) and (has("time") or has("session"))

    def _fields(
        self, used: set[str], renamed: Mapping[str, str | bool], counted: bool
    ) -> tuple[tuple[str, str], ...]:
        known = ITEM_FIELDS if self.kind == "items" else USER_FIELDS
        names: dict[str, str] = {}
        own_parts = [part for part in self.parts if part in renamed or part in self.mapping.split]
        for column in (*self.columns, *own_parts):
            name = renamed.get(column, "")
            if column in used or name is False:
                continue
            if not name and self.mapping.fields.get("*") is False:
                continue
            if counted and normalized_name(column) not in known:
                continue
            base, _, suffix = column.rpartition(":")  # some formats put the type behind the name
            has_type = base and suffix in ("token", "token_seq", "float", "float_seq")
            names[column] = str(name) if name else (base if has_type else column)
        self._name_title(names, renamed)
        self._refuse_same_names(names)
        return tuple(sorted(names.items(), key=lambda pair: pair[1]))

    def _name_title(self, names: dict[str, str], renamed: Mapping[str, str | bool]) -> None:
        """Items have a `title`: the column that is most likely one becomes it."""
        if self.kind != "items" or "title" in names.values():
            return
        candidates = {normalized_name(name): name for name in names if name not in renamed}
        title = next((name for name in TITLES if name in candidates), None)
        if title is not None:
            names[candidates[title]] = "title"

    def _refuse_same_names(self, names: Mapping[str, str]) -> None:
        columns: dict[str, str] = {}
        for column, name in [*names.items(), *((flag, flag) for flag in self.mapping.flags)]:
            if name in columns and self.parts.get(column) != columns[name]:
                both = f"{columns[name]} and {column}"
                raise MappingError(
                    f"{self.name}: the columns {both} are both field {name!r}",
                    hint=f"rename one: [{self.kind}.fields] {_quote(column)} = ...",
                    field=name,
                )
            columns[name] = column

    def _default_type(self, roles: Mapping[str, str]) -> str:
        if self.mapping.kind_default:
            return self.mapping.kind_default
        if self.kind != "events":
            return "" if self.kind == "facts" else "put"
        if normalized_name(roles.get("value", "")) in _RATINGS and "kind" not in roles:
            return "rating"
        if any(is_order_number(name) for name in self.columns) and "kind" not in roles:
            return "purchase"
        types = (kind for name, kind in _TYPE_BY_COLUMN.items() if name in self.by_name)
        return next(types, "view")

    def _rules(
        self, roles: Mapping[str, str], default: str
    ) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
        if self.mapping.when:
            return tuple(
                (kind, tuple(parse_rule(text, self.columns) for text in rules))
                for kind, rules in self.mapping.when.items()
            )
        if self.kind != "events" or "kind" in roles or default != "purchase":
            return ()
        invoices = [name for name in self.columns if normalized_name(name) in _INVOICES]
        returns = [
            *(Rule(name, "starts with", "C") for name in invoices),
            *(Rule(name, "<", "0") for name in self.columns if is_quantity(name)),
        ]
        return (("return", tuple(returns)),) if returns else ()


def missing_column_hint(name: str, columns: Sequence[str]) -> str:
    """Say what to do where a mapping names a column that a file lacks.

    Args:
        name: The column.
        columns: Those that the file has.

    Returns:
        The nearest of them, all of them, and the next step.
    """
    near = similar_name(name, columns)
    guess = f"did you mean {_quote(near)}? " if near else ""
    return (
        f"{guess}columns are {_list_columns(columns)}; correct the name, or import a file that "
        "lacks the column with a mapping that does not name it: its fields stay as they are"
    )


def _list_columns(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return f"{shown}, ... ({len(columns)} in all)" if len(columns) > 30 else shown


def _quote(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
