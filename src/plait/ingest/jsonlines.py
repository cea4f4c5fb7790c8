"""JSON lines, a JSON array, and dictionaries in memory: one object a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import orjson

from plait.errors import InputError
from plait.ingest.line_splitter import BadLine, without_bom
from plait.ingest.rejects import Rejected, shortened
from plait.ingest.row_chunk import ROWS, DictChunk

__all__ = ["ARRAY_LIMIT", "read_array", "read_dicts", "read_jsonlines"]

ARRAY_LIMIT = 64 << 20
"""The longest JSON array in bytes: it cannot be read piece by piece."""


class _ChunkWriter:
    """Numbers rows and makes chunks of them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._row = 0
        self._names: dict[str, None] = {}

    def chunk(self, values: Sequence[Any], raw: Sequence[Any], expected: str) -> DictChunk:
        """A chunk of the objects in `values`; other values are refused, and `raw` is reported."""
        dicts: list[Mapping[str, Any]] = []
        rows: list[int] = []
        rejects = []
        for value, line in zip(values, raw, strict=True):
            self._row += 1
            if isinstance(value, Mapping):
                dicts.append(value)
                rows.append(self._row)
                self._names.update(dict.fromkeys(value))
            else:
                rejects.append(Rejected(self._source, self._row, "", shortened(line), expected))
        return DictChunk(dicts, np.array(rows, np.int64), list(self._names), rejects)


def read_jsonlines(runs: Iterable[bytes | BadLine], name: str) -> Iterator[DictChunk]:
    """Read one JSON object a line; blank lines do not count.

    Args:
        runs: Whole lines, see `plait.ingest.line_splitter.read_lines`.
        name: The name of the source.

    Yields:
        Chunks of at most `ROWS` rows; a line that is not an object is refused.
    """
    writer = _ChunkWriter(name)
    for run in runs:
        if isinstance(run, BadLine):
            yield writer.chunk([None], [run.value], run.expected)
            continue
        lines = [line for line in without_bom(run).split(b"\n") if line.strip()]
        for start in range(0, len(lines), ROWS):
            batch = lines[start : start + ROWS]
            yield writer.chunk(_parse_lines(batch), batch, "a JSON object on each line")


def _parse_lines(lines: Sequence[bytes]) -> list[Any]:
    try:
        return [orjson.loads(line) for line in lines]
    except ValueError:
        return [_parse_line(line) for line in lines]


def _parse_line(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
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
    try:
        values = orjson.loads(without_bom(bytes(data)))
    except ValueError as problem:
        raise InputError(f"{name} is not valid JSON: {problem}") from problem
    return read_dicts(values, name)


def read_dicts(dicts: Iterable[Any], name: str) -> Iterator[DictChunk]:
    """Read objects in memory.

    Args:
        dicts: The objects; anything that is not a mapping is refused.
        name: The name of the source.

    Yields:
        Chunks of at most `ROWS` rows.
    """
    writer = _ChunkWriter(name)
    values = iter(dicts)
    while batch := list(islice(values, ROWS)):
        yield writer.chunk(batch, batch, "an object (names and values)")
