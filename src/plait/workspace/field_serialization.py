"""Fields of items and users as JSON, with the problems of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import Catalogue, FieldType
from plait.ingest.field_values import LostField
from plait.ingest.rejects import shortened
from plait.schema.schema import FieldProblem
from plait.utils.timestamps import iso

__all__ = ["lost_fields", "readable_fields", "readable_value"]


def readable_fields(catalogue: Catalogue, number: int) -> dict[str, Any]:
    """Return the fields of an entry as JSON values.

    Args:
        catalogue: The items or users.
        number: The number of the entry.

    Returns:
        The fields by name, as `put` accepts them.
    """
    types = catalogue.types()
    return {
        name: readable_value(types[name], value) for name, value in catalogue.fields(number).items()
    }


def readable_value(field_type: FieldType, value: Any) -> Any:
    """Return the value of a field as a JSON value.

    Args:
        field_type: The type of the field.
        value: The value in the catalogue; None if it is missing.

    Returns:
        The value as `put` accepts it.
    """
    if value is None:
        return None
    if field_type == "time":
        return iso(value)
    if field_type == "media" and "\n" in value:
        return value.split("\n")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return list(value) if isinstance(value, tuple) else value


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
