"""Splits blocks of bytes into whole lines; sets aside lines that are too long or not text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from plait.errors import MappingError

__all__ = [
    "LINE_LIMIT",
    "BadLine",
    "decode_blocks",
    "read_lines",
    "shorten_blank_runs",
    "unify_line_ends",
    "without_blank_lines",
    "without_bom",
]

_BLANKS = b" \t\r\n"
_BLANK_LINES = re.compile(rb"\n[ \t\r\n]*\n")

LINE_LIMIT = 1 << 20
"""The longest line (and the longest record of several quoted lines) in bytes, by default."""

_SHOWN = 4000
_MARKED_LINE = re.compile(rb"^\xef\xbb\xbf", re.MULTILINE)
_WORDS = re.compile(r"\w+")
_ENCODINGS = (
    ("gb18030", "gb2312", re.compile(r"[\w\u4e00-\u9fff]*[\u4e00-\u9fff]{2}\w*")),
    ("shift_jis", "shift_jis", re.compile(r"\w*[\u3041-\u30ff\u4e00-\u9fff]{2}\w*")),
    ("euc-kr", "euc-kr", re.compile(r"\w*[\uac00-\ud7a3]{2}\w*")),
    ("cp1251", "cp1251", re.compile(r"[\u0410-\u044f\u0401\u0451]{3,}")),
    ("cp1252", "cp1252", re.compile(r"[\w]*")),
    ("latin-1", "latin-1", re.compile(r"[\w]*")),
)
"""Encodings that are proposed, a narrower one that has to fit, and the words it must give."""

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, with whose mark it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class BadLine(NamedTuple):
    """A line that cannot be a row.

    Attributes:
        value: How it begins.
        expected: What was expected of it.
    """

    value: bytes
    expected: str


def without_bom(data: bytes) -> bytes:
    """Remove the byte order mark of UTF-8.

    Args:
        data: The beginning of a text, or any later part of it.

    Returns:
        The same without the mark, if it begins with one.
    """
    return data.removeprefix(codecs.BOM_UTF8)


def without_blank_lines(data: bytes) -> bytes:
    """Remove the lines that hold nothing but blanks.

    Args:
        data: Whole lines, of which no value runs over several.

    Returns:
        The other lines.
    """
    return _BLANK_LINES.sub(b"\n", data.lstrip(_BLANKS))


def shorten_blank_runs(data: bytes, limit: int) -> bytes:
    """Cut runs of empty lines that are longer than any record, be it quoted.

    Args:
        data: Whole lines.
        limit: The longest record in bytes.

    Returns:
        The lines, with at most `limit` empty ones in a row.
    """
    run = b"\n" * (limit + 1)
    if run not in data:
        return data
    return re.sub(rb"\n{%d,}" % len(run), run, data)


def unify_line_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Make every line end a newline: `\r\n`, `\r\r\n` and a lone `\r`, also where they are mixed.

    Args:
        blocks: UTF-8 text; one block may end within a line end.

    Yields:
        The same text in blocks of other lengths.
    """
    held = b""
    for block in blocks:
        data = held + block
        held = data[len(data.rstrip(b"\r")) :]
        if b"\r" in data:
            data = data[: len(data) - len(held)]
            data = data.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if data:
            yield data
    if held:
        yield b"\n"


def read_lines(
    blocks: Iterable[bytes], limit: int = LINE_LIMIT, *, cut_off: Callable[[], bool] = lambda: False
) -> Iterator[bytes | BadLine]:
    """Split blocks into lines of UTF-8 text without NUL.

    At most one block and one line are held at a time.

    Args:
        blocks: The bytes.
        limit: The longest line in bytes.
        cut_off: Called at the end; whether the bytes ended early. If so, the last line is not
            whole and is dropped.

    Yields:
        Runs of whole lines, each ended by a newline, in their order; between them the bad lines.
    """
    carry, skipping = b"", False
    for block in blocks:
        start = block.find(b"\n") + 1 if skipping else 0
        if skipping and not start:
            continue
        skipping = False
        data = carry + block[start:]
        end = data.rfind(b"\n") + 1
        yield from _check_lines(data[:end], limit)
        carry = data[end:]
        if len(carry) > limit:
            yield _too_long(carry, limit)
            carry, skipping = b"", True
    if carry and not cut_off():
        yield from _check_lines(carry + b"\n", limit)


