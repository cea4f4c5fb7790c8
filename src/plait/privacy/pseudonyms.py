"""Keyed pseudonyms in place of user ids, and the key of a home's pseudonyms."""

from __future__ import annotations

import base64
import hmac
import re
from hashlib import sha256

from plait.errors import InputError
from plait.privacy.key_files import key_in_file
from plait.settings import Settings

__all__ = ["check_key", "content_key", "pseudonym", "pseudonym_key"]

KEY_FILE = "pseudonym.key"
_PSEUDONYM = re.compile(r"p_[a-z2-7]{26}\Z")
_MIN_KEY_LENGTH = 16


def check_key(key: bytes, setting: str = "pseudonym_key") -> None:
    """Check that a secret key is long enough.

    Args:
        key: The key.
        setting: The setting that names it.

    Raises:
        InputError: If it has less than 16 bytes.
    """
    if len(key) < _MIN_KEY_LENGTH:
        raise InputError(
            f"{setting} is no secret key",
            hint=f"of at least {_MIN_KEY_LENGTH} bytes; without one ids could be guessed",
            field=setting,
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
    return key_in_file(settings.home / KEY_FILE)
