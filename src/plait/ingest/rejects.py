"""The rejects file: one line for each row that could not be read, beside the log."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from plait.errors import StorageError
from plait.ingest.plain_values import with_escapes

__all__ = ["Rejected", "RejectsFile", "forget", "shortened"]

_LONGEST = 200


class Rejected(NamedTuple):
    """A row that was refused.

    Attributes:
        file: The name of the source.
        row: The number of the data row, from 1 (neither the header nor blank lines count); 0 is the
            file as a whole.
        field: What was wrong with it; "" for all of it.
        value: What stood there, at most 200 characters of it.
        expected: What was expected there.
    """

    file: str
    row: int
    field: str
    value: str
    expected: str


def shortened(value: Any) -> str:
    """Write a value as text of at most 200 characters.

    Args:
        value: Any value; bytes are read as UTF-8.

    Returns:
        The text, "" for None.
    """
    if isinstance(value, bytes):
        value = value[: 4 * _LONGEST].decode("utf-8", "replace")
    try:
        text = "" if value is None else str(value)
    except RecursionError:  # lists in lists, thousands deep
        text = reprlib.repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def forget(folder: Path, external_id: str) -> int:
    """Remove the lines that quote an id from all rejects files.

    Args:
        folder: The folder of the files.
        external_id: The id. A line that quotes it only as a part of something longer goes too.

    Returns:
        How many lines were removed.

    Raises:
        StorageError: If a file cannot be written.
    """
    quoted, removed = orjson.dumps(external_id)[1:-1], 0
    try:
        for path in sorted(folder.glob("*.jsonl")):
            lines = path.read_bytes().splitlines(keepends=True)
            others = [line for line in lines if quoted not in line]
            if len(others) < len(lines):
                draft = path.with_suffix(".draft")
                draft.write_bytes(b"".join(others))
                draft.replace(path)
                removed += len(lines) - len(others)
    except OSError as problem:
        raise StorageError(f"cannot write to {folder}: {problem}") from problem
    return removed


class RejectsFile:
    """JSON lines at `folder/<source>-<time>.jsonl`, created when the first row is written.

    Args:
        folder: The folder of the file.
        source: The name of the source.
        private: Leave the values out, because they may name users who go by pseudonyms.

    Attributes:
        path: The file.
        count: How many rows were written.
    """

    def __init__(self, folder: Path, source: str, *, private: bool = False) -> None:
        stem = re.sub(r"[^\w.-]+", "_", source)[:64] or "rows"
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self.path = folder / f"{stem}-{now}.jsonl"
        self.count = 0
        self._private = private
        self._file: BufferedWriter | None = None

    def write(self, rejects: Iterable[Rejected]) -> None:
        """Add rows.

        Args:
            rejects: The rows.

        Raises:
            StorageError: If the file cannot be written.
        """
        rows = (reject._replace(value="") if self._private else reject for reject in rejects)
        lines = []
        for row in rows:  # lone surrogates, which JSON cannot hold, are written as their escapes
            field, value = with_escapes(row.field), with_escapes(row.value)
            lines.append(orjson.dumps(row._replace(field=field, value=value)._asdict()))
        if not lines:
            return
        with self._storage_errors():
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
            self._file.write(b"\n".join(lines) + b"\n")
        self.count += len(lines)

    def flush(self) -> None:
        """Make what was written readable for others. StorageError if the disk refuses."""
        if self._file is not None:
            with self._storage_errors():
                self._file.flush()

    def close(self) -> None:
        """Close the file. StorageError if the disk refuses what was still to be written."""
        file, self._file = self._file, None
        if file is not None:
            with self._storage_errors():
                file.close()

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise StorageError(f"cannot write {self.path}: {problem}") from problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
