"""Parts of users and of targets that a mean hides."""

from __future__ import annotations

import sys

import numpy as np

from plait.core.types import Bools
from plait.measure.splits import Split

__all__ = ["item_slices", "user_slices"]

BANDS = ((0, 0, "0"), (1, 4, "1-4"), (5, 19, "5-19"), (20, sys.maxsize, "20+"))

HEAD = 0.5
"""The head is the most popular items that hold this share of the training events."""


def user_slices(split: Split) -> dict[str, Bools]:
    """Bool [B] by name: bands of history length, and users of whom nothing is known."""
    lengths = split.queries.history.lengths
    found = {
        f"history:{name}": (lengths >= least) & (lengths <= most) for least, most, name in BANDS
    }
    found["new-users"] = split.queries.users < 0
    return {name: mask for name, mask in found.items() if mask.any()}


def item_slices(split: Split) -> dict[str, Bools]:
    """Bool [n_items] by name: new items, and head and tail of the popularity in train.

    Items of the same count are on the same side, so that numbering plays no part.
    """
    counts = np.bincount(split.train.interactions.items, minlength=split.train.n_items)
    falling = np.sort(counts)[::-1]
    place = int(np.searchsorted(np.cumsum(falling), HEAD * counts.sum()))
    least = falling[min(place, len(falling) - 1)] if len(falling) else 0
    head = (counts >= least) & ~split.new
    return {"new-items": split.new, "head": head, "tail": ~head & ~split.new}
