"""Fetches files of public data sets from their official homes, checked by SHA-256."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from plait.errors import InputError, StorageError

__all__ = ["RemoteFile", "fetch", "sha256_of"]

MAX_BYTES = 4 << 30
"""The largest file that is fetched."""

_CHECKSUMS = "checksums.json"
"""The file of a folder that holds the hashes of files without a published one."""

_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at its official home.

    Attributes:
        url: Its address.
        sha256: The hash that it must have; "" if none is published: then the hash of the first
            download is recorded, and later ones must agree.
    """

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def fetch(file: RemoteFile, folder: Path, notice: Callable[[str], None]) -> Path:
    """Return the path of a file in a folder; download it where it is missing.

    Args:
        file: The file.
        folder: Where files stay; it is made.
        notice: Called with what a user should know of a download.

    Returns:
        The path, whose content has the right hash.

    Raises:
        InputError: If the content has another hash, or the recorded hashes are damaged.
        StorageError: If the file cannot be downloaded or written.
    """
    path = folder / file.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        recorded = _recorded(folder)
        expected = file.sha256 or recorded.get(file.name, "")
        if path.exists():
            _check(sha256_of(path), expected, path, "it is damaged; delete it to fetch it again")
            return path
        part = _download(file.url, folder)
    except (OSError, http.client.HTTPException) as problem:
        hint = f"fetch it by hand and put it to {path}"
        raise StorageError(f"cannot fetch {file.url}: {problem}", hint=hint) from problem
    try:
        digest = sha256_of(part)
        advice = "the download is damaged, or its home has changed it; fetch it once more later"
        if not file.sha256:
            advice = f"its home has changed it; delete the folder {folder} to fetch all of it anew"
        _check(digest, expected, file.url, advice)
        if not expected:
            notice(f"{file.name} has no published hash: {digest} is recorded, and checked later")
            text = json.dumps({**recorded, file.name: digest}, indent=1)
            (folder / _CHECKSUMS).write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits.

    Args:
        path: The file.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recorded(folder: Path) -> dict[str, str]:
    """The hashes of earlier downloads by the name of the file."""
    path = folder / _CHECKSUMS
    if not path.exists():
        return {}
    try:
        hashes = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        hashes = None
    if not isinstance(hashes, dict) or not all(
        isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) for value in hashes.values()
    ):
        raise InputError(
            f"{path} is damaged, expected a JSON object of a SHA-256 for each file",
            hint=f"delete the folder {folder} to fetch all of it anew",
        )
    return hashes


def _check(digest: str, expected: str, place: Path | str, hint: str) -> None:
    if expected and digest != expected:
        message = f"{place} has the SHA-256 {digest}, expected {expected}"
        raise InputError(message, hint=hint)


def _download(url: str, folder: Path) -> Path:
    """Write what stands at an address to a new file of the folder."""
    if not url.startswith(("https://", "http://")):
        raise OSError("expected an address that begins with https://")
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as target:
            request = urllib.request.Request(url, headers={"User-Agent": "plait"})  # noqa: S310 checked
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as source:  # noqa: S310 checked
                if url.startswith("https://") and not source.url.startswith("https://"):
                    raise OSError(f"it leads to {source.url}, which is not encrypted")
                size = _copy(source, target)
            length = source.headers.get("Content-Length", "")
            if length.isdecimal() and int(length) != size:
                raise OSError(f"the connection ended after {size:,} of {int(length):,} bytes")
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _copy(source: IO[bytes], target: IO[bytes]) -> int:
    """Copy at most `MAX_BYTES`, announced or not; how many there were."""
    size = 0
    while chunk := source.read(1 << 20):
        size += len(chunk)
        if size > MAX_BYTES:
            raise OSError(f"the file has more than {MAX_BYTES:,} bytes")
        target.write(chunk)
    return size
