"""Reads any source as batches of events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from plait.data.catalogue import FieldType
from plait.errors import InputError, MappingError
from plait.ingest.chunk_stream import ChunkStream, can_reopen
from plait.ingest.column_mapping import FILE_KINDS, Alias, ColumnMapping, FileKind, load_mapping
from plait.ingest.column_notation import ColumnSurvey
from plait.ingest.column_parsers import parse_ids
from plait.ingest.column_roles import ColumnRoles, assign_roles
from plait.ingest.column_synonyms import normalized_name
from plait.ingest.entity_deduplication import ID, MajorityVote
from plait.ingest.event_builder import RECORD_TYPES, EventBatch, EventBuilder
from plait.ingest.event_ids import EventIdFactory, source_name
from plait.ingest.field_types import infer_field_types
from plait.ingest.line_splitter import LINE_LIMIT
from plait.ingest.nested_columns import parts_in
from plait.ingest.property_rows import PROPERTIES_NOTE, PropertyMerge
from plait.ingest.row_chunk import RowChunk
from plait.ingest.row_reader import RowReader, Source
from plait.ingest.row_reshaping import shaped
from plait.ingest.time_formats import check_time_formats
from plait.ingest.timestamps import check_timezone, now_micros
from plait.utils.path_kind import path_kind

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
    line_limit: int = LINE_LIMIT,
    types: Mapping[tuple[str, str], FieldType] = MappingProxyType({}),
    merge: bool = False,
    takes_columns: Callable[[Iterable[str]], bool] | None = None,
) -> Iterator[EventBatch]:
    """Read the rows of a file, a body, a frame or dictionaries as batches of events, in order.

    A row that cannot be read is reported in `EventBatch.rejects`; the others are read all the same.

    Args:
        source: A path, bytes, a binary stream, a data frame or dictionaries.
        kind: What the rows are.
        mapping: What the columns mean: a TOML file, or the dictionary it would hold.
        name: What messages call the source and derived ids begin with (default: the file's name,
            else `kind`).
        key: Keys the hashes in derived ids.
        now: The current time in microseconds since 1970 UTC, for tests.
        line_limit: The longest line in bytes.
        types: The types of the fields that the log knows, by (entity, field).
        merge: Whether a row of an item or a user that does not say what it is changes the fields
            that it has a column for, instead of replacing the item or user.
        takes_columns: Whether interactions of these event types are wanted as columns.

    Returns:
        The batches. The first chunk has been read when this returns.

    Raises:
        InputError: If the source cannot be opened or is empty.
        MappingError: If the columns cannot be understood.
    """
    if kind not in FILE_KINDS:
        raise InputError(f"unknown kind of rows {kind!r}", hint=f"one of {', '.join(FILE_KINDS)}")
    columns = _mapping_for(kind, mapping)
    check_timezone(columns.timezone)
    check_time_formats(columns.time_format)
    name = name or _name_of(source) or kind
    aliases = _read_aliases(columns.alias, source, columns.folder)
    rows = RowReader(source, name, columns, line_limit)
    event_ids = EventIdFactory(columns.source or source_name(name), key)

    def reopen() -> Iterator[RowChunk]:
        return shaped(RowReader(source, name, columns, line_limit).chunks(), columns, name)

    stream = ChunkStream(
        shaped(rows.chunks(), columns, name), reopen if can_reopen(source) else None
    )
    entity = RECORD_TYPES[kind]
    known = {field_name: dtype for (owner, field_name), dtype in types.items() if owner == entity}
    survey = ColumnSurvey(columns, known)
    return _EventReader(
        kind, columns, name, rows, stream, event_ids, survey, aliases, now, merge, takes_columns
    ).batches()


@dataclass(slots=True, eq=False)
class _EventReader:
    """One source; the roles of its columns follow from the first rows."""

    kind: FileKind
    mapping: ColumnMapping
    name: str
    rows: RowReader
    stream: ChunkStream
    event_ids: EventIdFactory
    survey: ColumnSurvey
    aliases: Mapping[str, str]
    now: int | None
    merge: bool = False
    takes_columns: Callable[[Iterable[str]], bool] | None = None
    columns: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    builder: EventBuilder | None = None
    votes: MajorityVote | PropertyMerge | None = None
    inferred: Mapping[tuple[str, str], FieldType] | None = None

    def batches(self) -> Iterator[EventBatch]:
        """Assign roles by the first chunk, then give batches."""
        first = next(self.stream, None)
        if first is None:
            return iter(())
        self._add_columns(first)
        return self._batches(chain([first], self.stream))

    def _add_columns(self, chunk: RowChunk) -> None:
        """Take up columns that were not there before: JSON may bring them at any time."""
        columns = tuple(dict.fromkeys((*self.columns, *chunk.names)))
        parts = {**self.parts, **parts_in(chunk)}
        if columns == self.columns and len(parts) == len(self.parts):
            return
        try:
            roles = self._roles(columns, parts)
        except MappingError:
            if self.builder is None:
                raise
            return  # one odd row does not change roles that worked so far
        self.columns, self.parts = columns, {**parts, **self.parts}
        self.builder = self._builder(roles)
        if roles.most_frequent and self.votes is None:
            role = "item" if self.kind == "items" else "user"
            self.votes = PropertyMerge(role, ID) if roles.properties else MajorityVote(role)

    def _roles(self, columns: Sequence[str], parts: Mapping[str, str]) -> ColumnRoles:
        """What the columns are; parts of objects that only later rows have are looked for there."""
        try:
            return assign_roles(self.kind, columns, self.mapping, self.name, parts)
        except MappingError:
            later = dict(parts)
            for chunk in self.stream.ahead() if self.builder is None else ():
                later |= parts_in(chunk)
            if len(later) == len(parts):
                raise
            roles = assign_roles(self.kind, columns, self.mapping, self.name, later)
            self.parts = later
            return roles

    def _builder(self, roles: ColumnRoles) -> EventBuilder:
        now = now_micros() if self.now is None else self.now
        merge = self.merge and roles.kind_default == "put" and not roles.mapping.kind_default
        merge = merge and "kind" not in roles.roles
        if merge:
            roles = replace(roles, kind_default="patch")
        return EventBuilder(
            roles,
            self.event_ids,
            self.survey,
            now=now,
            aliases=self.aliases,
            merge=merge and not roles.most_frequent,
            takes_columns=self.takes_columns,
        )

    def _batches(self, chunks: Iterable[RowChunk]) -> Iterator[EventBatch]:
        for chunk in chunks:
            self._add_columns(chunk)
            if self.builder is None or not len(chunk.rows):
                batch = EventBatch(self.name, [], chunk.rows, list(chunk.rejects))
            else:
                if not self.builder.roles.properties:
                    self.survey.examine(chunk, self.builder.roles, self.stream.ahead)
                batch = self._with_types(chunk, self.builder.build(chunk))
            if self.votes is not None:
                self.votes.add(batch.events, batch.rows)
                batch = replace(batch, events=[], rows=batch.rows[:0])
            yield replace(batch, consumed=self.rows.consumed, size=self.rows.size)
        if self.votes is not None and self.builder is not None:
            yield from self._merged(self.votes, self.builder.roles)

    def _with_types(self, chunk: RowChunk, batch: EventBatch) -> EventBatch:
        """The batch with types for new fields, where the source has more rows than this chunk."""
        if batch.columns is not None:
            return batch
        if self.inferred is None and self.builder is not None and self.votes is None:
            chunks = self.stream.all_rows(chunk)
            entity = RECORD_TYPES[self.kind]
            self.inferred = infer_field_types(chunks, entity, self.builder.roles, self.survey)
        return replace(batch, types={**(self.inferred or {}), **batch.types})

    def _merged(
        self, votes: MajorityVote | PropertyMerge, roles: ColumnRoles
    ) -> Iterator[EventBatch]:
        """A row for each item (or user), from rows that were only counted or collected."""
        if isinstance(votes, PropertyMerge):
            roles = _roles_of_properties(roles, votes.names)
            self.survey.notes.append(PROPERTIES_NOTE)
        else:
            roles = _roles_of_votes(roles)
        builder = self._builder(roles)
        for chunk in votes.chunks():
            if isinstance(votes, PropertyMerge):
                self.survey.examine(chunk, roles, votes.chunks)
            yield builder.build(chunk)


def _roles_of_votes(roles: ColumnRoles) -> ColumnRoles:
    """The roles of the columns that `MajorityVote` gives: fields under their names."""
    names = {*(name for _, name in roles.fields), *roles.mapping.flags}
    return replace(
        roles,
        roles={"item" if roles.kind == "items" else "user": ID},
        fields=tuple((name, name) for name in sorted(names)),
        nested="",
        most_frequent=False,
        mapping=replace(roles.mapping, flags={}, split={}),
    )


def _roles_of_properties(roles: ColumnRoles, names: Iterable[str]) -> ColumnRoles:
    """The roles of the columns that `PropertyMerge` gives: properties under their names."""
    renamed, rest = roles.mapping.fields, roles.mapping.fields.get("*", "")
    fields = {name: renamed.get(name, rest if rest is False else name) for name in names}
    return replace(
        roles,
        roles={"item" if roles.kind == "items" else "user": ID},
        fields=tuple((name, str(field)) for name, field in sorted(fields.items()) if field),
        properties={},
        nested="",
        most_frequent=False,
        mapping=replace(roles.mapping, flags={}),
    )


def _mapping_for(kind: str, mapping: MapSource) -> ColumnMapping:
    if isinstance(mapping, Mapping) and any(
        isinstance(table, ColumnMapping) for table in mapping.values()
    ):
        table: ColumnMapping = mapping.get(kind, ColumnMapping())
        return table
    return load_mapping(mapping).get(kind, ColumnMapping())


def _name_of(source: object) -> str:
    if isinstance(source, str | Path):
        return Path(source).name
    name = getattr(source, "name", "")  # an open file has its path as its name
    return Path(name).name if isinstance(name, str) else ""


def _read_aliases(alias: Alias | None, source: object, folder: str) -> dict[str, str]:
    """The alias table, looked for beside the data, beside the mapping, then from here."""
    if alias is None:
        return {}
    folders = [Path(source).parent] if isinstance(source, str | Path) else []
    candidates = [parent / alias.file for parent in [*folders, Path(folder or "."), Path()]]
    path = next((candidate for candidate in candidates if path_kind(candidate) == "file"), None)
    if path is None:
        hint = f"looked at {', '.join(map(str, candidates))}"
        message = f"the alias table {alias.file} does not exist"
        raise MappingError(message, hint=hint, field="alias")
    aliases: dict[str, str] = {}
    for chunk in RowReader(path, path.name, ColumnMapping()).chunks():
        if len(chunk.rows):
            old_ids, new_ids = (
                _alias_ids(chunk, column, path) for column in (alias.from_, alias.to)
            )
            pairs = zip(old_ids, new_ids, strict=True)
            aliases.update((old, new) for old, new in pairs if old and new)
    return aliases


def _alias_ids(chunk: RowChunk, name: str, path: Path) -> list[str | None]:
    candidates = [
        column for column in chunk.names if normalized_name(column) == normalized_name(name)
    ]
    if len(candidates) != 1:
        message = f"{path.name} has no column {name!r}"
        hint = f"columns are {', '.join(chunk.names)}"
        raise MappingError(message, hint=hint, field="alias")
    ids: list[str | None] = parse_ids(
        chunk.raw(candidates[0]), textual=chunk.textual
    ).values.to_list()
    return ids
