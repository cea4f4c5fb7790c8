"""Reads JSON lines, JSON arrays and dictionaries in memory: one object for each row."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import orjson

from plait.errors import InputError
from plait.ingest.extended_json import MARK, plain_extended
from plait.ingest.json_array import array_parts
from plait.ingest.line_splitter import BadLine, without_blank_lines, without_bom
from plait.ingest.plain_values import MAX_LEVELS, with_escapes
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import ROWS, DictChunk

__all__ = ["ARRAY_LIMIT", "names_in_lines", "read_array", "read_dicts", "read_jsonlines"]

ARRAY_LIMIT = 64 << 20
"""The longest JSON array in bytes: all of it is read before its first row is taken."""

_LITERAL_LIMIT = 4 << 20
"""The longest text in bytes that is read as a literal of Python."""

_BLANKS_AND_COMMA = b" \t\r\n,"
_CONSTANTS = {"Infinity": float("inf"), "-Infinity": float("-inf")}
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_TOO_DEEP = re.compile(r"depth|recursion", re.IGNORECASE)
_PYTHON_NAMES = re.compile(rb"[{,]\s*u?'")


class _ChunkWriter:
    """Numbers rows and makes chunks of them.

    Args:
        source: The name of the source.
        names: The names in all rows, as far as they are known: a column that comes late is a column
            of the first chunk as well.
    """

    def __init__(self, source: str, names: Iterable[str]) -> None:
        self._source = source
        self._row = 0
        self._names = dict.fromkeys(map(_text_name, names))

    def chunk(self, values: Sequence[Any], raw: Sequence[Any], expected: str = "") -> DictChunk:
        """A chunk of the objects in `values`; other values are refused, and `raw` is reported.

        What is expected of a value follows from it if `expected` is empty.
        """
        dicts: list[Mapping[str, Any]] = []
        rows: list[int] = []
        rejects = []
        for value, line in zip(values, raw, strict=True):
            self._row += 1
            if isinstance(value, Mapping):
                named: Mapping[str, Any] = value
                if not all(type(name) is str and name.isascii() for name in value):
                    named = {_text_name(name): entry for name, entry in value.items()}
                dicts.append(named)
                rows.append(self._row)
                self._names.update(dict.fromkeys(named))
            else:
                reason = expected or _expected_of(line)
                rejects.append(Rejected(self._source, self._row, "", shortened(line), reason))
        return DictChunk(dicts, np.array(rows, np.int64), list(self._names), rejects)


def _expected_of(line: Any) -> str:
    """What was expected of a line that is no object."""
    expected = "a JSON object on each line"
    if not isinstance(line, bytes):
        return expected
    if _PYTHON_NAMES.search(line):
        return f"{expected}, with double quotes: this is Python's notation"
    try:
        orjson.loads(line)
    except ValueError as problem:
        if _TOO_DEEP.search(str(problem)):
            return f"{expected}, of at most {MAX_LEVELS} levels of lists and objects"
    return expected


def names_in_lines(runs: Iterable[bytes | BadLine]) -> list[str]:
    """List the names in all objects of JSON lines.

    Args:
        runs: Whole lines, see `plait.ingest.line_splitter.read_lines`.

    Returns:
        The names, each once, in the order in which they first come.
    """
    names: dict[str, None] = {}
    for run in runs:
        if not isinstance(run, BadLine):
            rows = _parse_lines(_lines_of(run))
            objects = (row for row in rows if isinstance(row, Mapping))
            names.update(dict.fromkeys(chain.from_iterable(objects)))
    return list(map(str, names))


def _lines_of(run: bytes) -> list[bytes]:
    lines = without_blank_lines(without_bom(run)).split(b"\n")
    return [line for line in lines if line.strip()]


def read_jsonlines(
    runs: Iterable[bytes | BadLine], name: str, names: Iterable[str] = ()
) -> Iterator[DictChunk]:
    """Read one JSON object a line; blank lines do not count.

    Args:
        runs: Whole lines, see `plait.ingest.line_splitter.read_lines`.
        name: The name of the source.
        names: The names in all objects, as far as they are known, see `names_in_lines`.

    Yields:
        Chunks of at most `ROWS` rows; a line that is not an object is refused.
    """
    writer = _ChunkWriter(name, names)
    for run in runs:
        if isinstance(run, BadLine):
            yield writer.chunk([None], [run.value], run.expected)
            continue
        lines = _lines_of(run)
        for start in range(0, len(lines), ROWS):
            batch = lines[start : start + ROWS]
            yield writer.chunk(_parse_lines(batch), batch)


def _parse_lines(lines: Sequence[bytes]) -> list[Any]:
    try:
        values = [orjson.loads(line) for line in lines]
    except ValueError:
        values = [_parse_line(line) for line in lines]
    if any(MARK in line for line in lines):
        return [plain_extended(value) for value in values]
    return values


def _parse_line(line: bytes) -> Any:
    try:
        return orjson.loads(line.rstrip(_BLANKS_AND_COMMA))
    except ValueError:
        return _parse_dialect(line)


def _parse_dialect(text: bytes) -> Any:
    """What Python writes for JSON, or instead of it; None if it is neither.

    NaN, which `json.dumps` writes, is None; Infinity and half of a pair of surrogates cost their
    field later. The quotes of `repr`, as in the Amazon data of 2014 and in Steam's, are read as a
    literal, which is data and never run.
    """
    try:
        if b"NaN" in text or b"Infinity" in text or _SURROGATE.search(text):
            return json.loads(text, parse_constant=_CONSTANTS.get)
    except (ValueError, RecursionError):
        pass
    if b"'" not in text or len(text) > _LITERAL_LIMIT:
        return None
    try:
        return ast.literal_eval(text.decode().strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def read_array(blocks: Iterable[bytes], name: str) -> Iterator[DictChunk]:
    """Read the objects of one JSON array.

    Args:
        blocks: The bytes of the array.
        name: The name of the source.

    Returns:
        Chunks of at most `ROWS` rows.

    Raises:
        InputError: If the array is longer than `ARRAY_LIMIT` or not JSON.
    """
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > ARRAY_LIMIT:
            limit = f"{name} is a JSON array of more than {ARRAY_LIMIT >> 20} MiB"
            raise InputError(limit, hint="write one object a line (JSON lines) instead")
    text = without_bom(bytes(data))
    try:
        # Once for the names of all rows, and to refuse a damaged array before its first row.
        names: dict[str, None] = {}
        for row in _rows_of_array(text):
            if isinstance(row, Mapping):
                names.update(dict.fromkeys(row))
    except ValueError as problem:
        values = _parse_dialect(text) if len(text) <= _LITERAL_LIMIT else None
        if not isinstance(values, list):
            message = f"{name} is not valid JSON: {problem}"
            hint = "write it with json.dump: this is Python's notation"
            hint = hint if _PYTHON_NAMES.search(text) else ""
            raise InputError(message, hint=hint) from problem
        return read_dicts(values, name)
    return _write_rows(_rows_of_array(text), _ChunkWriter(name, names))


def _rows_of_array(text: bytes) -> Iterator[Any]:
    """The elements of an array, of which few are in memory; ValueError if it is not JSON."""
    for part in array_parts(text):
        try:
            values = orjson.loads(part)
        except ValueError:
            values = _parse_dialect(part)
            if not isinstance(values, list):
                raise
        yield from plain_extended(values) if MARK in part else values


def read_dicts(dicts: Iterable[Any], name: str) -> Iterator[DictChunk]:
    """Read objects in memory.

    Args:
        dicts: The objects; anything that is not a mapping is refused. Of a sequence all names are
            known before the first chunk.
        name: The name of the source.

    Returns:
        Chunks of at most `ROWS` rows.
    """
    known = dicts if isinstance(dicts, Sequence) else ()
    objects = (row for row in known if isinstance(row, Mapping))
    names = dict.fromkeys(chain.from_iterable(objects))
    return _write_rows(dicts, _ChunkWriter(name, names))


def _write_rows(rows: Iterable[Any], writer: _ChunkWriter) -> Iterator[DictChunk]:
    values = iter(rows)
    while batch := list(islice(values, ROWS)):
        yield writer.chunk(batch, batch, "an object (names and values)")


def _text_name(name: Any) -> str:
    """The name of a column as text that can be stored."""
    return with_escapes(str(name))
