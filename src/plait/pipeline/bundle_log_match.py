"""Checks that a bundle belongs to a log: numbers must mean the same items and users in both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from plait.errors import BundleError
from plait.eventlog import EventLog

__all__ = ["check_log", "check_numbering", "event_marks", "numbering"]

N_MARKS = 16
"""How many events of its log a bundle stores a hash of."""

MARK_BYTES = 2
"""Of each event: enough to tell logs apart, too short to reveal an event that was erased since."""


def numbering(ids: Sequence[str], count: int) -> str:
    """A hash of the external ids of items in the order of their numbers.

    Args:
        ids: The external ids by item number.
        count: How many items are hashed, from number 0 on.

    Returns:
        The hexadecimal digest of BLAKE2b with 16 bytes.
    """
    digest = hashlib.blake2b(digest_size=16)
    for item_id in ids[:count]:
        digest.update(item_id.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def check_numbering(bundle: str, notes: Mapping[str, Any], ids: Sequence[str]) -> None:
    """Check that a bundle was fitted on this log.

    Args:
        bundle: The id of the bundle.
        notes: The notes of its manifest.
        ids: The external ids of the log's items by number.

    Raises:
        BundleError: Item numbers of the bundle mean other items.
    """
    count = notes.get("items")
    if count is None:
        return
    if len(ids) < count or numbering(ids, count) != notes.get("numbering"):
        raise BundleError(
            f"bundle {bundle} was fitted on another log: its items have other numbers",
            hint="fit again",
        )


def event_marks(log: EventLog, version: int) -> dict[str, dict[str, str]]:
    """Describe the events of a log, so that another log can be distinguished from it.

    Args:
        log: The log.
        version: The offset of the last event.

    Returns:
        The note `event_marks`: for some offsets the beginning of the digest of the event there,
        in hexadecimal.
    """
    offsets = {1 + (version - 1) * place // (N_MARKS - 1) for place in range(N_MARKS)}
    digests = log.digests(sorted(offsets)) if version else {}
    marks = {str(seq): mark[:MARK_BYTES].hex() for seq, mark in digests.items() if mark}
    return {"event_marks": marks}


def check_log(
    bundle: str, manifest: Mapping[str, Any], log: EventLog, item_ids: Sequence[str]
) -> None:
    """Check that a log holds the items and events that a bundle was fitted on.

    Events of users that were erased since may be gone.

    Args:
        bundle: The id of the bundle.
        manifest: Its manifest.
        log: The log.
        item_ids: The external ids of its items by number.

    Raises:
        BundleError: If the log ends before the event up to which the bundle was fitted, or holds
            other items or events.
    """
    notes, head = manifest["notes"], log.version
    if head < manifest["version"]:
        raise BundleError(
            f"bundle {bundle} was fitted on another log, or events of this one were lost: it ends"
            f" at offset {head}, and the bundle knows events up to {manifest['version']}",
            hint="put a backup of the log back (plait.db and plait.db-wal together), or fit again",
        )
    check_numbering(bundle, notes, item_ids)
    marks = {int(offset): mark for offset, mark in notes.get("event_marks", {}).items()}
    digests = log.digests(sorted(marks)) if marks else {}
    for offset, mark in marks.items():
        digest = digests.get(offset)
        if digest == b"":
            continue
        if digest is None or digest[:MARK_BYTES].hex() != mark:
            reason = "is missing" if digest is None else "is another one"
            raise BundleError(
                f"bundle {bundle} was fitted on another log: the event at offset {offset} {reason}",
                hint="fit again, or copy the log too",
            )
