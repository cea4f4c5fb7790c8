"""Secret keys in files of a home, mode 0600, made at first use."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from plait.errors import StorageError

__all__ = ["key_in_file"]


def key_in_file(path: Path, *, make: bool = True) -> bytes:
    """Return the key in a file.

    Args:
        path: The file.
        make: Whether to make the file, with a new key, where there is none.

    Returns:
        The key; b"" where there is none and none is made.

    Raises:
        StorageError: If the file cannot be read or written.
    """
    try:
        if not path.is_file():
            if not make:
                return b""
            _make_key(path)
        return path.read_text(encoding="utf-8").strip().encode()
    except OSError as problem:
        raise StorageError(
            f"cannot read or create {path}: {problem}",
            public=f"the file {path.name} of the home cannot be read or created",
        ) from problem


def _make_key(path: Path) -> None:
    """Write a key to a draft and link it into place: of several processes the first one wins."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(secrets.token_hex(32) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
