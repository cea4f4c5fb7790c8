"""Conformance: renumbering the items of a data set changes no answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.array_types import Int32Array
from plait.data.catalogue import Catalogue, Column
from plait.data.dataset import Dataset
from plait.data.ragged import Ragged
from plait.pipeline.stage import Scorer
from plait.testing.queries import probe_numbers, probes
from plait.testing.stage_case import StageCase, able, dataset_of, same

__all__ = ["check_invariant_to_renumbering", "renumbered"]

_TOLERANCE = 1e-4


def check_invariant_to_renumbering(case: StageCase) -> None:
    """Other item numbers change no score.

    Args:
        case: The stage to check.
    """
    for world in ("market", "late_arrivals", "clock"):
        dataset = dataset_of(world)
        stage = case.fitted(world)
        if not able(stage, Scorer):
            return
        new_numbers = np.random.default_rng(1).permutation(dataset.n_items).astype(np.int32)
        other_stage = case.fit(renumbered(dataset, new_numbers))
        queries = probes(dataset, 2)
        numbers = probe_numbers(dataset, len(queries), 2)
        expected = stage.score(queries, numbers)
        history = replace(queries.history, items=_moved(queries.history.items, new_numbers))
        items = Ragged(_moved(queries.items.values, new_numbers), queries.items.offsets)
        queries = replace(queries, history=history, items=items, seen=history.ragged, cache={})
        actual = other_stage.score(queries, _moved(numbers, new_numbers))
        assert same(actual, expected, _TOLERANCE), f"{case} depends on item numbers ({world})"


def renumbered(dataset: Dataset, new_numbers: Int32Array) -> Dataset:
    """The same data set with other item numbers.

    Args:
        dataset: The data set.
        new_numbers: The new number of every item, int32 [n_items].
    """
    old = dataset.catalogue
    order = np.argsort(new_numbers)
    ids = tuple(old.ids[number] for number in order)
    catalogue = Catalogue(
        ids,
        old.alive[order],
        old.changed[order],
        old.tiebreak[order],
        {name: Column(column.type, column.values[order]) for name, column in old.columns.items()},
        {item_id: number for number, item_id in enumerate(ids)},
        old.described[order],
    )
    interactions = replace(dataset.interactions, items=new_numbers[dataset.interactions.items])
    triples = replace(
        dataset.triples,
        heads=_moved(dataset.triples.heads, new_numbers),
        tail_items=_moved(dataset.triples.tail_items, new_numbers),
    )
    return replace(dataset, catalogue=catalogue, interactions=interactions, triples=triples)


def _moved(numbers: Int32Array, new_numbers: Int32Array) -> Int32Array:
    """The new numbers of items; numbers of no item stay."""
    is_item = (numbers >= 0) & (numbers < len(new_numbers))
    if not len(new_numbers):
        return numbers
    return np.where(is_item, new_numbers[np.where(is_item, numbers, 0)], numbers).astype(np.int32)
