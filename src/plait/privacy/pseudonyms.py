"""Keyed pseudonyms in place of user ids, and the key of a home's pseudonyms."""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from plait.errors import InputError, StorageError
from plait.settings import Settings

__all__ = ["check_key", "content_key", "pseudonym", "pseudonym_key"]

KEY_FILE = "pseudonym.key"
_PSEUDONYM = re.compile(r"p_[a-z2-7]{26}\Z")
_MIN_KEY_LENGTH = 16


def check_key(key: bytes) -> None:
    """Check that a key of pseudonyms is long enough.

    Args:
        key: The key.

    Raises:
        InputError: If it has less than 16 bytes.
    """
    if len(key) < _MIN_KEY_LENGTH:
        raise InputError(
            "pseudonyms need a secret key",
            hint=f"of at least {_MIN_KEY_LENGTH} bytes; without one ids could be guessed",
            field="pseudonym_key",
        )


def pseudonym(key: bytes, external_id: str) -> str:
    """Return the keyed hash of a user's id (HMAC-SHA256, 130 bits).

    Args:
        key: The secret key.
        external_id: The user's id; a pseudonym is returned as it is.

    Returns:
        "p_" and 26 letters and digits.
    """
    if _PSEUDONYM.match(external_id):
        return external_id
    digest = hmac.digest(key, external_id.encode(), sha256)
    return "p_" + base64.b32encode(digest).decode()[:26].lower()


def content_key(key: bytes) -> bytes:
    """Derive the key for the hashes in derived event ids from the key of the pseudonyms.

    Args:
        key: The secret key of the pseudonyms.

    Returns:
        32 bytes.
    """
    return hmac.digest(key, b"event ids", sha256)


def pseudonym_key(settings: Settings) -> bytes:
    """Return the key of the pseudonyms; it is made at first use. A lost key cannot be replaced.

    Args:
        settings: The settings of the home.

    Returns:
        The key that the settings name, else the content of HOME/pseudonym.key (mode 0600).

    Raises:
        StorageError: If the file cannot be read or written.
    """
    if settings.pseudonym_key:
        return settings.pseudonym_key.encode()
    path = settings.home / KEY_FILE
    try:
        if not path.is_file():
            _make_key(path)
        return path.read_text(encoding="utf-8").strip().encode()
    except OSError as problem:
        raise StorageError(f"cannot read or create {path}: {problem}") from problem


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
