"""A file, a stream or a body as blocks of bytes: opened, decompressed, never held whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from plait.errors import InputError

__all__ = ["BLOCK", "ByteSource", "open_bytes"]

BLOCK = 4 << 20
"""Bytes read or decompressed at once."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class ByteSource:
    """Bytes on their way in.

    `size` is the length as it lies on disk (None: unknown), `consumed` how much of that was read,
    `damage` why the bytes ended early ("" as long as they did not), `path` the file if it is one
    and not compressed.
    """

    def __init__(self, name: str, raw: BinaryIO, path: Path | None, size: int | None) -> None:
        self.name = name
        self.path = path
        self.size = size
        self.consumed = 0
        self.damage = ""
        self._raw = raw
        self._owned = path is not None
        self._blocks = self._plain()
        self._head = next(self._blocks, b"")
        opener = _opener(self._head)
        if opener is not None:
            self.path = None
            self._blocks = self._unpacked(opener, self._rejoined())
            self._head = next(self._blocks, b"")

    @property
    def head(self) -> bytes:
        """The first block, decompressed; empty if there is nothing."""
        return self._head

    def blocks(self) -> Iterator[bytes]:
        """All blocks, decompressed; can be read once."""
        return self._rejoined()

    def close(self) -> None:
        """Let go of a file that was opened here."""
        if self._owned:
            self._raw.close()

    def _rejoined(self) -> Iterator[bytes]:
        return chain([self._head] if self._head else [], self._blocks)

    def _plain(self) -> Iterator[bytes]:
        while True:
            try:
                block: object = self._raw.read(BLOCK)
            except (OSError, ValueError) as problem:
                self.damage = f"a file that can be read to its end ({problem})"
                return
            if not block:
                return
            if not isinstance(block, bytes):
                hint = "open the file in binary mode"
                raise InputError(f"{self.name} gives {type(block).__name__}, not bytes", hint=hint)
            self.consumed += len(block)
            yield block

    def _unpacked(
        self, opener: Callable[[], _Unpacker], blocks: Iterator[bytes]
    ) -> Iterator[bytes]:
        """Members or frames one after the other; stops at the first that is not whole."""
        unpack = opener()
        started = False
        for block in blocks:
            rest = block
            while rest or unpack.pending:
                if not started and not rest.strip(b"\0"):
                    break  # padding behind the last member
                started = True
                try:
                    out, rest = unpack.feed(rest)
                except ValueError as problem:
                    self.damage = f"a whole compressed file ({problem})"
                    return
                if out:
                    yield out
                if unpack.eof:
                    unpack, started = opener(), False
        if started:
            self.damage = "a whole compressed file, not one that ends early"


class _Unpacker(Protocol):
    eof: bool
    pending: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """At most BLOCK bytes out, and what of `data` is still to be fed. ValueError if damaged."""


class _Gunzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self.eof = False
        self.pending = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            out = self._inner.decompress(data, BLOCK)
        except zlib.error as problem:
            raise ValueError(str(problem)) from problem
        self.eof = self._inner.eof
        self.pending = len(out) == BLOCK and not self.eof
        return out, self._inner.unused_data if self.eof else self._inner.unconsumed_tail


class _Unzstd:
    def __init__(self) -> None:
        self._module = _zstd()
        self._inner = self._module.ZstdDecompressor()
        self.eof = False
        self.pending = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            out: bytes = self._inner.decompress(data, BLOCK)
        except self._module.ZstdError as problem:
            raise ValueError(str(problem)) from problem
        self.eof = self._inner.eof
        self.pending = not self.eof and not self._inner.needs_input
        return out, self._inner.unused_data if self.eof else b""


def _zstd() -> Any:
    """The standard library's module from Python 3.14 on, its backport before."""
    try:
        return import_module("compression.zstd")
    except ImportError:
        return import_module("backports.zstd")


def _opener(head: bytes) -> Callable[[], _Unpacker] | None:
    if head.startswith(_GZIP):
        return _Gunzip
    return _Unzstd if head.startswith(_ZSTD) else None


def open_bytes(
    source: str | Path | bytes | bytearray | memoryview | BinaryIO, name: str
) -> ByteSource:
    """Open a path, bytes in memory or a binary stream; `name` is what messages call it.

    What is compressed has its checksums at its end, and a flipped bit may read as other rows. So it
    is unpacked once before the first row is taken, unless it is a stream that cannot go back.
    Raises InputError if there is no such file, it cannot be read, is damaged, or holds nothing.
    """
    path: Path | None = None
    size: int | None = None
    if isinstance(source, bytes | bytearray | memoryview):
        raw: BinaryIO = BytesIO(source)
        size = len(source)
    elif isinstance(source, str | Path):
        path = Path(source)
        raw, size = _open_path(path)
    else:
        raw = source
    try:
        _check_packed(raw, name)
        opened = ByteSource(name, raw, path, size)
    except InputError:
        if path is not None:
            raw.close()
        raise
    if not opened.head:
        opened.close()
        if opened.damage:
            raise InputError(f"{name} cannot be read", hint=f"expected {opened.damage}")
        raise InputError(f"{name} is empty", hint="a file with a header and no rows would be fine")
    return opened


def _check_packed(raw: BinaryIO, name: str) -> None:
    """Unpack what is compressed and let go of it; InputError if it is not whole."""
    if not _is_packed(raw):
        return
    start = raw.tell()
    probe = ByteSource(name, raw, None, None)
    for _ in probe.blocks():
        pass
    if probe.damage:
        raise InputError(
            f"{name} is damaged, and nothing of it was taken",
            hint=f"expected {probe.damage}; fetch it again, or pack it again",
        )
    raw.seek(start)


def _is_packed(raw: BinaryIO) -> bool:
    """Whether this is compressed and can be read twice; what else is wrong shows later."""
    try:
        if not hasattr(raw, "seekable") or not raw.seekable():
            return False
        start = raw.tell()
        head: object = raw.read(len(_ZSTD))
        raw.seek(start)
    except (OSError, ValueError):
        return False
    return isinstance(head, bytes) and _opener(head) is not None


def _open_path(path: Path) -> tuple[BinaryIO, int]:
    if path.is_dir():
        raise InputError(f"{path} is a folder", hint="name a file in it")
    try:
        return path.open("rb"), path.stat().st_size
    except FileNotFoundError as problem:
        raise InputError(f"there is no file {path}", hint="check the path") from problem
    except (OSError, ValueError) as problem:
        raise InputError(f"{path} cannot be opened: {problem}") from problem
