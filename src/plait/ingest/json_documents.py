"""Reads JSON whose objects run over several lines, and lists of rows within one object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import orjson

from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.extended_json import MARK, plain_extended
from plait.ingest.jsonlines import ARRAY_LIMIT, read_dicts
from plait.ingest.line_splitter import without_bom
from plait.ingest.row_chunk import DictChunk
from plait.ingest.source_notes import ImportNote

__all__ = ["may_be_document", "read_document"]

_IDS = frozenset().union(*ROLES["items"]["item"], *ROLES["users"]["user"], *ROLES["facts"]["head"])
_MAX_LEVELS = 4
_BLANKS = b" \t\r\n"


def may_be_document(head: bytes, limit: int, *, is_whole: bool) -> bool:
    """Return whether JSON that begins with a brace is something else than an object on each line.

    Args:
        head: The beginning of the text.
        limit: The longest line in bytes.
        is_whole: Whether nothing follows.
    """
    line, end, rest = without_bom(head).lstrip(_BLANKS).partition(b"\n")
    following = rest.lstrip(_BLANKS)
    if not end and not is_whole:
        return len(line) > limit
    try:
        orjson.loads(line)
    except ValueError:
        return not following.startswith(b"{")
    return is_whole and not following


def read_document(
    blocks: Iterable[bytes], name: str, columns: Iterable[str] = ()
) -> tuple[Iterator[DictChunk] | None, Iterator[bytes]]:
    """Read the objects of a text one after the other, or the list of rows within a single object.

    The rows of an answer of an interface stand in a list, beside its page number and the like:
    `{"products": [{"id": 1}], "page": 1}`. An object that names an item or a user is a row itself,
    and so is one with a column that a mapping names. Rows such as `{"node": {"id": 1}}` are what
    stands within.

    Args:
        blocks: The text, which begins with a brace.
        name: The name of the source.
        columns: The columns that the mapping names.

    Returns:
        Chunks of at most `ROWS` rows, None if this is no such text; and all blocks once more.
    """
    unread, held = iter(blocks), bytearray()
    for block in unread:
        held += block
        if len(held) > ARRAY_LIMIT:
            return None, chain([bytes(held)], unread)
    text = bytes(held)
    values = _objects_of(text)
    if MARK in text:
        values = plain_extended(values)
    if not values:
        return None, iter([text])
    first = {normalized_name(column.split(".", maxsplit=1)[0]) for column in columns}
    is_row = len(values) > 1 or any(normalized_name(key) in first for key in values[0])
    rows, path = (values, "") if is_row else _rows_within(values[0])
    if path:
        message = f"its rows are those of the list {path!r}; what stands beside it is not read"
        return _with_note(read_dicts(rows, name), ImportNote("inner-list", "", message)), iter(())
    is_a_line = len(values) == 1 and b"\n" not in text.strip(_BLANKS)
    return None if is_a_line else read_dicts(values, name), iter([text])


def _objects_of(text: bytes) -> list[Mapping[str, Any]]:
    """The objects of a text of objects alone; none if it is something else."""
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    values: list[Mapping[str, Any]] = []
    try:
        characters, start = text.decode("utf-8-sig"), 0
        while start < len(characters):
            if characters[start] in " \t\r\n,":
                start += 1
                continue
            value, start = decoder.raw_decode(characters, start)
            if not isinstance(value, dict):
                return []
            values.append(value)
    except (ValueError, RecursionError):
        return []
    return values


def _rows_within(value: Mapping[str, Any]) -> tuple[Sequence[Any], str]:
    """The only list of objects in an object that is no row, and the path to it, "" for none."""
    path: list[str] = []
    while len(path) < _MAX_LEVELS and not any(normalized_name(name) in _IDS for name in value):
        lists = [name for name, inner in value.items() if _is_list_of_objects(inner)]
        objects = [name for name, inner in value.items() if isinstance(inner, Mapping) and inner]
        if len(lists) == 1:
            return _without_shell(value[lists[0]]), ".".join([*path, lists[0]])
        if lists or len(objects) != 1:
            break
        path.append(objects[0])
        value = value[objects[0]]
    return [], ""


def _without_shell(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What stands within objects of the same single key."""
    key = next(iter(rows[0]), "")
    if all(len(row) == 1 and isinstance(row.get(key), Mapping) for row in rows):
        return [row[key] for row in rows]
    return rows


def _is_list_of_objects(value: Any) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(member, Mapping) for member in value)


def _with_note(chunks: Iterator[DictChunk], note: ImportNote) -> Iterator[DictChunk]:
    for chunk in chunks:
        yield replace(chunk, notes=[*chunk.notes, note])
