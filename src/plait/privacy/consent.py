"""Which users may be stored, and under which ids: consent and pseudonyms, both off by default."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import orjson

from plait.data.types import Event
from plait.errors import InputError

__all__ = ["ConsentPolicy", "Rejection", "is_yes"]

_YES = ("true", "yes", "1", "1.0")
_PSEUDONYM = re.compile(r"p_[a-z2-7]{26}\Z")
_MIN_KEY_LENGTH = 16


def is_yes(value: object) -> bool:
    """Return whether a value of the field `consent` means that consent is given.

    Args:
        value: The value.

    Returns:
        True for true, "true", "yes" and 1.
    """
    return str(value).strip().lower() in _YES


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that may not be stored.

    Attributes:
        index: Its index in the batch.
        field: The field at fault.
        expected: What was expected of it.
    """

    index: int
    field: str
    expected: str


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    """The checks that an event passes before it is stored.

    Attributes:
        required: Whether only users are stored whose field `consent` is true; it may come in the
            same batch, before the other events of the user.
        pseudonyms: Whether user ids are replaced by keyed hashes (HMAC-SHA256, 130 bits),
            everywhere and for good: the log without the key does not reveal who a user was.
        key: The secret key of the pseudonyms, at least 16 bytes.
        granted: Returns whether the user with a stored id gave consent earlier.

    Raises:
        InputError: If pseudonyms are on and the key is too short.
    """

    required: bool = False
    pseudonyms: bool = False
    key: bytes = field(default=b"", repr=False)
    granted: Callable[[str], bool] = field(default=lambda _user: False, repr=False)

    def __post_init__(self) -> None:
        if self.pseudonyms and len(self.key) < _MIN_KEY_LENGTH:
            raise InputError(
                "pseudonyms need a secret key",
                hint=f"of at least {_MIN_KEY_LENGTH} bytes; without one ids could be guessed",
                field="pseudonym_key",
            )

    @property
    def content_key(self) -> bytes:
        """The key for the hashes in derived event ids (`read_events(key=...)`), b"" for none.

        Without a key, the id of an event could be used to test which user it belongs to.
        """
        return hmac.digest(self.key, b"event ids", sha256) if self.pseudonyms else b""

    def user_id(self, external_id: str) -> str:
        """Return the id under which a user is stored.

        Args:
            external_id: The user's id; a pseudonym is returned as it is.

        Returns:
            The pseudonym, or the id itself where pseudonyms are off.
        """
        if not self.pseudonyms or _PSEUDONYM.match(external_id):
            return external_id
        digest = hmac.digest(self.key, external_id.encode(), sha256)
        return "p_" + base64.b32encode(digest).decode()[:26].lower()

    def filter_events(self, events: Sequence[Event]) -> tuple[Sequence[Event], list[Rejection]]:
        """Split a batch into the events that may be stored and the others.

        Args:
            events: The events with the users' own ids.

        Returns:
            The events that may be stored, with the ids under which their users are stored; and
            why the others may not.
        """
        if not (self.required or self.pseudonyms):
            return events, []
        allowed: list[Event] = []
        rejected: list[Rejection] = []
        stored_ids: dict[str, str] = {}
        consents: dict[str, bool] = {}
        for index, event in enumerate(events):
            user = event.user
            if user is None:
                allowed.append(event)
                continue
            stored_id = stored_ids.get(user) or stored_ids.setdefault(user, self.user_id(user))
            if self.required and not self._allows(event, stored_id, consents):
                expected = "a user who has given consent (the user's field consent = true)"
                rejected.append(Rejection(index, "user", expected))
            else:
                allowed.append(event if stored_id == user else event._replace(user=stored_id))
        return allowed, rejected

    def _allows(self, event: Event, stored_id: str, consents: dict[str, bool]) -> bool:
        """Whether the event may be stored; `consents` is what this batch changed so far."""
        before = consents[stored_id] if stored_id in consents else self.granted(stored_id)
        if event.record_type == "erase":
            consents[stored_id] = False
            return True
        if event.record_type != "user":
            return before
        consent = _consent_in(event)
        if consent is None:
            consent = before and event.event_type == "patch"
        consents[stored_id] = consent
        return consent or before  # withdrawing consent must be stored too


def _consent_in(event: Event) -> bool | None:
    """The consent that a user event gives or withdraws, None if it does neither."""
    if event.event_type == "delete":
        return False
    try:
        fields = orjson.loads(event.fields or "{}")
    except ValueError:
        return None
    has_consent = isinstance(fields, Mapping) and "consent" in fields
    return is_yes(fields["consent"]) if has_consent else None
