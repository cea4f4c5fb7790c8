"""Fields of items and users, and what is wrong with them, as JSON carries them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import Catalogue
from plait.ingest.field_values import LostField
from plait.ingest.rejects import shortened
from plait.schema.schema import FieldProblem
from plait.utils.timestamps import iso

__all__ = ["lost_fields", "readable_fields"]


def readable_fields(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """Return the fields of an entry as JSON values.

    Args:
        catalogue: The items or users.
        number: The number of the entry.

    Returns:
        The fields by name, as `put` accepts them.
    """
    types = catalogue.types()
    readable: dict[str, Any] = {}
    for name, value in catalogue.fields(number).items():
        if types[name] == "time":
            readable[name] = iso(value)
        elif types[name] == "media" and "\n" in value:
            readable[name] = value.split("\n")
        elif isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            readable[name] = int(value)
        else:
            readable[name] = list(value) if isinstance(value, tuple) else value
    return readable


def lost_fields(problems: Sequence[LostField | FieldProblem]) -> list[dict[str, str]]:
    """Return the fields that a row is stored without, as JSON carries them.

    Args:
        problems: What is wrong with each.

    Returns:
        For each the name, the value (shortened) and what was expected.
    """
    return [
        {
            "field": problem.name if isinstance(problem, LostField) else problem.field,
            "value": shortened(problem.value),
            "expected": problem.expected,
        }
        for problem in problems
    ]
