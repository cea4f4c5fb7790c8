"""The API keys of a home: made once, readable by their owner only, compared in constant time."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from plait.errors import StorageError
from plait.settings import KEY_LENGTH, Settings
from plait.utils.private_files import exposed_mode, make_private_folder

__all__ = ["KEY_FILE", "KeyRing", "KnownKey", "ensure_key"]

KEY_FILE = "key"
_ALL = frozenset({"read", "ingest", "admin"})


class KnownKey(NamedTuple):
    """What is known of a presented key.

    Attributes:
        number: Its place among the keys of the home, the same in every process; -1 if unknown.
        scopes: What it permits; empty if unknown.
    """

    number: int
    scopes: frozenset[str]


class KeyRing:
    """Which key may do what.

    The scopes are read, ingest, events (post events and nothing else) and admin, which may do all.

    Args:
        admin: The admin key.
        read: Keys that may only query.
        ingest: Keys that may only write events, items and users.
        events: Keys that may only post events.
    """

    def __init__(
        self,
        admin: str,
        read: tuple[str, ...] = (),
        ingest: tuple[str, ...] = (),
        events: tuple[str, ...] = (),
    ) -> None:
        self._known = [(_digest(admin.encode()), _ALL)]
        self._known += [(_digest(key.encode()), frozenset({"read"})) for key in read]
        self._known += [(_digest(key.encode()), frozenset({"ingest"})) for key in ingest]
        self._known += [(_digest(key.encode()), frozenset({"events"})) for key in events]

    @staticmethod
    def of(settings: Settings) -> KeyRing:
        """Read the keys of a home; its admin key is made if there is none yet.

        Args:
            settings: The settings of the home.

        Returns:
            The keys.

        Raises:
            StorageError: If the admin key cannot be read or stored.
        """
        limited = (settings.read_keys, settings.ingest_keys, settings.events_keys)
        return KeyRing(ensure_key(settings)[0], *limited)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, presented: bytes) -> KnownKey:
        """Look up a key.

        Every known key is compared as a whole, whatever the others gave: the time taken
        does not depend on how similar a key is.

        Args:
            presented: The key of a request.

        Returns:
            Its number and its scopes: of a key that is listed several times, all of them.
        """
        digest = hashlib.sha256(presented).digest()
        number, granted = -1, frozenset[str]()
        for place, (known, scopes) in enumerate(self._known):
            if hmac.compare_digest(digest, known):
                number, granted = place, granted | scopes
        return KnownKey(number, granted)


def ensure_key(settings: Settings) -> tuple[str, bool]:
    """Read the admin key, or make it.

    It comes from the settings, else from HOME/key, which is made under a lock with mode 0600: all
    processes that start at once get the same key.

    Args:
        settings: The settings of the home.

    Returns:
        The key, and whether it was made by this call.

    Raises:
        StorageError: If the key cannot be stored, or if others than its owner may read the file.
    """
    if settings.key:
        return settings.key, False
    path = settings.home / KEY_FILE
    try:
        make_private_folder(settings.home)
        with _locked(settings.home / "key.lock"):
            if path.exists():
                return _read(path), False
            key = f"plait-{secrets.token_urlsafe(32)}"
            _write(path, key)
            return key, True
    except OSError as problem:
        raise StorageError(
            f"the key cannot be kept in {path}: {problem.strerror}",
            hint="make the home writable, or set PLAIT_KEY",
        ) from problem


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _read(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as problem:
        raise StorageError(
            f"{path} is not text", hint="remove it, and the next start makes a new key"
        ) from problem
    if not key:
        raise StorageError(f"{path} is empty", hint="remove it, and the next start makes a new key")
    if len(key) < KEY_LENGTH:
        raise StorageError(
            f"the key in {path} has {len(key)} characters, expected {KEY_LENGTH} or more",
            hint="remove it, and the next start makes a new key",
        )
    if mode := exposed_mode(path):
        raise StorageError(
            f"others may read {path}: its mode is {mode}, expected 0600",
            hint=f"chmod 600 {path}; if another person may have read it, remove it: "
            "the next start makes a new key",
        )
    return key


def _write(path: Path, key: str) -> None:
    """Whole or not at all: a crash in between leaves no half key behind."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.fchmod(handle, 0o600)
        os.write(handle, f"{key}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
