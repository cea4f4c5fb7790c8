"""What each column of a file is: told by a mapping, else guessed from its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plait.errors import MappingError
from plait.ingest.column_mapping import ColumnMapping, FileKind
from plait.ingest.column_synonyms import (
    ITEM_FIELDS,
    ROLES,
    TITLES,
    USER_FIELDS,
    is_orderish,
    is_quantity,
    key_of,
)
from plait.ingest.row_rules import Rule, parse_rule

__all__ = ["ColumnRoles", "make_plan"]

_RATINGS = ("rating", "stars", "overall", "score", "rate")
_SEARCHES = ("searchterm", "searchquery", "query")
_INVOICES = ("invoiceno", "invoice", "invoiceid")
_TELLING = {"relevance": "judgement", "tag": "tag", "tagid": "tag"}
"""Columns that tell what happened where nothing else does."""

_FORGIVING = ("session", "request_id")
"""Roles that nothing depends on: where two columns could play them, none does."""


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """How rows of one file become events.

    `roles`: column by role. `fields`: (column, field name), by field name. `nested`: the column
    that holds an object of fields. `rules`: by kind what makes a row that kind.
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
    most_frequent: bool = False
    mapping: ColumnMapping = field(default_factory=ColumnMapping)


def make_plan(
    kind: FileKind, columns: Sequence[str], mapping: ColumnMapping, name: str
) -> ColumnRoles:
    """The plan for a file with these columns.

    Raises MappingError where a needed column is missing, two are equally good, or the mapping names
    one that does not exist; it says which columns there are and what to write.
    """
    return _Planner(kind, columns, mapping, name).plan()


