"""`plait schema`: the fields and their types."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import print_json, print_lines
from plait.errors import InputError

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["schema"]

_ENTITIES = {"items": "item", "users": "user", "events": "interaction"}
_KINDS = {"kinds": "kind"}
_USAGE = {
    "set": "plait schema set FIELD TYPE",
    "retire": "plait schema retire FIELD, or KIND --of kinds",
    "restore": "plait schema restore FIELD, or KIND --of kinds",
}

_USES = {
    "text": "search in its words",
    "category": 'filters such as {field} == "value", counts of its values',
    "set": 'filters such as "value" in {field}, counts of its members',
    "number": "filters such as {field} < 20, sorting by amount",
    "time": 'filters such as {field} > "2026-01-31", sorting by time',
    "place": "filters such as distance({field}, 48.2, 16.4) < 5",
    "media": "addresses that responses return",
}
"""What a field of each type is good for."""

Change = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[set FIELD TYPE | retire NAME | restore NAME]",
        help="Give a field another type; stop to use a field or kind, or use it again.",
    ),
]
Owner = Annotated[
    Literal["items", "users", "events", "kinds"] | None,
    typer.Option(
        help="Whose field it is, where several have one of that name; kinds: a kind of event."
    ),
]


def schema(home: Home, change: Change = None, of: Owner = None, json: AsJson = False) -> None:
    """Show the fields with their types, or change them.

    Args:
        home: The folder of the log.
        change: Nothing; or "set", the field and its new type; or "retire" or "restore" and the
            name of a field, or of a kind of event.
        of: Whose field it is; by default of the only ones that have it.
        json: Print JSON instead of lines.

    Raises:
        InputError: If the arguments are no change, or a value in the log does not fit the type.
    """
    with open_home(home) as workspace:
        if change:
            lines = _apply(workspace, change, of)
            if not json:
                print_lines(*lines)
        types, retired = workspace.field_types(), workspace.retired()
    plain = {kind: types[entity] for kind, entity in _ENTITIES.items()}
    unused = {
        kind: retired[entity]
        for kind, entity in {**_ENTITIES, **_KINDS}.items()
        if entity in retired
    }
    if json:
        print_json({**plain, **({"retired": unused} if unused else {})})
        return
    for kind, fields in plain.items():
        for name, dtype in fields.items():
            print_lines(f"{kind}  {name}  {dtype}")
    for kind, names in unused.items():
        for name in names:
            print_lines(f"{kind}  {name}  retired")
    if not any(plain.values()) and not unused:
        print_lines("no fields yet")


def _apply(workspace: Workspace, change: list[str], of: str | None) -> list[str]:
    """Apply a change; lines that describe it. Raises InputError if it is unknown or ambiguous."""
    verb, *rest = change
    usage = _USAGE.get(verb, "; ".join(_USAGE.values()))
    if verb not in _USAGE or len(rest) != (2 if verb == "set" else 1):
        raise InputError(f"{' '.join(change)!r} is no change of the schema", hint=usage)
    if verb == "set" and of == "kinds":
        raise InputError("a kind of event has no type", hint=usage, field="of")
    entities, name = {**_ENTITIES, **_KINDS}, rest[0]
    retired, types = workspace.retired(), workspace.field_types()
    names: Mapping[str, Collection[str]] = retired if verb == "restore" else types
    owners = [kind for kind, entity in entities.items() if name in names.get(entity, ())]
    if of is None and len(owners) > 1:
        hint = f"{usage.partition(',')[0]} --of {owners[0]}"
        raise InputError(f"{' and '.join(owners)} have a field {name!r}", hint=hint)
    owner = of or (owners[0] if owners else "items")
    entity = entities[owner]
    if verb == "set":
        before = types[entity].get(name, "")
        workspace.set_field_type(entity, name, rest[1])
        return _effects(owner, name, before, workspace.field_types()[entity][name])
    if verb == "retire":
        workspace.retire(entity, name)
    else:
        workspace.restore(entity, name)
    return [f"{owner}  {name} is {verb}d"]


def _effects(owner: str, field: str, before: str, after: str) -> list[str]:
    """What changes with the type of a field, in a few lines."""
    if before == after:
        return [f"{owner}  {field} is {after} already"]
    return [
        f"{owner}  {field}: {before} -> {after}",
        f"  no longer: {_USES[before].format(field=field)}",
        f"  from now on: {_USES[after].format(field=field)}",
        "  filters and recipes that use it may need a change; models read it so after the next fit",
    ]
