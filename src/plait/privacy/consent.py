"""Who may be stored, and under which name: consent and keyed pseudonyms, both off by default."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from plait.data.types import Event
from plait.errors import InputError

__all__ = ["ConsentPolicy", "Rejection", "is_yes"]

_YES = ("true", "yes", "1", "1.0")
_PSEUDONYM = re.compile(r"p_[a-z2-7]{26}\Z")
_SHORTEST_KEY = 16


def is_yes(value: object) -> bool:
    """Whether a value of the field `consent` gives it."""
    return str(value).strip().lower() in _YES


def _nobody(_user: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that may not be stored: its place in the batch, the field, why."""

    index: int
    field: str
    expected: str


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    """What is asked before an event of a user is stored.

    `required`: only users are stored whose field `consent` is true; it may come in the same batch,
    in front of what they did. `granted` tells, by stored id, who said so earlier. `pseudonyms`:
    user ids are replaced by keyed hashes (HMAC-SHA256 with `key`, 130 bits), everywhere and for
    good; who has the log but not the key cannot tell who it was. Raises InputError for a key under
    16 bytes.
    """

    required: bool = False
    pseudonyms: bool = False
    key: bytes = field(default=b"", repr=False)
    granted: Callable[[str], bool] = field(default=_nobody, repr=False)

    def __post_init__(self) -> None:
        if self.pseudonyms and len(self.key) < _SHORTEST_KEY:
            raise InputError(
                "pseudonyms need a secret key",
                hint=f"of at least {_SHORTEST_KEY} bytes; without one ids could be guessed",
                field="pseudonym_key",
            )

    @property
    def active(self) -> bool:
        """Whether anything is asked at all."""
        return self.required or self.pseudonyms

    @property
    def content_key(self) -> bytes:
        """The key for hashes in derived event ids (`read_events(key=...)`), empty if none is due.

        Without it an id would let anyone try which user it was made from.
        """
        return hmac.digest(self.key, b"event ids", sha256) if self.pseudonyms else b""

    def user_id(self, outside: str) -> str:
        """The id under which a user is stored; asking twice gives the same as once."""
        if not self.pseudonyms or _PSEUDONYM.match(outside):
            return outside
        digest = hmac.digest(self.key, outside.encode(), sha256)
        return "p_" + base64.b32encode(digest).decode()[:26].lower()

    def filter_events(self, events: Sequence[Event]) -> tuple[Sequence[Event], list[Rejection]]:
        """The events that may be stored, under the names they are stored by, and the others."""
        if not self.active:
            return events, []
        kept: list[Event] = []
        refused: list[Rejection] = []
        names: dict[str, str] = {}
        said: dict[str, bool] = {}
        for index, event in enumerate(events):
            user = event.user
            if user is None:
                kept.append(event)
                continue
            name = names.get(user) or names.setdefault(user, self.user_id(user))
            if self.required and not self._allowed(event, name, said):
                expected = "a user who has given consent (the user's field consent = true)"
                refused.append(Rejection(index, "user", expected))
            else:
                kept.append(event if name == user else event._replace(user=name))
        return kept, refused

    def _allowed(self, event: Event, name: str, said: dict[str, bool]) -> bool:
        """Whether the event may be stored; `said` is what this batch gave or took back so far."""
        before = said[name] if name in said else self.granted(name)
        if event.record_type == "erase":
            said[name] = False
            return True
        if event.record_type != "user":
            return before
        now = _said_in(event)
        said[name] = before and event.event_type == "patch" if now is None else now
        return said[name] or before  # taking consent back must be stored too


def _said_in(event: Event) -> bool | None:
    """What a user event says of consent, None if nothing."""
    if event.event_type == "delete" or not event.fields:
        return False if event.event_type == "delete" else None
    try:
        said: Any = orjson.loads(event.fields)
    except ValueError:
        return None
    if not isinstance(said, Mapping) or "consent" not in said:
        return None
    return is_yes(said["consent"])
