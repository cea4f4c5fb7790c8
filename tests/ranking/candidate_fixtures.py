"""A small shop to filter, order and explain: eight items with every type of field."""

from dataclasses import dataclass, field, replace

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, History, QueryBatch, StateView
from plait.utils.timestamps import DAY

NOW = 20_000 * DAY
TYPES = {
    "title": "text",
    "category": "category",
    "tags": "set",
    "price": "number",
    "born": "time",
    "place": "place",
    "available": "category",
    "stock": "number",
    "brand": "category",
}
FIELDS = [
    {
        "title": "Red mug",
        "category": "mugs",
        "tags": ("red", "kitchen"),
        "price": 4.0,
        "stock": 0.0,
    },
    {"title": "Blue Mug", "category": "mugs", "tags": ("blue",), "price": 5.0, "available": "true"},
    {"title": "Red lamp", "category": "lamps", "tags": ("red",), "price": 30.0, "brand": "OPI"},
    {
        "title": "Desk lamp",
        "category": "lamps",
        "price": 18.5,
        "brand": "OPI",
        "born": 19_000 * DAY,
    },
    {"category": "lamps", "available": "false", "born": 19_999 * DAY},
    {"title": "straße", "place": (48.2, 16.4), "price": 0.0, "stock": 3.0},
    {"title": "", "tags": (), "place": (48.3, 16.4)},
    {},
]
IDS = [f"i{number}" for number in range(len(FIELDS))]


@dataclass
class Standing:
    """A state in which nobody did anything."""

    catalogue: Catalogue
    version: int = 0
    users: Catalogue = field(default_factory=Catalogue)

    def history(self, users, kinds):
        return History.empty(len(users))


def catalogue(fields=FIELDS, dead=()):
    ids = [f"i{number}" for number in range(len(fields))]
    made = Catalogue().with_ids(ids).with_columns(TYPES)
    changes = [Change(number, "put", values, number) for number, values in enumerate(fields)]
    return made.updated(changes).updated([Change(number, "delete", {}, 100) for number in dead])


def live(**settings):
    return StateView(Standing(catalogue(**settings)))


def ask(*histories, k=10, **fields):
    """Questions of users with these histories, an event a day, the newest today."""
    histories = histories or ((),)
    lengths = [len(history) for history in histories]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    items = np.array([number for row in histories for number in row], np.int32)
    days = [place - size + 1 for size in lengths for place in range(size)]
    times = NOW + np.array(days, np.int64) * DAY
    history = History(offsets, items, times, np.ones(len(items), np.float32))
    queries = QueryBatch.of_histories(history, times=np.full(len(histories), NOW, np.int64), k=k)
    return replace(queries, **fields)


def ragged(*rows):
    return Ragged.from_rows(rows)


def candidates(*rows, **columns):
    """Candidate lists, padded; columns are matrices, `popular__score` for popular.score."""
    named = {
        name.replace("__", "."): np.array(column, np.int32 if name.endswith("rank") else np.float32)
        for name, column in columns.items()
    }
    return CandidateLists(ragged(*rows).to_padded(), named)


def scored(stage, items, queries=None):
    """The candidates that a stage returns; without queries, of users without a history."""
    queries = ask(*[()] * items.shape[0]) if queries is None else queries
    return stage.apply(queries, items)