class _Planner:
    def __init__(
        self, kind: FileKind, columns: Sequence[str], mapping: ColumnMapping, name: str
    ) -> None:
        self.kind, self.columns, self.mapping, self.name = kind, columns, mapping, name
        self.by_key: dict[str, list[str]] = {}
        for column in columns:
            self.by_key.setdefault(key_of(column), []).append(column)

    def plan(self) -> ColumnRoles:
        told = self._told_fields()
        roles = self._roles(told)
        self._check_required(roles)
        nested = "fields" if self.kind != "facts" and "fields" in self.columns else ""
        drained = self._is_log(roles) and not told and not self.mapping.flags
        fields = self._fields(roles, told, nested, drained)
        suffixed = {name: "number" for one, name in fields if one.endswith(":float")}
        default = self._kind_default(roles)
        return ColumnRoles(
            kind=self.kind,
            name=self.name,
            roles=roles,
            fields=fields,
            kind_default=default,
            kinds={one.strip().lower(): new for one, new in self.mapping.kinds.items()},
            rules=self._rules(roles, default),
            types={**suffixed, **self.mapping.types},
            nested=nested,
            most_frequent=self.mapping.most_frequent or drained,
            mapping=self.mapping,
        )

    # -- roles

    def _roles(self, told: Mapping[str, str | bool]) -> dict[str, str]:
        named = {role: getattr(self.mapping, role) for role in (*ROLES[self.kind], "kind")}
        roles = {role: self._find(one, role) for role, one in named.items() if one}
        taken = {*roles.values(), *told, *self._flagged()}
        for role, tiers in ROLES[self.kind].items():
            if named[role] != "":
                continue
            found = self._guess(role, tiers, taken)
            if found:
                roles[role] = found
                taken.add(found)
        if self.kind == "events" and not {"user", "session"} & roles.keys():
            search = next((one for one in self.columns if key_of(one) in _SEARCHES), None)
            if search is not None:
                roles["session"] = search
        return roles

    def _guess(self, role: str, tiers: Sequence[frozenset[str]], taken: set[str]) -> str:
        for tier in tiers:
            hits = [one for one in self.columns if key_of(one) in tier and one not in taken]
            if len(hits) > 1 and role not in _FORGIVING:
                raise MappingError(
                    f"{self.name} has several columns for the {role}: {', '.join(hits)}",
                    hint=f"choose one in a mapping: [{self.kind}] {role} = {_quoted(hits[0])}",
                    field=role,
                )
            if len(hits) == 1:
                return hits[0]
        return ""

    def _find(self, wanted: str, where: str) -> str:
        """The column that a mapping means: by its exact name, else without case and underscores."""
        if wanted in self.columns:
            return wanted
        alike = self.by_key.get(key_of(wanted), [])
        if len(alike) == 1:
            return alike[0]
        raise MappingError(
            f"{self.name} has no column {wanted!r}, which the mapping names for {where}",
            hint=f"columns are {_listed(self.columns)}",
            field=where,
        )

    def _check_required(self, roles: Mapping[str, str]) -> None:
        needed = {
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
        missing = [role for role in needed if role not in present]
        if not missing:
            return
        lines = " ".join(f'{role} = "..."' for role in missing)
        hint = f"columns are {_listed(self.columns)}; write in a mapping: [{self.kind}] {lines}"
        if _looks_like_data(self.columns):
            hint += "; if the file has no header, name its columns: columns = [...]"
        raise MappingError(
            f"{self.name} has no column that is known to hold the {' or the '.join(missing)}",
            hint=hint,
            field=missing[0],
        )

    # -- fields

    def _told_fields(self) -> dict[str, str | bool]:
        told = self.mapping.fields.items()
        return {self._find(one, "fields"): name for one, name in told if one != "*"}

    def _flagged(self) -> set[str]:
        flags = self.mapping.flags.items()
        return {self._find(one, name) for name, columns in flags for one in columns}

    def _is_log(self, roles: Mapping[str, str]) -> bool:
        """Whether items (or users) are read from a file of events: many rows for each of them."""
        events = ROLES["events"]
        other = {"items": "user", "users": "item"}.get(self.kind)
        if other is None:
            return False

        def there(role: str) -> bool:
            tiers = events[role][:2]
            return any(key_of(one) in tier for one in self.columns for tier in tiers)

        return there(other) and (there("time") or there("session"))

    def _fields(
        self,
        roles: Mapping[str, str],
        told: Mapping[str, str | bool],
        nested: str,
        drained: bool,
    ) -> tuple[tuple[str, str], ...]:
        kept = {one for role, one in roles.items() if role == "session"}
        taken = ({*roles.values()} - kept) | self._flagged() | {nested}
        rest_out = self.mapping.fields.get("*") is False
        known = ITEM_FIELDS if self.kind == "items" else USER_FIELDS
        names: dict[str, str] = {}
        for column in self.columns:
            name = told.get(column, "")
            if name is False or column in taken or (not name and rest_out):
                continue
            if drained and key_of(column) not in known:
                continue
            names[column] = str(name) if name else _field_name(column)
        self._entitle(names, told)
        self._refuse_doubles(names)
        return tuple(sorted(names.items(), key=lambda pair: pair[1]))

    def _entitle(self, names: dict[str, str], told: Mapping[str, str | bool]) -> None:
        """Items have a `title`: the column that is most likely one becomes it."""
        if self.kind != "items" or "title" in names.values():
            return
        keys = {key_of(one): one for one in names if one not in told}
        for title in TITLES:
            if title in keys:
                names[keys[title]] = "title"
                return

    def _refuse_doubles(self, names: Mapping[str, str]) -> None:
        seen: dict[str, str] = {}
        for column, name in [*names.items(), *((one, one) for one in self.mapping.flags)]:
            if name in seen:
                raise MappingError(
                    f"{self.name}: the columns {seen[name]} and {column} are both field {name!r}",
                    hint=f"rename one: [{self.kind}.fields] {_quoted(column)} = ...",
                    field=name,
                )
            seen[name] = column

    # -- kinds

    def _kind_default(self, roles: Mapping[str, str]) -> str:
        if self.mapping.kind_default:
            return self.mapping.kind_default
        if self.kind != "events":
            return "" if self.kind == "facts" else "put"
        if key_of(roles.get("value", "")) in _RATINGS and "kind" not in roles:
            return "rating"
        if any(is_orderish(one) for one in self.columns) and "kind" not in roles:
            return "purchase"
        return next((kind for key, kind in _TELLING.items() if key in self.by_key), "view")

    def _rules(
        self, roles: Mapping[str, str], default: str
    ) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
        if self.mapping.when:
            return tuple(
                (kind, tuple(parse_rule(one, self.columns) for one in rules))
                for kind, rules in self.mapping.when.items()
            )
        if self.kind != "events" or "kind" in roles or default != "purchase":
            return ()
        returns = [
            *(Rule(one, "starts with", "C") for one in self.columns if key_of(one) in _INVOICES),
            *(Rule(one, "<", "0") for one in self.columns if is_quantity(one)),
        ]
        return (("return", tuple(returns)),) if returns else ()


def _field_name(column: str) -> str:
    """The column's own name, without the type that some formats put behind it."""
    base, _, kind = column.rpartition(":")
    return base if kind in ("token", "token_seq", "float", "float_seq") and base else column


def _looks_like_data(columns: Sequence[str]) -> bool:
    return any(one.replace(".", "", 1).lstrip("-").isdigit() for one in columns)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:30])
    return f"{shown}, ... ({len(columns)} in all)" if len(columns) > 30 else shown


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
