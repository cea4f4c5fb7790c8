"""Short hashes that stand for data: what runs are compared on, and what a study was made with."""

from __future__ import annotations

from hashlib import blake2b, sha256

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.types import Dataset

__all__ = ["fingerprint", "stamp", "whole_fingerprint"]


def fingerprint(dataset: Dataset) -> str:
    """12 hexadecimal digits that stand for all interactions: equal for equal data."""
    found = dataset.interactions
    whole = blake2b(digest_size=6)
    for one in (found.users, found.items, found.event_types, found.times, found.values):
        whole.update(one.tobytes())
    return whole.hexdigest()


def whole_fingerprint(dataset: Dataset) -> str:
    """12 hexadecimal digits that stand for everything a fit may read: interactions, kinds, facts,
    and the ids and fields of items and users.
    """
    whole = blake2b(digest_size=6)
    facts = dataset.triples
    whole.update(fingerprint(dataset).encode())
    for one in (dataset.event_types, dataset.clock, facts.relations, facts.tails, facts.head_ids):
        whole.update(repr(one).encode("utf-8", "surrogatepass"))
    for numbers in (facts.heads, facts.tail_items):
        whole.update(numbers.tobytes())
    for catalogue in (dataset.catalogue, dataset.users):
        _described(catalogue, whole)
    return whole.hexdigest()


def stamp(test: Dataset) -> str:
    """12 hexadecimal digits that stand for who rated what, and how, in any order."""
    rows = test.interactions
    lines = np.stack([rows.users, rows.items, rows.values.astype(np.float64), rows.times], axis=1)
    order = np.lexsort(lines.T)
    return sha256(np.ascontiguousarray(lines[order]).tobytes()).hexdigest()[:12]


def _described(catalogue: Catalogue, whole: blake2b) -> None:
    """Add who there is, alive or not, and every field."""
    whole.update(catalogue.tiebreak.tobytes())
    whole.update(catalogue.alive.tobytes())
    for name, column in sorted(catalogue.columns.items()):
        whole.update(repr((name, column.type)).encode("utf-8", "surrogatepass"))
        whole.update(repr(column.values.tolist()).encode("utf-8", "surrogatepass"))
