"""Builds one row for each item (or user) from a file of item, property, value rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from plait.data.array_types import Int64Array
from plait.data.types import Event
from plait.ingest.column_synonyms import normalized_name
from plait.ingest.row_chunk import ROWS, DictChunk
from plait.ingest.source_notes import ImportNote

__all__ = ["NAME", "PROPERTIES_NOTE", "VALUE", "PropertyMerge", "property_columns"]

NAME, VALUE = "name", "value"
"""The fields of a row that hold the name of a property and its value."""

PROPERTIES_NOTE = ImportNote(
    "rows-as-properties", "", "its rows hold one field each: the latest values of an id are one row"
)

_NAMES = frozenset(("property", "propertyname", "attribute", "attributename"))
_VALUES = frozenset(("value", "propertyvalue", "attributevalue"))


def property_columns(columns: Sequence[str]) -> Mapping[str, str]:
    """Find the columns of a file whose rows hold one field each.

    Args:
        columns: All columns of the file, but those of ids and times.

    Returns:
        The columns as "name" and "value"; nothing if the file has others.
    """
    if len(columns) != 2:
        return {}
    for name, value in (columns, columns[::-1]):
        if normalized_name(name) in _NAMES and normalized_name(value) in _VALUES:
            return {NAME: name, VALUE: value}
    return {}


class PropertyMerge:
    """Collects the latest value of each property of each id.

    Memory grows with the number of properties of all ids.

    Args:
        role: "item" or "user".
        id_column: The column of ids in the rows that `chunks` gives.
    """

    def __init__(self, role: str, id_column: str) -> None:
        self._role = role
        self._id_column = id_column
        self._first_rows: dict[str, int] = {}
        self._values: dict[str, dict[str, tuple[int, Any]]] = {}
        self.names: dict[str, None] = {}

    def add(self, events: list[Event], rows: Int64Array) -> None:
        """Take up the properties of some rows; of equal times the last row counts.

        Args:
            events: N events; those without an item (or user) are left out.
            rows: The row of each, int64 [N].
        """
        for event, row in zip(events, rows.tolist(), strict=True):
            external_id = event.item if self._role == "item" else event.user
            fields = orjson.loads(event.fields or "{}")
            name = fields.get(NAME)
            if external_id is None or name is None:
                continue
            name = str(name)
            self.names[name] = None
            self._first_rows.setdefault(external_id, row)
            values = self._values.setdefault(external_id, {})
            time = -(1 << 63) if event.time is None else event.time
            if name not in values or values[name][0] <= time:
                values[name] = (time, fields.get(VALUE))

    def chunks(self) -> Iterator[DictChunk]:
        """Give a row for each id, in the order of their first rows."""
        names = [self._id_column, *self.names]
        entries = iter(self._first_rows.items())
        while batch := list(islice(entries, ROWS)):
            dicts = [
                {
                    self._id_column: external_id,
                    **{name: value for name, (_, value) in self._values[external_id].items()},
                }
                for external_id, _ in batch
            ]
            yield DictChunk(dicts, np.array([row for _, row in batch], np.int64), names)
