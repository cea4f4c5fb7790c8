"""Checks that a bundle belongs to a log: item numbers must mean the same items in both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from plait.errors import BundleError

__all__ = ["check_numbering", "numbering"]


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