def _check_lines(data: bytes, limit: int) -> Iterator[bytes | BadLine]:
    if not data:
        return
    if codecs.BOM_UTF8 in data:  # files that were put together have one at the head of each
        data = _MARKED_LINE.sub(b"", data)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    longest = int(np.diff(ends, prepend=-1).max()) - 1
    if longest <= limit and b"\0" not in data and _is_utf8(data):
        yield data
        return
    good: list[bytes] = []
    for line in data[:-1].split(b"\n"):
        bad = _line_problem(line, limit)
        if bad is None:
            good.append(line)
            continue
        if good:
            yield b"\n".join(good) + b"\n"
            good = []
        yield bad
    if good:
        yield b"\n".join(good) + b"\n"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line_problem(line: bytes, limit: int) -> BadLine | None:
    if len(line) > limit:
        return _too_long(line, limit)
    if b"\0" in line:
        return BadLine(line, "text without NUL bytes in the encoding of the file")
    if not _is_utf8(line):
        return BadLine(line, f"UTF-8 text (a mapping can name another: {_likely_encoding(line)})")
    return None


def _likely_encoding(line: bytes) -> str:
    """The settings for encodings that may be meant, each with a word that it gives."""
    readings = {}
    for name, strict, script in _ENCODINGS:
        word = _longest_word(line[:_SHOWN], strict)
        if word is not None and script.fullmatch(word):
            readings[name] = word[:40]
    if "cp1252" in readings:
        readings.pop("latin-1", None)  # the same but for a few signs
    listed = (
        f'encoding = "{name}"' + (f" reads {word!r}" if word else "")
        for name, word in readings.items()
    )
    return " or ".join(listed)


def _longest_word(line: bytes, encoding: str) -> str | None:
    """The longest word that is not ASCII, "" for none; None if the encoding does not fit."""
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError:
        return None
    return max((word for word in _WORDS.findall(text) if not word.isascii()), key=len, default="")


def _too_long(line: bytes, limit: int) -> BadLine:
    return BadLine(line[:800], f"a line of at most {limit} bytes")


def decode_blocks(blocks: Iterable[bytes], head: bytes, encoding: str) -> Iterator[bytes]:
    """Recode blocks as UTF-8; bytes that the encoding does not know become NUL.

    Args:
        blocks: The bytes.
        head: How they begin; a byte order mark there names the encoding.
        encoding: The encoding; "" is that of the mark, else UTF-8.

    Returns:
        The blocks in UTF-8.

    Raises:
        MappingError: If there is no such encoding.
    """
    marked = next((name for mark, name in _BOMS.items() if head.startswith(mark)), "")
    encoding = encoding or marked or _unmarked_utf16(head)
    try:
        name = codecs.lookup(encoding or "utf-8").name
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")(errors="plait-nul")
        "".encode(encoding or "utf-8")  # refuses codecs that are no encoding of text (base64, ...)
    except LookupError as problem:
        hint = "for example utf-8, latin-1, cp1252, utf-16, gb18030"
        message = f"unknown encoding {encoding!r}"
        raise MappingError(message, hint=hint, field="encoding") from problem
    return iter(blocks) if name == "utf-8" else _recode(blocks, decoder)


def _unmarked_utf16(head: bytes) -> str:
    """The encoding, if every other byte is NUL, as in the UTF-16 of western languages; else ""."""
    head = head[:400]
    if head.count(0) < len(head) / 3:
        return ""
    if not head[::2].count(0):
        return "utf-16-le"
    return "" if head[1::2].count(0) else "utf-16-be"


def _recode(blocks: Iterable[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[bytes]:
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", True).encode("utf-8", "replace")


def _replace_with_nul(problem: UnicodeError) -> tuple[str, int]:
    if isinstance(problem, UnicodeDecodeError):
        return "\0", problem.end
    raise problem


codecs.register_error("plait-nul", _replace_with_nul)
