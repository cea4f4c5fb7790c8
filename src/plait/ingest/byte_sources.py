"""A file, a stream or a body as blocks of bytes: opened, decompressed, never held as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from plait.errors import InputError
from plait.ingest.named_pipes import open_fifo
from plait.utils.path_kind import path_kind

__all__ = ["BLOCK", "ByteSource", "open_bytes", "zstd_module"]

BLOCK = 4 << 20
"""Bytes read or decompressed at once."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class ByteSource:
    """The bytes of one source.

    Args:
        name: What messages call it.
        stream: Where the bytes come from.
        path: The file, if it is one.
        size: Its length on disk in bytes; None if unknown.

    Attributes:
        name: As given.
        path: The file, if it is one and not compressed.
        size: As given.
        consumed: How many of these bytes were read.
        damage: Why the bytes ended early; "" if they did not so far.
    """

    def __init__(self, name: str, stream: BinaryIO, path: Path | None, size: int | None) -> None:
        self.name = name
        self.path = path
        self.size = size
        self.consumed = 0
        self.damage = ""
        self._stream = stream
        self._owned = path is not None
        self._blocks = self._read()
        self._head = next(self._blocks, b"")
        decompressor = _decompressor(self._head)
        if decompressor is not None:
            self.path = None
            self._blocks = self._decompress(decompressor, self.blocks())
            self._head = next(self._blocks, b"")

    @property
    def head(self) -> bytes:
        """The first block, decompressed; empty if there is none."""
        return self._head

    def blocks(self) -> Iterator[bytes]:
        """Return all blocks, decompressed; can be read once."""
        return chain([self._head] if self._head else [], self._blocks)

    def close(self) -> None:
        """Close a file that was opened here."""
        if self._owned:
            self._stream.close()

    def _read(self) -> Iterator[bytes]:
        while True:
            try:
                block: object = self._stream.read(BLOCK)
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

    def _decompress(
        self, new_decompressor: Callable[[], _Decompressor], blocks: Iterator[bytes]
    ) -> Iterator[bytes]:
        """Members or frames one after the other; stops at the first that is not whole."""
        decompressor = new_decompressor()
        started = False
        for block in blocks:
            unread = block
            while unread or decompressor.pending:
                if not started and not unread.strip(b"\0"):
                    break  # padding behind the last member
                started = True
                try:
                    output, unread = decompressor.feed(unread)
                except ValueError as problem:
                    self.damage = f"a whole compressed file ({problem})"
                    return
                if output:
                    yield output
                if decompressor.eof:
                    decompressor, started = new_decompressor(), False
        if started:
            self.damage = "a whole compressed file, not one that ends early"


class _Decompressor(Protocol):
    eof: bool
    pending: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return at most BLOCK bytes, and what of `data` is unread. ValueError if damaged."""


class _GzipDecompressor:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)
        self.eof = False
        self.pending = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            output = self._inner.decompress(data, BLOCK)
        except zlib.error as problem:
            raise ValueError(str(problem)) from problem
        self.eof = self._inner.eof
        self.pending = len(output) == BLOCK and not self.eof
        return output, self._inner.unused_data if self.eof else self._inner.unconsumed_tail


class _ZstdDecompressor:
    def __init__(self) -> None:
        self._module = zstd_module()
        self._inner = self._module.ZstdDecompressor()
        self.eof = False
        self.pending = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        try:
            output: bytes = self._inner.decompress(data, BLOCK)
        except self._module.ZstdError as problem:
            raise ValueError(str(problem)) from problem
        self.eof = self._inner.eof
        self.pending = not self.eof and not self._inner.needs_input
        return output, self._inner.unused_data if self.eof else b""


def zstd_module() -> Any:
    """Import the standard library's zstd module (Python 3.14 and later), or its backport."""
    try:
        return import_module("compression.zstd")
    except ImportError:
        return import_module("backports.zstd")


def _decompressor(head: bytes) -> Callable[[], _Decompressor] | None:
    if head.startswith(_GZIP):
        return _GzipDecompressor
    return _ZstdDecompressor if head.startswith(_ZSTD) else None


def open_bytes(
    source: str | Path | bytes | bytearray | memoryview | BinaryIO, name: str
) -> ByteSource:
    """Open a path, bytes in memory or a binary stream.

    Compressed files have their checksums at their end, and a flipped bit may read as other rows. So
    they are decompressed once before the first row is taken, unless the stream cannot seek.

    Args:
        source: The path, bytes or stream.
        name: What messages call it.

    Returns:
        The opened source.

    Raises:
        InputError: If there is no such file, it cannot be read, is damaged, or is empty.
    """
    path: Path | None = None
    size: int | None = None
    if isinstance(source, bytes | bytearray | memoryview):
        stream: BinaryIO = BytesIO(source)
        size = len(source)
    elif isinstance(source, str | Path):
        path = Path(source)
        stream, size = _open_path(path)
    else:
        stream = source
    try:
        _check_compressed(stream, name)
        opened = ByteSource(name, stream, path, size)
    except InputError:
        if path is not None:
            stream.close()
        raise
    if not opened.head:
        opened.close()
        if opened.damage:
            raise InputError(f"{name} cannot be read", hint=f"expected {opened.damage}")
        raise InputError(f"{name} is empty", hint="expected at least a header")
    return opened


def _check_compressed(stream: BinaryIO, name: str) -> None:
    """Decompress what is compressed and can be read twice; InputError if it is not whole."""
    try:
        if not hasattr(stream, "seekable") or not stream.seekable():
            return
        start = stream.tell()
        head: object = stream.read(len(_ZSTD))
        stream.seek(start)
    except (OSError, ValueError):
        return  # the first read reports it
    if not isinstance(head, bytes) or _decompressor(head) is None:
        return
    probe = ByteSource(name, stream, None, None)
    for _ in probe.blocks():
        pass
    if probe.damage:
        raise InputError(
            f"{name} is damaged; none of its rows were stored",
            hint=f"expected {probe.damage}; download it or compress it again",
        )
    stream.seek(start)


def _open_path(path: Path) -> tuple[BinaryIO, int | None]:
    if path_kind(path) == "folder":
        raise InputError(f"{path} is a folder", hint="name a file in it")
    try:
        if path.is_fifo():
            return open_fifo(path), None
        return path.open("rb"), path.stat().st_size
    except FileNotFoundError as problem:
        raise InputError(f"the file {path} does not exist", hint="check the path") from problem
    except (OSError, ValueError) as problem:
        raise InputError(f"{path} cannot be opened: {problem}") from problem
