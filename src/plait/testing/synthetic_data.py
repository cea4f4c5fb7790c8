"""Small data sets with a known right answer, for tests of models.

Each function returns a `Dataset`; its docstring states the right answer. Times are whole days from
`START`, so that nothing depends on the current date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Change
from plait.data.types import Dataset
from plait.eventlog.dataset_builder import from_arrays
from plait.utils.timestamps import DAY

__all__ = [
    "START",
    "WORLDS",
    "checkerboard",
    "chinese",
    "clock",
    "empty",
    "late_arrivals",
    "make_dataset",
    "market",
    "one_item",
    "positions_only",
    "two_topics",
    "weekly_repeats",
]

START = 1_700_000_000_000_000
"""The day zero of all worlds, in microseconds UTC."""

Event = tuple[str, str, float]
"""User, item, day."""

GARDEN = ("rose", "tulip", "spade", "hose", "seed", "hedge")
KITCHEN = ("pan", "knife", "kettle", "spoon", "oven", "whisk")


def make_dataset(
    events: Sequence[Event],
    *,
    items: Mapping[str, Mapping[str, Any]] | None = None,
    users: Mapping[str, Mapping[str, Any]] | None = None,
    kinds: Sequence[str] | None = None,
    values: Sequence[float] | None = None,
    timed: bool = True,
) -> Dataset:
    """A data set of events.

    Args:
        events: User, item and day of each event.
        items: The fields of items by external id.
        users: The fields of users by external id.
        kinds: The type of each event; by default all have the same.
        values: The rating of each event.
        timed: Whether events have times; otherwise days become positions.
    """
    days = [day for _, _, day in events]
    times = np.array([START + round(day * DAY) for day in days], np.int64)
    return from_arrays(
        [user for user, _, _ in events],
        [item for _, item, _ in events],
        times=times if timed else None,
        positions=None if timed else np.array(days, np.int64),
        kinds=kinds,
        values=values,
        item_fields=_columns("item", items),
        user_fields=_columns("user", users),
    )


def checkerboard(*, users: int = 20, items: int = 12) -> Dataset:
    """Two groups of users and items, black and white; each user lacks one item of their colour.

    Right: user n is recommended item n // 2 modulo items // 2 of the user's colour, as the user
    knows all others of that colour, and nothing of the other colour.

    Args:
        users: The number of users.
        items: The number of items.
    """
    half = items // 2
    events: list[Event] = []
    for user in range(users):
        colour = ("black", "white")[user % 2]
        known = [item for item in range(half) if item != (user // 2) % half]
        rotated = known[user % half :] + known[: user % half]
        events += [
            (f"{colour}-user-{user}", f"{colour}-{item}", float(day))
            for day, item in enumerate(rotated)
        ]
    return make_dataset(events)


def clock(*, hours: int = 12, users: int = 36, steps: int = 5) -> Dataset:
    """Item `hour-i` is always followed by `hour-(i+1)`, modulo the number of hours.

    Right: after `hour-i` comes `hour-(i+1)`, not `hour-(i-1)`, which co-occurs with it as often.

    Args:
        hours: The number of items.
        users: The number of users.
        steps: The number of events a user.
    """
    events = [
        (f"user-{user}", f"hour-{(user + step) % hours}", float(user + step))
        for user in range(users)
        for step in range(steps)
    ]
    return make_dataset(events)


def two_topics(*, items: int = 16) -> Dataset:
    """Half of the items are about gardens, half about kitchens; every user has one event.

    Right: by content `garden-i` is similar to every other `garden-j` and to no `kitchen-j`.

    Args:
        items: The number of items.
    """
    half = items // 2
    fields = {
        f"{topic}-{index}": {
            "title": " ".join(words[(index + step) % len(words)] for step in range(3)),
            "brand": f"{topic} house",
            "tags": [topic, f"shelf {index % 2}"],
            "price": float(index + 1),
        }
        for topic, words in (("garden", GARDEN), ("kitchen", KITCHEN))
        for index in range(half)
    }
    events = [(f"user-{index}", item, float(index)) for index, item in enumerate(fields)]
    return make_dataset(events, items=fields)


def weekly_repeats(*, users: int = 6, weeks: int = 8) -> Dataset:
    """Every user buys the same two items every week, and another one once.

    Right: `user-n` buys `milk-n` and `bread-n` again, not `extra-...`.

    Args:
        users: The number of users.
        weeks: The number of weeks.
    """
    events: list[Event] = []
    for user in range(users):
        for week in range(weeks):
            day = 7.0 * week + user % 3
            events += [
                (f"user-{user}", f"milk-{user}", day),
                (f"user-{user}", f"bread-{user}", day),
            ]
            events += [(f"user-{user}", f"extra-{(user * weeks + week) % 11}-{week}", day + 1)]
    return make_dataset(events)


def late_arrivals(*, users: int = 20, items: int = 12) -> Dataset:
    """The checkerboard with fields, and the items `black-late` and `white-late` without events.

    Right: `black-late` has the words of black items, so it ranks where black items rank.

    Args:
        users: The number of users.
        items: The number of items with events.
    """
    board = checkerboard(users=users, items=items)
    fields = {item: _coloured_fields(item.partition("-")[0], item) for item in board.catalogue.ids}
    fields |= {f"{colour}-late": _coloured_fields(colour, "late") for colour in ("black", "white")}
    seen = board.interactions
    events = [
        (board.users.ids[user], board.catalogue.ids[item], (time - START) / DAY)
        for user, item, time in zip(seen.users, seen.items, seen.times.tolist(), strict=True)
    ]
    return make_dataset(events, items=fields)


def chinese() -> Dataset:
    """A catalogue in Chinese, with some English words.

    Right: 红色 (red) matches the first two, 茶杯 (tea cup) the first and the third.
    """
    titles = ["红色陶瓷茶杯", "红色羊毛围巾", "蓝色玻璃茶杯", "儿童自行车", "iPhone 手机壳"]
    fields = {f"商品{index}": {"title": title} for index, title in enumerate(titles, 1)}
    return make_dataset(
        [(f"用户{index}", item, index) for index, item in enumerate(fields)], items=fields
    )


def market(*, users: int = 24, items: int = 30, seed: int = 0) -> Dataset:
    """A bit of everything, for checks that need no right answer.

    Baskets, repeated items, two event types, ratings, users with one event, users with countries;
    items without events, items without fields, and a deleted item.

    Args:
        users: The number of users.
        items: The number of items.
        seed: The seed of the random choices.
    """
    random = np.random.default_rng(seed)
    topics = (("garden", GARDEN), ("kitchen", KITCHEN))
    fields: dict[str, dict[str, Any]] = {}
    for index in range(items - 3):
        topic, words = topics[index % 2]
        fields[f"item-{index}"] = {
            "title": " ".join(random.choice(words, 4).tolist()) + f" number {index}",
            "brand": f"{topic} {index % 3}",
            "tags": random.choice(words, 2, replace=False).tolist(),
            "price": float(index % 7),
        }
    events: list[Event] = []
    for user in range(users):
        baskets = 1 if user % 6 == 0 else int(random.integers(2, 7))
        for basket in range(baskets):
            size = 1 if user % 6 == 0 else int(random.integers(1, 5))
            bought = random.integers(0, items - 6, size) // 2 * 2 + user % 2
            day = float(user + 3 * basket)
            events += [(f"user-{user}", f"item-{item}", day) for item in bought.tolist()]
    events += [("user-1", f"bare-{index}", 90.0 + index) for index in range(3)]
    user_fields = {f"user-{user}": {"country": ("de", "cn")[user % 2]} for user in range(users)}
    kinds = [("view", "purchase")[index % 2] for index in range(len(events))]
    ratings = [float(day % 5 + 1) for _, _, day in events]
    dataset = make_dataset(events, items=fields, users=user_fields, kinds=kinds, values=ratings)
    deletion = Change(dataset.catalogue.number("item-0"), "delete", {}, dataset.version + 1)
    catalogue = dataset.catalogue.updated([deletion])
    return replace(dataset, version=deletion.offset, catalogue=catalogue)


def positions_only() -> Dataset:
    """The clock without times: events have only their position in the history of their user.

    Right: as in `clock`; nothing decays by days.
    """
    events = [
        (f"user-{user}", f"hour-{(user + step) % 12}", step)
        for user in range(24)
        for step in range(4)
    ]
    return make_dataset(events, timed=False)


def one_item() -> Dataset:
    """One item and two users. Right: nothing raises."""
    return make_dataset(
        [("a", "only", 0), ("b", "only", 1)], items={"only": {"title": "the only one"}}
    )


def empty() -> Dataset:
    """No events and no items. Right: nothing raises."""
    return make_dataset([])


WORLDS: Mapping[str, Callable[[], Dataset]] = {
    "checkerboard": checkerboard,
    "chinese": chinese,
    "clock": clock,
    "empty": empty,
    "late_arrivals": late_arrivals,
    "market": market,
    "one_item": one_item,
    "positions_only": positions_only,
    "two_topics": two_topics,
    "weekly_repeats": weekly_repeats,
}
"""All data sets by name, each in its usual size."""


def _columns(name: str, fields: Mapping[str, Mapping[str, Any]] | None) -> Any:
    """Fields by id as columns; None where an entity lacks a field."""
    if fields is None:
        return None
    names = dict.fromkeys(key for record in fields.values() for key in record)
    columns = {key: [record.get(key) for record in fields.values()] for key in names}
    return {name: list(fields), **columns}


def _coloured_fields(colour: str, name: str) -> dict[str, Any]:
    words = {"black": "night coal ink", "white": "snow milk chalk"}[colour]
    return {"title": f"{words} {name.replace('-', ' ')}", "brand": f"{colour} works"}
