"""Which stored users have given consent, and the key of a home's pseudonyms."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from plait.data.catalogue import Catalogue
from plait.errors import StorageError
from plait.privacy.consent import is_yes
from plait.settings import Settings

__all__ = ["has_consented", "pseudonym_key"]

KEY_FILE = "pseudonym.key"


def has_consented(users: Catalogue, stored_id: str) -> bool:
    """Return whether the field `consent` of a user is true.

    Args:
        users: The users.
        stored_id: The id under which the user is stored.

    Returns:
        Whether consent is given; False for an unknown user.
    """
    number = users.number(stored_id)
    column = users.columns.get("consent")
    return number >= 0 and column is not None and is_yes(column.get(number))


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
