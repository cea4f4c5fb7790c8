"""Restricts a data set to the items that had appeared by a given time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.array_types import BoolArray
from plait.data.catalogue import Catalogue, Column
from plait.data.dataset import Dataset, Triples

__all__ = ["alive_items", "new_items_at", "without_items"]


def alive_items(train: Dataset) -> Dataset:
    """Make the items of all events candidates.

    Args:
        train: the data to fit on.

    Returns:
        The data, with every item of the catalogue and of the events alive.
    """
    alive = train.catalogue.alive.copy()
    alive[train.interactions.items] = True
    return replace(train, catalogue=replace(train.catalogue, alive=alive))


def new_items_at(
    dataset: Dataset, train: Dataset, cut: int, until: int | None = None
) -> tuple[Dataset, Dataset]:
    """Hide the items that appear after a moment.

    A log tells when an item was described, which for an imported catalogue is long after its
    events: the first event is the best evidence of when an item appeared. Items without an event
    count as old.

    Args:
        dataset: the whole data set.
        train: the same with the interactions to fit on.
        cut: microseconds; items that appear later are unknown to the training data.
        until: microseconds; items that appear later are unknown at all; None: none are.

    Returns:
        The training data, and the data known when queries are made, in which items that appeared
        since are new.
    """
    first = np.full(dataset.n_items, np.iinfo(np.int64).max)
    interactions = dataset.interactions
    np.minimum.at(first, interactions.items, interactions.times)
    has_events = np.bincount(interactions.items, minlength=dataset.n_items) > 0
    is_late = has_events & (first > cut)
    is_later = is_late & (first > until) if until is not None else np.zeros_like(is_late)
    known = alive_items(train)
    changed = known.catalogue.changed.copy()
    changed[is_late] = dataset.version + 1
    asked = replace(known, catalogue=replace(known.catalogue, changed=changed))
    asked = replace(without_items(asked, is_later), version=dataset.version + 1)
    return without_items(known, is_late), asked


def without_items(dataset: Dataset, hidden: BoolArray) -> Dataset:
    """Hide items as if they had never been described.

    Args:
        dataset: the data set.
        hidden: bool [n_items], the items to hide; their interactions stay.

    Returns:
        The data set, in which they have no fields and no triples and are not alive.
    """
    if not hidden.any():
        return dataset
    catalogue = _without_entries(dataset.catalogue, hidden)
    triples = _without_triples(dataset.triples, hidden)
    return replace(dataset, catalogue=catalogue, triples=triples)


def _without_entries(catalogue: Catalogue, hidden: BoolArray) -> Catalogue:
    """The catalogue as if some items had never been described."""
    columns = {}
    for name, column in catalogue.columns.items():
        empty = Column.missing(column.type, len(catalogue)).values
        columns[name] = Column(column.type, np.where(hidden, empty, column.values))
    return replace(
        catalogue,
        alive=catalogue.alive & ~hidden,
        changed=np.where(hidden, -1, catalogue.changed),
        columns=columns,
    )


def _without_triples(triples: Triples, hidden: BoolArray) -> Triples:
    """The triples without a hidden item as head or tail."""
    if not len(triples):
        return triples
    is_hidden = np.append(hidden, False)
    mask = ~(is_hidden[triples.heads] | is_hidden[triples.tail_items])
    positions = np.flatnonzero(mask).tolist()
    head_ids = triples.head_ids
    return Triples(
        triples.heads[mask],
        tuple(triples.relations[position] for position in positions),
        tuple(triples.tails[position] for position in positions),
        triples.tail_items[mask],
        tuple(head_ids[position] for position in positions) if head_ids else (),
    )
