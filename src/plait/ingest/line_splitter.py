"""Blocks of bytes to whole lines; lines that are too long or no text are set aside."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from plait.errors import MappingError

__all__ = ["LINE_LIMIT", "BadLine", "decoded", "read_lines"]

LINE_LIMIT = 1 << 20
"""The longest line (and the longest record of several quoted lines) in bytes, by default."""

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class BadLine(NamedTuple):
    """A line that is no row: its beginning, and what was expected."""

    value: bytes
    expected: str


def read_lines(
    blocks: Iterable[bytes], limit: int = LINE_LIMIT, *, cut_off: Callable[[], bool] = lambda: False
) -> Iterator[bytes | BadLine]:
    """Runs of whole lines, each ended by a newline, in their order; between them what is no text.

    Text is UTF-8 without NUL. At most one block and one line are held at a time. `cut_off`, asked
    at the end, says that the bytes ended early: then the last line is no whole one and is dropped.
    """
    carry, skipping = b"", False
    for block in blocks:
        start = block.find(b"\n") + 1 if skipping else 0
        if skipping and not start:
            continue
        skipping = False
        data = carry + block[start:]
        cut = data.rfind(b"\n") + 1
        yield from _checked(data[:cut], limit)
        carry = data[cut:]
        if len(carry) > limit:
            yield _too_long(carry, limit)
            carry, skipping = b"", True
    if carry and not cut_off():
        yield from _checked(carry + b"\n", limit)


def _checked(data: bytes, limit: int) -> Iterator[bytes | BadLine]:
    if not data:
        return
    if _longest(data) <= limit and b"\0" not in data and _is_text(data):
        yield data
        return
    good: list[bytes] = []
    for line in data[:-1].split(b"\n"):
        bad = _problem(line, limit)
        if bad is None:
            good.append(line)
            continue
        if good:
            yield b"\n".join(good) + b"\n"
            good = []
        yield bad
    if good:
        yield b"\n".join(good) + b"\n"


def _longest(data: bytes) -> int:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return int(np.diff(ends, prepend=-1).max()) - 1


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _problem(line: bytes, limit: int) -> BadLine | None:
    if len(line) > limit:
        return _too_long(line, limit)
    if b"\0" in line:
        return BadLine(line, "text without NUL bytes in the encoding of the file")
    if not _is_text(line):
        return BadLine(line, "UTF-8 text (a mapping can name another `encoding`)")
    return None


def _too_long(line: bytes, limit: int) -> BadLine:
    return BadLine(line[:800], f"a line of at most {limit} bytes")


def decoded(blocks: Iterable[bytes], head: bytes, encoding: str) -> Iterator[bytes]:
    """The blocks as UTF-8. `encoding` "" is UTF-8, or what a byte order mark in `head` says.

    Bytes that the encoding does not know become NUL, which no line may have.
    Raises MappingError for an encoding that nobody knows.
    """
    marked = next((name for mark, name in _BOMS.items() if head.startswith(mark)), "")
    encoding = encoding or marked
    try:
        known = codecs.lookup(encoding or "utf-8")
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")(errors="plait-nul")
        "".encode(encoding or "utf-8")  # refuses what is no encoding of text (base64, ...)
    except LookupError as problem:
        hint = "for example utf-8, latin-1, cp1252, utf-16, gb18030"
        message = f"unknown encoding {encoding!r}"
        raise MappingError(message, hint=hint, field="encoding") from problem
    if known.name == "utf-8":
        return iter(blocks)
    return _transcoded(blocks, decoder)


def _transcoded(blocks: Iterable[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[bytes]:
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _nul(problem: UnicodeError) -> tuple[str, int]:
    if isinstance(problem, UnicodeDecodeError):
        return "\0", problem.end
    raise problem


codecs.register_error("plait-nul", _nul)
