"""Simple stages with known answers; recipes name them as `tests.pipeline.fake_stages:X`."""

import errno
import time
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
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.recipe import Recipe
from plait.pipeline.stage import Stage

__all__ = [
    "Best",
    "Counts",
    "Ending",
    "Frail",
    "Full",
    "Level",
    "Older",
    "Shelf",
    "Sum",
    "Torn",
    "WithoutColumns",
]

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
        events = dataset.interactions
        counts = np.bincount(events.items, events.weights, dataset.n_items)
        fitted.counts = counts.astype(np.float32)
        fitted.triples = dataset.triples
        return fitted

    def score_all(self, queries):
        scores = self.counts + np.float32(self.config.by)
        return np.broadcast_to(scores, (len(queries), len(scores))).copy()


class Shelf(Counts):
    """Scores items by the distance of their numbers from the last item of the history."""

    def score_all(self, queries):
        last = np.full(len(queries), ABSENT, np.int64)
        has_history = queries.history.lengths > 0
        last[has_history] = queries.history.items[queries.history.offsets[1:][has_history] - 1]
        distance = np.abs(np.arange(len(self.counts)) - last[:, None])
        return np.where(has_history[:, None], -distance, np.nan).astype(np.float32)

    def explain(self, queries, numbers):
        because = np.full(numbers.shape, ABSENT, np.int32)
        for row, end in enumerate(queries.history.offsets[1:]):
            if end > queries.history.offsets[row]:
                because[row] = queries.history.items[end - 1]
        return because


class Level(Counts):
    """Scores all items alike, and knows no stranger."""

    def score_all(self, queries):
        level = np.ones((len(queries), len(self.counts)), np.float32)
        return np.where(queries.history.lengths[:, None] > 0, level, np.float32(np.nan))


class Frail(Counts):
    """Fails where seven items are asked for, and takes its time where eight are."""

    def score_all(self, queries):
        if queries.k == 7:
            raise ZeroDivisionError("seven")
        if queries.k == 8:
            time.sleep(0.03)
        return super().score_all(queries)

    def explain(self, queries, numbers):
        if queries.k == 9:
            raise ZeroDivisionError("nine")
        return np.full(numbers.shape, ABSENT, np.int32)


class Sum(Stage):
    """Adds up all scores; an unknown score counts as zero."""

    reads = ("*.score",)
    writes = ("score",)

    def apply(self, queries, items):
        scores = [column for name, column in items.columns.items() if name.endswith(".score")]
        return items.with_columns(score=np.nansum(scores, axis=0).astype(np.float32))


class Best(Stage):
    """Orders the k best; ties by number."""

    reads = ("score",)
    writes = ("order",)

    def apply(self, queries, items):
        score = np.where(items.present, items.column("score"), -np.inf)
        ranks = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
        shown = (ranks < queries.k) & items.present
        return items.with_columns(order=np.where(shown, ranks, -1).astype(np.int32))


class Ending(Stage):
    """Reads an order and the explanations of models."""

    reads = ("order", "*.because")
    writes = ("ending",)

    def apply(self, queries, items):
        return items.with_columns(ending=items.column("shelf.because"))


class WithoutColumns(Stage):
    """Has no ability."""


class Torn(Counts):
    """Is interrupted while it is saved."""

    def save(self, folder):
        (folder / "half").write_text("half a file")
        raise KeyboardInterrupt


class Full(Counts):
    """The disk is full when it is saved."""

    def save(self, folder):
        raise OSError(errno.ENOSPC, "No space left on device")


class Older(Counts):
    """Reads a key that was not saved."""

    @classmethod
    def load(cls, config, name, folder):
        return {}["half_life"]


def recipe(**changes):
    """Two models, a sum and an order."""
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


def dataset(rows, n_items=10, triples=()):
    """The item numbers of users as a data set; triples are (head number, relation, tail)."""
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows]).astype(np.int32)
    items = np.array([number for row in rows for number in row], np.int32)
    n_events = len(items)
    return Dataset(
        version=n_events,
        catalogue=catalogue([f"i{number}" for number in range(n_items)]),
        users=catalogue([f"u{number}" for number in range(len(rows))]),
        interactions=Interactions(
            users,
            items,
            np.zeros(n_events, np.int16),
            np.arange(n_events, dtype=np.int64),
            np.full(n_events, np.nan, np.float32),
            np.ones(n_events, np.float32),
            np.arange(n_events, dtype=np.int64),
        ),
        event_types=("view",),
        triples=Triples(
            np.array([head for head, _, _ in triples], np.int32),
            tuple(relation for _, relation, _ in triples),
            tuple(tail for _, _, tail in triples),
            np.full(len(triples), -1, np.int32),
        ),
    )


def catalogue(ids):
    """Living entries without fields."""
    changes = [Change(number, "touch", {}, number) for number in range(len(ids))]
    return Catalogue().with_ids(ids).updated(changes)


def asked(rows, k=3):
    """Queries with histories of item numbers."""
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    size = int(offsets[-1])
    values = np.array([number for row in rows for number in row], np.int32)
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
