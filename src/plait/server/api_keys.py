"""The API keys of a home: made once, readable by their owner only, compared in constant time."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plait.errors import StorageError
from plait.settings import Settings

__all__ = ["KEY_FILE", "KeyRing", "ensure_key"]

KEY_FILE = "key"
_ALL = frozenset({"read", "ingest", "admin"})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


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

    def scopes(self, presented: bytes) -> frozenset[str]:
        """Look up what a key permits.

        Every known key is compared as a whole, whatever the others gave: the time taken
        does not depend on how similar a key is.

        Args:
            presented: The key of a request.

        Returns:
            Its scopes, none if the key is unknown.
        """
        digest = hashlib.sha256(presented).digest()
        granted: frozenset[str] = frozenset()
        for known, scopes in self._known:
            if hmac.compare_digest(digest, known):
                granted |= scopes
        return granted


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
        settings.home.mkdir(parents=True, exist_ok=True)
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
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        raise StorageError(
            f"others may read {path}: its mode is {mode:04o}, expected 0600",
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
