"""Whether a bundle belongs to a log: item numbers must mean the same items in both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from plait.errors import BundleError

__all__ = ["check_numbering", "numbering"]


def numbering(ids: Sequence[str], count: int) -> str:
    """A hash of the outside ids of the item numbers below `count`, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for one in ids[:count]:
        digest.update(one.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def check_numbering(bundle: str, notes: Mapping[str, Any], ids: Sequence[str]) -> None:
    """Raise BundleError if the bundle was fitted on a log with other items; `ids` are the log's."""
    count = notes.get("items")
    if count is None:
        return
    if len(ids) < count or numbering(ids, count) != notes.get("numbering"):
        raise BundleError(
            f"bundle {bundle} was fitted on another log: its items have other numbers",
            hint="fit again",
        )
