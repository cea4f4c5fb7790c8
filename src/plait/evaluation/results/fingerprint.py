"""Short hashes of data: they tell whether two runs, or a study and a data set, belong together."""

from __future__ import annotations

from hashlib import blake2b, sha256

import numpy as np

from plait.data.types import Dataset
from plait.splitting.own_split import OwnSplit

__all__ = [
    "dataset_fingerprint",
    "interactions_fingerprint",
    "ratings_fingerprint",
    "split_fingerprint",
]


def interactions_fingerprint(dataset: Dataset) -> str:
    """Hash all interactions of a data set.

    Args:
        dataset: The data set.

    Returns:
        12 hexadecimal digits, equal for equal interactions.
    """
    events = dataset.interactions
    digest = blake2b(digest_size=6)
    for column in (events.users, events.items, events.event_types, events.times, events.values):
        digest.update(column.tobytes())
    return digest.hexdigest()


def dataset_fingerprint(dataset: Dataset) -> str:
    """Hash everything that a fit may read.

    Args:
        dataset: The data set.

    Returns:
        12 hexadecimal digits that stand for the interactions, event types and triples, and for the
        ids, availability and fields of items and users.
    """
    digest = blake2b(digest_size=6)
    triples = dataset.triples
    digest.update(interactions_fingerprint(dataset).encode())
    names = (triples.relations, triples.tails, triples.head_ids)
    for value in (dataset.event_types, dataset.clock, *names):
        digest.update(repr(value).encode("utf-8", "surrogatepass"))
    for item_numbers in (triples.heads, triples.tail_items):
        digest.update(item_numbers.tobytes())
    for catalogue in (dataset.catalogue, dataset.users):
        digest.update(catalogue.tiebreak.tobytes())
        digest.update(catalogue.alive.tobytes())
        catalogued = catalogue.catalogued()
        if catalogued is not None:
            digest.update(catalogued.tobytes())
        for name, column in sorted(catalogue.columns.items()):
            digest.update(repr((name, column.type)).encode("utf-8", "surrogatepass"))
            digest.update(repr(column.values.tolist()).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def ratings_fingerprint(test: Dataset) -> str:
    """Hash a set of rated events.

    Args:
        test: The rated events.

    Returns:
        12 hexadecimal digits that stand for users, items, ratings and times in any order.
    """
    events = test.interactions
    ratings = events.values.astype(np.float64)
    rows = np.stack([events.users, events.items, ratings, events.times], axis=1)
    order = np.lexsort(rows.T)
    return sha256(np.ascontiguousarray(rows[order]).tobytes()).hexdigest()[:12]


def split_fingerprint(split: OwnSplit) -> str:
    """Hash which interactions the parts of one's own split hold.

    Args:
        split: The parts.

    Returns:
        12 hexadecimal digits, equal for equal parts.
    """
    digest = blake2b(digest_size=6)
    for part in (split.train, split.validation, split.test):
        digest.update((interactions_fingerprint(part) if part is not None else "").encode())
    return digest.hexdigest()
