"""Many changes of the catalogue in one commit: rows that describe, change or delete items."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from plait.data.types import Event
from plait.errors import InputError
from plait.ingest.posted_rows import fields_text, merged_parts
from plait.schema.event_bounds import id_problem
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.workspace.field_serialization import lost_fields
from plait.workspace.name_quota import BoundedEvents, BudgetSource
from plait.workspace.write_api import DELTA_WAIT, DataApi, id_text

__all__ = ["OPERATIONS", "BulkItems"]

OPERATIONS: Mapping[str, str] = {
    "upsert": "put",
    "put": "put",
    "merge": "patch",
    "patch": "patch",
    "delete": "delete",
}
"""The change that each `op` of a row makes."""

SMALL_BODY = 500
"""Up to so many rows the caller's next query knows all of them."""

_KEYS = ("id", "op", "fields")


class BulkItems(DataApi):
    """Writes rows of items; a row that is wrong costs itself alone."""

    def post_items(
        self, rows: Sequence[Any], *, names: BudgetSource | None = None
    ) -> tuple[int, list[dict[str, Any]]]:
        """Describe, change or delete many items in one commit.

        Args:
            rows: Mappings with `id`; `op`, "upsert" (the default: all fields, as `put_item`),
                "merge" (as `patch_item`) or "delete"; and `fields`, or the fields beside `id` and
                `op` where a row has no `fields`.
            names: Makes the budget of new fields of the caller; None: any number may be new.

        Returns:
            The version that holds them, and a row {"id", "status", "error"} for each, in their
            order: "stored" or "rejected"; and `lost`, the fields that did not fit, if there are
            any.

        Raises:
            StorageError: If they cannot be stored.
        """
        state = self.host.sync()
        alive: dict[str, bool] = {}  # what earlier rows did
        events: list[Event] = []
        places: list[int] = []
        statuses: list[dict[str, Any]] = []
        now, batch_id = time.time_ns() // 1000, uuid.uuid4().hex
        for index, row in enumerate(rows):
            item = row.get("id") if isinstance(row, Mapping) else None
            status = {"id": "" if item is None else str(item), "status": "stored", "error": ""}
            statuses.append(status)
            try:
                item, change, fields = _parsed(row)
                number = state.catalogue.number(item)
                is_alive = number >= 0 and bool(state.catalogue.alive[number])
                if change != "put" and not alive.get(item, is_alive):
                    raise InputError("expected an item of the catalogue", field="id")
                if change == "patch" and fields is not None:
                    current = () if number < 0 else state.catalogue.fields(number).keys()
                    fields = merged_parts(fields, current)
            except InputError as problem:
                status.update(status="rejected", error=f"{problem.field}: {problem.message}")
                continue
            alive[item] = change != "delete"
            status["id"] = item
            places.append(index)
            event_id = f"{batch_id}-{index}"
            events.append(Event("item", event_id, change, None, item, now, fields=fields))
        if not events:
            return state.version, statuses
        bounded = BoundedEvents(events) if names is None else self.name_bounds.bound(events, names)
        result = self._importer.append(bounded.events)
        self.host.catch_up(result.version, result.chunk)
        for index, (place, stored) in enumerate(zip(places, result.rows, strict=True)):
            error = f"{stored.field}: {stored.error}" if stored.field else stored.error
            statuses[place].update(status=stored.status, error=error if stored.error else "")
            if lost := [*bounded.lost.get(index, ()), *stored.lost]:
                statuses[place]["lost"] = lost_fields(lost)
        # A large body waits for the one before it alone, so that the next can be read meanwhile.
        is_small = len(events) <= SMALL_BODY
        self.host.wait_for_deltas(result.version if is_small else state.version, DELTA_WAIT)
        return result.version, statuses


def _parsed(row: Any) -> tuple[str, str, str | None]:
    """The id, the change and the fields of a row; InputError names what is wrong."""
    if not isinstance(row, Mapping):
        raise InputError('expected an object such as {"id": "a", "title": "Mug"}', field="row")
    item = row.get("id")
    if isinstance(item, str):
        item = item.strip(BLANKS)
    if item is None or item == "":
        raise InputError("expected the id of the item", field="id")
    item = id_text(item, "id")
    operation = row.get("op", "upsert")
    change = OPERATIONS.get(operation) if isinstance(operation, str) else None
    if change is None:
        raise InputError("expected upsert, merge or delete", field="op")
    if change == "delete":
        return item, change, None
    expected = "an id" if item in MISSING_WORDS else id_problem(item)
    if expected:
        raise InputError(f"expected {expected}", field="id")
    fields = row.get("fields")
    if fields is None:
        fields = {name: value for name, value in row.items() if name not in _KEYS}
    elif len(row) > len([name for name in _KEYS if name in row]):
        others = ", ".join(str(name) for name in row if name not in _KEYS)
        raise InputError(
            f"expected only id and op beside fields; put {others} into fields", field="fields"
        )
    return item, change, fields_text(fields)
