"""The whole road from any source to batches of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from plait.errors import InputError, MappingError
from plait.ingest.column_mapping import KINDS, Alias, ColumnMapping, FileKind, load_mapping
from plait.ingest.column_parsers import ids_of
from plait.ingest.column_roles import ColumnRoles, make_plan
from plait.ingest.column_synonyms import key_of
from plait.ingest.event_builder import EventBatch, EventBuilder
from plait.ingest.event_ids import EventIdFactory, source_name
from plait.ingest.format_detection import RowReader, Source
from plait.ingest.line_splitter import LINE_LIMIT
from plait.ingest.majority_vote import ID, MajorityVote
from plait.ingest.row_chunk import RowChunk
from plait.ingest.timestamps import check_timezone, now_micros

__all__ = ["read_events"]

MapSource = str | Path | Mapping[str, Any] | None


def read_events(
    source: Source,
    kind: FileKind = "events",
    mapping: MapSource = None,
    *,
    name: str = "",
    key: bytes = b"",
    now: int | None = None,
    untimed: Literal["reject", "now"] = "reject",
    line_limit: int = LINE_LIMIT,
) -> Iterator[EventBatch]:
    """The rows of a file, a body, a frame or dictionaries as batches of events, in their order.

    `kind`: what the rows are. `mapping`: a TOML file, or the dictionary it would hold. `name` is
    what messages call the source and derived ids begin with (default: the file's name, else
    `kind`). `key` keys the hashes in derived ids. `now`: microseconds since 1970, for tests.
    `untimed`: what becomes of interactions whose time is missing. A row that cannot be read becomes
    a line in `Batch.rejects` and stops nothing.

    Raises InputError if the source cannot be opened or is empty, MappingError if it cannot be
    understood: at once, before the first batch.
    """
    if kind not in KINDS:
        raise InputError(f"no kind of rows {kind!r}", hint=f"one of {', '.join(KINDS)}")
    file_map = _map_for(kind, mapping)
    check_timezone(file_map.timezone)
    name = name or _name_of(source) or kind
    aliases = _aliases(file_map.alias, source, file_map.folder)
    reading = RowReader(source, name, file_map, line_limit)
    identity = EventIdFactory(file_map.source or source_name(name), key)

    def build(plan: ColumnRoles) -> EventBuilder:
        moment = now_micros() if now is None else now
        return EventBuilder(plan, identity, now=moment, untimed=untimed, aliases=aliases)

    road = EventReader(kind, file_map, name, reading, build)
    return road.start()


class EventReader:
    """One source on its way; the plan follows from the columns of the first rows."""

    def __init__(
        self, kind: FileKind, mapping: ColumnMapping, name: str, reading: RowReader, build: Any
    ) -> None:
        self._kind, self._mapping, self._name = kind, mapping, name
        self._reading = reading
        self._build = build
        self._columns: dict[str, None] = {}
        self._builder: EventBuilder | None = None
        self._tally: MajorityVote | None = None

    def start(self) -> Iterator[EventBatch]:
        """Plan by the first chunk, then give batches."""
        chunks = self._reading.chunks()
        first = next(chunks, None)
        if first is None:
            return iter(())
        self._plan(first)
        return self._batches(chain([first], chunks))

    def _plan(self, chunk: RowChunk) -> None:
        """Take up columns that were not there before: JSON may bring them at any time."""
        fresh = dict.fromkeys(one for one in chunk.names if one not in self._columns)
        if not fresh:
            return
        columns = {**self._columns, **fresh}
        try:
            plan = make_plan(self._kind, list(columns), self._mapping, self._name)
        except MappingError:
            if self._builder is None:
                raise
            return  # one odd row changes no plan that worked so far
        self._columns = columns
        self._builder = self._build(plan)
        if plan.most_frequent and self._tally is None:
            self._tally = MajorityVote("item" if self._kind == "items" else "user")

    def _batches(self, chunks: Iterable[RowChunk]) -> Iterator[EventBatch]:
        for chunk in chunks:
            self._plan(chunk)
            batch = self._batch(chunk)
            if self._tally is not None:
                self._tally.add(batch.events, batch.rows)
                batch = replace(batch, events=[], rows=batch.rows[:0])
            reading = self._reading
            yield replace(batch, consumed=reading.consumed, size=reading.size)
        if self._tally is not None and self._builder is not None:
            builder = self._build(_counted(self._builder.plan))
            for chunk in self._tally.chunks():
                yield builder.build(chunk)

    def _batch(self, chunk: RowChunk) -> EventBatch:
        if self._builder is None or not len(chunk.rows):
            return EventBatch(self._name, [], chunk.rows, list(chunk.rejects))
        return self._builder.build(chunk)


def _counted(plan: ColumnRoles) -> ColumnRoles:
    """The plan for what a tally gives back: fields under their names."""
    role = "item" if plan.kind == "items" else "user"
    names = {*(name for _, name in plan.fields), *plan.mapping.flags}
    return replace(
        plan,
        roles={role: ID},
        fields=tuple((one, one) for one in sorted(names)),
        nested="",
        most_frequent=False,
        mapping=replace(plan.mapping, flags={}, split={}),
    )


def _map_for(kind: str, mapping: MapSource) -> ColumnMapping:
    if isinstance(mapping, Mapping) and any(
        isinstance(one, ColumnMapping) for one in mapping.values()
    ):
        found: ColumnMapping = mapping.get(kind, ColumnMapping())
        return found
    return load_mapping(mapping).get(kind, ColumnMapping())


def _name_of(source: object) -> str:
    if isinstance(source, str | Path):
        return Path(source).name
    inner = getattr(source, "name", "")  # an open file knows where it lies
    return Path(inner).name if isinstance(inner, str) else ""


def _aliases(alias: Alias | None, source: object, folder: str) -> dict[str, str]:
    """The alias table, looked for beside the data, beside the mapping, then from here."""
    if alias is None:
        return {}
    beside = [Path(source).parent] if isinstance(source, str | Path) else []
    places = [one / alias.file for one in [*beside, Path(folder or "."), Path()]]
    path = next((one for one in places if one.is_file()), None)
    if path is None:
        hint = f"looked at {', '.join(str(one) for one in places)}"
        message = f"there is no alias table {alias.file}"
        raise MappingError(message, hint=hint, field="alias")
    table: dict[str, str] = {}
    for chunk in RowReader(path, path.name, ColumnMapping()).chunks():
        if len(chunk.rows):
            before, after = (_alias_column(chunk, one, path) for one in (alias.from_, alias.to))
            table.update((one, two) for one, two in zip(before, after, strict=True) if one and two)
    return table


def _alias_column(chunk: RowChunk, wanted: str, path: Path) -> list[str | None]:
    alike = [one for one in chunk.names if key_of(one) == key_of(wanted)]
    if len(alike) != 1:
        message = f"{path.name} has no column {wanted!r}"
        hint = f"columns are {', '.join(chunk.names)}"
        raise MappingError(message, hint=hint, field="alias")
    found: list[str | None] = ids_of(chunk.column(alike[0]), textual=chunk.textual)[0].to_list()
    return found
