"""`plait schema`: the fields and their types."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import print_json, print_lines
from plait.errors import InputError

__all__ = ["schema"]

_ENTITIES = {"items": "item", "users": "user", "events": "interaction"}
_USAGE = "plait schema set FIELD TYPE"

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
    list[str] | None, typer.Argument(metavar="[set FIELD TYPE]", help="Give a field another type.")
]
Owner = Annotated[
    Literal["items", "users", "events"] | None,
    typer.Option(help="Whose field it is, where several have one of that name."),
]


def schema(home: Home, change: Change = None, of: Owner = None, json: AsJson = False) -> None:
    """Show the fields with their types, or give a field another type.

    Args:
        home: The folder of the log.
        change: Nothing, or "set", the field and its new type.
        of: Whose field it is; by default of the only ones that have it.
        json: Print JSON instead of lines.

    Raises:
        InputError: If the arguments are no change, or a value in the log does not fit the type.
    """
    if change and (len(change) != 3 or change[0] != "set"):
        raise InputError(f"{' '.join(change)!r} is no change of the schema", hint=_USAGE)
    with open_home(home) as workspace:
        types = workspace.field_types()
        if change:
            _, field, dtype = change
            owners = [kind for kind, entity in _ENTITIES.items() if field in types[entity]]
            if of is None and len(owners) > 1:
                hint = f"{_USAGE} --of {owners[0]}"
                raise InputError(f"{' and '.join(owners)} have a field {field!r}", hint=hint)
            owner = of or (owners[0] if owners else "items")
            before = types[_ENTITIES[owner]].get(field, "")
            workspace.set_field_type(_ENTITIES[owner], field, dtype)
            types = workspace.field_types()
            if not json:
                print_lines(*_effects(owner, field, before, dtype))
    plain = {kind: types[entity] for kind, entity in _ENTITIES.items()}
    if json:
        print_json(plain)
        return
    for kind, fields in plain.items():
        for name, dtype in fields.items():
            print_lines(f"{kind}  {name}  {dtype}")
    if not any(plain.values()):
        print_lines("no fields yet")


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
