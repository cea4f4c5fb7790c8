"""Who has given consent, and the key of a home's pseudonyms."""

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


def has_consented(users: Catalogue, name: str) -> bool:
    """Whether the field `consent` of the user stored as `name` says yes."""
    number = users.number(name)
    if number < 0 or "consent" not in users.columns:
        return False
    return is_yes(users.columns["consent"].get(number))


def pseudonym_key(settings: Settings) -> bytes:
    """The key that is set, else the one in HOME/pseudonym.key, made at first use with mode 0600.

    Whoever loses it can never again tell which stored user is whose. Raises StorageError.
    """
    if settings.pseudonym_key:
        return settings.pseudonym_key.encode()
    path = settings.home / KEY_FILE
    try:
        if not path.is_file():
            _make(path)
        return path.read_text(encoding="utf-8").strip().encode()
    except OSError as problem:
        raise StorageError(f"cannot read or make {path}: {problem}") from problem


def _make(path: Path) -> None:
    """Write a key beside and link it into place: of several processes one wins, all read that."""
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
