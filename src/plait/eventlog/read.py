"""The log as columns, in chunks by offset: never one long transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plait.data.catalogue import NO_TIME
from plait.data.types import ABSENT
from plait.eventlog.storage_errors import storage_errors
from plait.eventlog.store import Store
from plait.eventlog.tables import TYPE_CODES

__all__ = ["EntityChange", "EventChunk", "read_chunks", "read_names", "read_requests", "read_said"]

_LAYOUT: list[tuple[str, Any]] = [
    ("offsets", np.int64),
    ("types", np.int8),
    ("kinds", np.int16),
    ("users", np.int32),
    ("items", np.int32),
    ("times", np.int64),
    ("positions", np.int64),
    ("values", np.float32),
    ("fields", object),
]
_SQL = (
    f"SELECT seq, type, coalesce(kind_no, {ABSENT}), coalesce(user_no, {ABSENT}),"  # noqa: S608
    f" coalesce(item_no, {ABSENT}), coalesce(time, {NO_TIME}), coalesce(position, {NO_TIME}),"
    " value, fields FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
)


@dataclass(frozen=True, slots=True, eq=False)
class EventChunk:
    """N events as parallel arrays, ordered by offset.

    `types` int8 indices into `plait.eventlog.TYPES`; `kinds` int16 numbers (see `Log.kinds`), -1
    for none; `users`, `items` int32, -1 for none; `times` microseconds UTC and `positions`, int64,
    `NO_TIME` for none; `values` float32, NaN for none; `fields` the text of a JSON object or None
    (a fact's holds "head" and "tail").
    """

    offsets: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]
    kinds: npt.NDArray[np.int16]
    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    fields: list[str | None]

    def __len__(self) -> int:
        return len(self.offsets)


def read_chunks(store: Store, after: int, until: int, chunk: int) -> Iterator[EventChunk]:
    """The events with offsets `after` + 1 .. `until`, at most `chunk` at a time."""
    layout = np.dtype(_LAYOUT)
    for start in range(after, until, chunk):
        stop = min(start + chunk, until)
        with storage_errors("read the log"), store.reading() as connection:
            table = np.fromiter(store.rows(connection, _SQL, start, stop), layout)
        columns = {name: np.ascontiguousarray(table[name]) for name, _ in _LAYOUT[:-1]}
        yield EventChunk(**columns, fields=table["fields"].tolist())


class EntityChange(NamedTuple):
    """What one event said of an item or a user: its offset, whose number, put, patch or delete,
    and the text of the fields in canonical form.
    """

    offset: int
    number: int
    kind: str
    fields: str | None


def read_said(
    store: Store, entity: Literal["item", "user"], until: int, chunk: int
) -> Iterator[EntityChange]:
    """All that was said of items (or users) up to offset `until`, `chunk` offsets at a time."""
    sql = (
        f"SELECT e.seq, e.{entity}_no, k.name, e.fields"  # noqa: S608 our names
        " FROM events e JOIN kinds k ON k.number = e.kind_no"
        f" WHERE e.type = {TYPE_CODES[entity]} AND e.seq > ? AND e.seq <= ? ORDER BY e.seq"
    )
    for start in range(0, until, chunk):
        stop = min(start + chunk, until)
        with storage_errors("read the log"), store.reading() as connection:
            found = list(map(EntityChange._make, store.rows(connection, sql, start, stop)))
        yield from found


def read_requests(store: Store, until: int, chunk: int) -> Iterator[tuple[int, str]]:
    """Offset and request id of the interactions up to offset `until` that name one, by offset."""
    sql = (
        f"SELECT seq, request_id FROM events WHERE type = {TYPE_CODES['interaction']}"  # noqa: S608
        " AND request_id IS NOT NULL AND seq > ? AND seq <= ? ORDER BY seq"
    )
    for start in range(0, until, chunk):
        stop = min(start + chunk, until)
        with storage_errors("read the log"), store.reading() as connection:
            found = list(store.rows(connection, sql, start, stop))
        yield from ((int(offset), str(named)) for offset, named in found)


def read_names(store: Store, sql: str, first: int) -> list[Any]:
    """The first column of what `sql` finds from number `first` on."""
    with storage_errors("read the log"), store.reading() as connection:
        return [row[0] for row in store.rows(connection, sql, first)]
