"""Which users may be stored, and under which ids: consent and pseudonyms, both off by default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from plait.data.catalogue import Catalogue
from plait.data.types import Event
from plait.privacy.pseudonyms import check_key, content_key, pseudonym

__all__ = ["ConsentPolicy", "Rejection", "consent_in", "has_consented", "is_yes"]

_YES = ("true", "yes", "1", "1.0")


def is_yes(value: object) -> bool:
    """Return whether a value of the field `consent` means that consent is given.

    Args:
        value: The value.

    Returns:
        True for true, "true", "yes" and 1.
    """
    return str(value).strip().lower() in _YES


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
        if self.pseudonyms:
            check_key(self.key)

    @property
    def content_key(self) -> bytes:
        """The key for the hashes in derived event ids (`read_events(key=...)`), b"" for none.

        Without a key, the id of an event could be used to test which user it belongs to.
        """
        return content_key(self.key) if self.pseudonyms else b""

    def user_id(self, external_id: str) -> str:
        """Return the id under which a user is stored.

        Args:
            external_id: The user's id; a pseudonym is returned as it is.

        Returns:
            The pseudonym, or the id itself where pseudonyms are off.
        """
        return pseudonym(self.key, external_id) if self.pseudonyms else external_id

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
        consent = consent_in(event)
        if consent is None:
            consent = before and event.event_type == "patch"
        consents[stored_id] = consent
        return consent or before  # withdrawing consent must be stored too


def consent_in(event: Event) -> bool | None:
    """Return the consent that a change of a user gives or withdraws.

    Args:
        event: The change.

    Returns:
        Whether consent is given; None if the event says nothing of it.
    """
    if event.event_type == "delete":
        return False
    try:
        fields = orjson.loads(event.fields or "{}")
    except ValueError:
        return None
    has_consent = isinstance(fields, Mapping) and "consent" in fields
    return is_yes(fields["consent"]) if has_consent else None
