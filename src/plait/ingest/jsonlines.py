"""JSON lines, and a JSON array: one object a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from plait.errors import InputError
from plait.ingest.line_splitter import BadLine
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import ROWS, DictChunk

__all__ = ["ARRAY_LIMIT", "read_array", "read_dicts", "read_jsonlines"]

ARRAY_LIMIT = 64 << 20
"""The longest JSON array in bytes: it cannot be read in pieces."""

_OBJECT = "a JSON object on each line"


class _Writer:
    """Numbers rows and makes chunks of them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._row = 0
        self._names: dict[str, None] = {}

    def refuse(self, value: bytes, expected: str) -> Rejected:
        self._row += 1
        return Rejected(self._name, self._row, "", shortened(value), expected)

    def chunk(self, found: Sequence[Any], raw: Sequence[Any], expected: str) -> DictChunk:
        """A chunk of the objects in `found`; what is none (see `raw`) is refused."""
        dicts: list[Mapping[str, Any]] = []
        rows: list[int] = []
        rejects = []
        for one, line in zip(found, raw, strict=True):
            if isinstance(one, Mapping):
                self._row += 1
                dicts.append(one)
                rows.append(self._row)
                self._names.update(dict.fromkeys(one))
            else:
                rejects.append(self.refuse(line, expected))
        return DictChunk(dicts, np.array(rows, np.int64), list(self._names), rejects)


def read_jsonlines(runs: Iterable[bytes | BadLine], name: str) -> Iterator[DictChunk]:
    """A chunk for at most `ROWS` lines; blank ones do not count, what is no object is refused."""
    writer = _Writer(name)
    for run in runs:
        if isinstance(run, BadLine):
            reject = writer.refuse(run.value, run.expected)
            yield DictChunk([], np.zeros(0, np.int64), [], [reject])
            continue
        lines = [line for line in run.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
        for start in range(0, len(lines), ROWS):
            piece = lines[start : start + ROWS]
            yield writer.chunk(_parsed(piece), piece, _OBJECT)


def _parsed(lines: Sequence[bytes]) -> list[Any]:
    try:
        return [orjson.loads(line) for line in lines]
    except ValueError:
        return [_parsed_line(line) for line in lines]


def _parsed_line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def read_array(blocks: Iterable[bytes], name: str) -> Iterator[DictChunk]:
    """The objects of one JSON array. InputError if it is too long or no JSON."""
    parts: list[bytes] = []
    size = 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size > ARRAY_LIMIT:
            limit = f"{name} is a JSON array of more than {ARRAY_LIMIT >> 20} MiB"
            raise InputError(limit, hint="write one object a line (JSON lines) instead")
    try:
        found = orjson.loads(b"".join(parts))
    except ValueError as problem:
        raise InputError(f"{name} is no JSON: {problem}") from problem
    return read_dicts(found, name)


def read_dicts(dicts: Iterable[Any], name: str) -> Iterator[DictChunk]:
    """Objects in memory, `ROWS` at a time."""
    writer = _Writer(name)
    waiting = iter(dicts)
    while piece := list(islice(waiting, ROWS)):
        yield writer.chunk(piece, piece, "an object (names and values)")
