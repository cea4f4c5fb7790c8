"""Small data sets by hand, and random ones."""

import numpy as np

from plait.data.catalogue import Catalogue, Change
from plait.data.types import Dataset, Interactions, Triples
from plait.utils.timestamps import DAY

NO_FACTS = Triples(np.zeros(0, np.int32), (), (), np.zeros(0, np.int32))


def catalogue(ids, fields=None):
    """A catalogue in which everybody is alive, with fields by outside id."""
    fields = fields or {}
    types = {}
    for item_fields in fields.values():
        for name, value in item_fields.items():
            types[name] = "number" if isinstance(value, float) else "category"
    changes = [
        Change(number, "put", fields.get(name, {}), number) for number, name in enumerate(ids)
    ]
    return Catalogue().with_ids(list(ids)).with_columns(types).updated(changes)


def world(rows, *, clock="time", users=None, items=None, item_fields=None, user_fields=None):
    """A data set from (user, item, time[, kind]) rows; times in days, numbers by appearance."""
    rows = [(*row, "purchase")[:4] for row in rows]
    users = list(users or dict.fromkeys(row[0] for row in rows))
    items = list(items or dict.fromkeys(row[1] for row in rows))
    kinds = tuple(dict.fromkeys(row[3] for row in rows))
    scale = DAY if clock == "time" else 1
    who = np.array([users.index(row[0]) for row in rows], np.int32)
    what = np.array([items.index(row[1]) for row in rows], np.int32)
    when = np.array([round(row[2] * scale) for row in rows], np.int64)
    kind = np.array([kinds.index(row[3]) for row in rows], np.int16)
    offsets = np.arange(len(rows), dtype=np.int64)
    ones = np.ones(len(rows), np.float32)
    unordered = Interactions(who, what, kind, when, np.full(len(rows), np.nan, "f4"), ones, offsets)
    ordered = unordered.take(np.lexsort((offsets, when, who)))
    return Dataset(
        len(rows),
        catalogue(items, item_fields),
        catalogue(users, user_fields),
        ordered,
        kinds,
        NO_FACTS,
        clock,
    )


def random_rows(*, users=60, items=40, events=900, days=60, seed=0):
    """Users who like a stretch of the catalogue, with drifting popularity."""
    generator = np.random.default_rng(seed)
    who = generator.integers(0, users, events)
    when = np.sort(generator.random(events) * days)
    centre = who * items // users + generator.normal(0, 3, events) + when / days * 8
    what = np.mod(np.round(centre), items).astype(int)
    return [
        (f"u{user}", f"i{item}", time) for user, item, time in zip(who, what, when, strict=True)
    ]
