"""What could not be read: one line a row, in a file beside the log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from plait.errors import StorageError

__all__ = ["Rejected", "RejectsFile", "forget", "shortened"]

_LONGEST = 200


class Rejected(NamedTuple):
    """A row that was refused.

    `row` counts the data rows of the file from 1 (neither the header nor blank lines count), 0 is
    the file as a whole; `field` is what was wrong with it ("" for all of it), `value` what stood
    there, at most 200 characters of it, `expected` what should have.
    """

    file: str
    row: int
    field: str
    value: str
    expected: str


def shortened(value: Any) -> str:
    """A value as text of at most 200 characters."""
    if isinstance(value, bytes):
        value = value[: 4 * _LONGEST].decode("utf-8", "replace")
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def forget(folder: Path, outside: str) -> int:
    """Drop the lines that quote an id, from all rejects files; how many went.

    A line that quotes it only as a part of something longer goes too. StorageError if the disk
    refuses.
    """
    quoted, gone = orjson.dumps(outside)[1:-1], 0
    try:
        for path in sorted(folder.glob("*.jsonl")):
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line in lines if quoted not in line]
            if len(kept) < len(lines):
                draft = path.with_suffix(".draft")
                draft.write_bytes(b"".join(kept))
                draft.replace(path)
                gone += len(lines) - len(kept)
    except OSError as problem:
        raise StorageError(f"cannot write to {folder}: {problem}") from problem
    return gone


class RejectsFile:
    """JSON lines at `folder/<source>-<time>.jsonl`, made when the first row comes.

    `private`: the values stay out, for they may name users who shall go by pseudonyms.
    """

    def __init__(self, folder: Path, source: str, *, private: bool = False) -> None:
        stem = re.sub(r"[^\w.-]+", "_", source)[:64] or "rows"
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self.path = folder / f"{stem}-{now}.jsonl"
        self.count = 0
        self._private = private
        self._file: BufferedWriter | None = None

    def write(self, rejects: Iterable[Rejected]) -> None:
        """Add rows. StorageError if the disk refuses."""
        told = (one._replace(value="") if self._private else one for one in rejects)
        lines = [orjson.dumps(one._asdict()) for one in told]
        if not lines:
            return
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("ab")
            self._file.write(b"\n".join(lines) + b"\n")
        except OSError as problem:
            raise StorageError(f"cannot write {self.path}: {problem}") from problem
        self.count += len(lines)

    def flush(self) -> None:
        """Let others read what was written. StorageError if the disk refuses."""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as problem:
            raise StorageError(f"cannot write {self.path}: {problem}") from problem

    def close(self) -> None:
        """Let go of the file. StorageError if the disk refuses what was still to be written."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
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
