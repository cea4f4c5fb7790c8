"""Keyed hashes of the ids of erased users: later rows of them are refused, no id is stored."""

from __future__ import annotations

import hmac
from hashlib import sha256

from plait.privacy.key_files import key_in_file
from plait.privacy.pseudonyms import check_key
from plait.settings import Settings

__all__ = ["erasure_hash", "erasure_key", "key_mark"]

KEY_FILE = "erasure.key"
HASH_BYTES = 16


def erasure_key(settings: Settings, *, make: bool) -> bytes:
    """Return the key of the hashes of erased users' ids. A lost key cannot be replaced.

    Args:
        settings: The settings of the home.
        make: Whether to make HOME/erasure.key where there is none.

    Returns:
        The key that the settings name, else the content of HOME/erasure.key (mode 0600); b"" where
        there is none and none is made.

    Raises:
        InputError: If the key of the settings is too short.
        StorageError: If the file cannot be read or written.
    """
    if settings.erasure_key:
        key = settings.erasure_key.encode()
        check_key(key, "erasure_key")
        return key
    return key_in_file(settings.home / KEY_FILE, make=make)


def erasure_hash(key: bytes, user_id: str) -> str:
    """Return the keyed hash of a user's id (HMAC-SHA256, 128 bits).

    Args:
        key: The key.
        user_id: The id under which the user was stored.

    Returns:
        32 hexadecimal digits.
    """
    return hmac.digest(key, user_id.encode(), sha256)[:HASH_BYTES].hex()


def key_mark(key: bytes) -> str:
    """Return what tells keys apart and reveals none: two homes may share a log.

    Args:
        key: The key.

    Returns:
        8 hexadecimal digits.
    """
    return hmac.digest(key, b"the mark of this key", sha256)[:4].hex()
