"""Stages that are too simple to be wrong; recipes name them as `tests.pipeline.fake_stages:X`."""

import errno
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.data.types import (
    ABSENT,
    CandidateLists,
    Dataset,
    Float32Array,
    History,
    Interactions,
    QueryBatch,
    Triples,
)
from plait.pipeline.dense import DenseScorer
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Stage

__all__ = ["Best", "Counts", "Ending", "Full", "Older", "Shelf", "Sum", "Torn", "WithoutColumns"]

HERE = "tests.pipeline.fake_stages"


@dataclass(frozen=True, slots=True)
class Shift:
    by: float = 0.0


class Counts(DenseScorer):
    """Scores an item by how often it was taken, plus `by`."""

    Config = Shift
    fitted_state: ClassVar = {"counts": Float32Array}

    def __init__(self, config=None, *, name=""):
        super().__init__(config, name=name)
        self.counts = np.zeros(0, np.float32)

    def fit(self, dataset, *, seed=0):
        fitted = self.clone()
        found = dataset.interactions
        fitted.counts = np.bincount(found.items, found.weights, dataset.n_items).astype(np.float32)
        fitted.facts = dataset.triples
        return fitted

    def score_all(self, queries):
        rated = self.counts + np.float32(self.config.by)
        return np.broadcast_to(rated, (len(queries), len(rated))).copy()


class Shelf(Counts):
    """Scores the neighbours, by number, of the last item taken; knows its reason."""

    def score_all(self, queries):
        last = np.full(len(queries), ABSENT, np.int64)
        there = queries.history.lengths > 0
        last[there] = queries.history.items[queries.history.offsets[1:][there] - 1]
        away = np.abs(np.arange(len(self.counts)) - last[:, None])
        return np.where(there[:, None], -away, np.nan).astype(np.float32)

    def explain(self, queries, numbers):
        found = np.full(numbers.shape, ABSENT, np.int32)
        for row, one in enumerate(queries.history.ragged.offsets[1:]):
            if one > queries.history.offsets[row]:
                found[row] = queries.history.items[one - 1]
        return found


class Sum(Stage):
    """Adds up all scores; what nobody knows counts nothing."""

    reads = ("*.score",)
    writes = ("score",)

    def apply(self, queries, items):
        scores = [one for name, one in items.columns.items() if name.endswith(".score")]
        return items.with_columns(score=np.nansum(scores, axis=0).astype(np.float32))


class Best(Stage):
    """Places the k best, by number among equals."""

    reads = ("score",)
    writes = ("order",)

    def apply(self, queries, items):
        score = np.where(items.present, items.column("score"), -np.inf)
        places = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
        shown = (places < queries.k) & items.present
        return items.with_columns(order=np.where(shown, places, -1).astype(np.int32))


class Ending(Stage):
    """Needs an order and the reasons of strands."""

    reads = ("order", "*.because")
    writes = ("ending",)

    def apply(self, queries, items):
        return items.with_columns(ending=items.column("shelf.because"))


class WithoutColumns(Stage):
    """Has no ability at all."""


class Torn(Counts):
    """Dies while it is being saved."""

    def save(self, folder):
        (folder / "half").write_text("half a file")
        raise KeyboardInterrupt


class Full(Counts):
    """Meets a full disk while it is being saved."""

    def save(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device")


class Older(Counts):
    """Looks for something that was not saved at the time."""

    @classmethod
    def load(cls, config, name, folder):
        return {}["half_life"]


def recipe(**changes):
    """Two strands, a sum and an order."""
    data = {
        "name": "toys",
        "candidates_per_model": 5,
        "models": {
            "counts": {"stage": f"{HERE}:Counts"},
            "shelf": {"stage": f"{HERE}:Shelf"},
        },
        "steps": {"sum": {"stage": f"{HERE}:Sum"}, "best": {"stage": f"{HERE}:Best"}},
    }
    return Recipe.of({**data, **changes})


def dataset(rows, n_items=10, facts=()):
    """Users' item numbers as a data set; `facts` are (head number, relation, tail)."""
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows]).astype(np.int32)
    items = np.array([one for row in rows for one in row], np.int32)
    size = len(items)
    return Dataset(
        version=size,
        catalogue=catalogue([f"i{one}" for one in range(n_items)]),
        users=catalogue([f"u{one}" for one in range(len(rows))]),
        interactions=Interactions(
            users,
            items,
            np.zeros(size, np.int16),
            np.arange(size, dtype=np.int64),
            np.full(size, np.nan, np.float32),
            np.ones(size, np.float32),
            np.arange(size, dtype=np.int64),
        ),
        event_types=("view",),
        triples=Triples(
            np.array([one[0] for one in facts], np.int32),
            tuple(one[1] for one in facts),
            tuple(one[2] for one in facts),
            np.full(len(facts), -1, np.int32),
        ),
    )


def catalogue(ids):
    """Living entries without fields."""
    made = Catalogue().with_ids(ids)
    return made.updated([Change(one, "touch", {}, one) for one in range(len(ids))])


def asked(rows, k=3):
    """Questions that are histories."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    size = int(offsets[-1])
    values = np.array([one for row in rows for one in row], np.int32)
    history = History(offsets, values, np.zeros(size, np.int64), np.ones(size, np.float32))
    return QueryBatch.of_histories(history, k=k)


def listed(items: CandidateLists):
    """The shown item numbers of every query, in order."""
    order = items.column("order")
    rows = []
    for row in range(len(order)):
        shown = np.nonzero(order[row] >= 0)[0]
        rows.append(items.item_numbers[row, shown[np.argsort(order[row, shown])]].tolist())
    return rows
