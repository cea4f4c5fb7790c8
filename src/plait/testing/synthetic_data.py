"""Toy worlds with a known right answer: small data sets that a model must understand first.

Each function makes a `Dataset`; its docstring says what the right answer is. Times are whole days
from `START`, so that nothing depends on today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.catalogue import Change
from plait.data.types import Dataset
from plait.eventlog.snapshot import from_arrays

__all__ = [
    "DAY",
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

DAY = 86_400_000_000
"""Microseconds."""

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
    """A data set of (user, item, day) events; `items` and `users` give fields by outside id.

    `values` by event: its rating. Without `timed` the events have positions instead of times.
    """
    days = [day for _, _, day in events]
    when = np.array([START + round(day * DAY) for day in days], np.int64)
    return from_arrays(
        [user for user, _, _ in events],
        [item for _, item, _ in events],
        times=when if timed else None,
        positions=None if timed else np.array(days, np.int64),
        kinds=kinds,
        values=values,
        item_fields=_columns("item", items),
        user_fields=_columns("user", users),
    )


def checkerboard(*, users: int = 20, items: int = 12) -> Dataset:
    """Two groups of users and items, black and white; users lack one item of their own colour.

    Right: user n is given item `missing` = n // 2 modulo items // 2 of the user's colour, since
    everything else of that colour is known; nothing of the other colour.
    """
    half = items // 2
    events: list[Event] = []
    for user in range(users):
        colour = ("black", "white")[user % 2]
        taken = [one for one in range(half) if one != (user // 2) % half]
        turned = taken[user % half :] + taken[: user % half]
        events += [(f"{colour}-user-{user}", f"{colour}-{one}", day) for day, one in _days(turned)]
    return make_dataset(events)


def clock(*, hours: int = 12, users: int = 36, steps: int = 5) -> Dataset:
    """Item `hour-i` is always followed by `hour-(i+1)`, round and round.

    Right: after `hour-i` comes `hour-(i+1)`, not `hour-(i-1)`, which is as often near it.
    """
    events = [
        (f"user-{user}", f"hour-{(user + step) % hours}", float(user + step))
        for user in range(users)
        for step in range(steps)
    ]
    return make_dataset(events)


def two_topics(*, items: int = 16) -> Dataset:
    """Half of the items speak of gardens, half of kitchens; every user has taken one item.

    Right: by content `garden-i` is like every other `garden-j` and unlike every `kitchen-j`.
    """
    half = items // 2
    fields = {
        f"{topic}-{one}": {
            "title": " ".join(words[(one + step) % len(words)] for step in range(3)),
            "brand": f"{topic} house",
            "tags": [topic, f"shelf {one % 2}"],
            "price": float(one + 1),
        }
        for topic, words in (("garden", GARDEN), ("kitchen", KITCHEN))
        for one in range(half)
    }
    events = [(f"user-{one}", item, float(one)) for one, item in enumerate(fields)]
    return make_dataset(events, items=fields)


def weekly_repeats(*, users: int = 6, weeks: int = 8) -> Dataset:
    """Every user takes an own basket of two every week, and something else once.

    Right: `user-n` comes back to `milk-n` and `bread-n`, not to `extra-...`.
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
    """The checkerboard with fields, and `black-late` and `white-late`, which nobody took yet.

    Right: `black-late` says what black items say, so it stands where black items stand.
    """
    board = checkerboard(users=users, items=items)
    fields = {one: _described(one.partition("-")[0], one) for one in board.catalogue.ids}
    fields |= {f"{colour}-late": _described(colour, "late") for colour in ("black", "white")}
    found = board.interactions
    events = [
        (board.users.ids[user], board.catalogue.ids[item], (time - START) / DAY)
        for user, item, time in zip(found.users, found.items, found.times.tolist(), strict=True)
    ]
    return make_dataset(events, items=fields)


def chinese() -> Dataset:
    """A catalogue in Chinese, with some English in it.

    Right: 红色 (red) finds the first two, 茶杯 (tea cup) the first and the third.
    """
    titles = ["红色陶瓷茶杯", "红色羊毛围巾", "蓝色玻璃茶杯", "儿童自行车", "iPhone 手机壳"]
    fields = {f"商品{one}": {"title": title} for one, title in enumerate(titles, 1)}
    return make_dataset(
        [(f"用户{one}", item, one) for one, item in enumerate(fields)], items=fields
    )


def market(*, users: int = 24, items: int = 30, seed: int = 0) -> Dataset:
    """A bit of everything, for checks that need no right answer.

    Baskets, repetition, kinds, ratings, users of one event, users with countries; items without
    events, without fields, and one that was deleted.
    """
    random = np.random.default_rng(seed)
    topics = (("garden", GARDEN), ("kitchen", KITCHEN))
    fields: dict[str, dict[str, Any]] = {}
    for one in range(items - 3):
        topic, words = topics[one % 2]
        fields[f"item-{one}"] = {
            "title": " ".join(random.choice(words, 4).tolist()) + f" number {one}",
            "brand": f"{topic} {one % 3}",
            "tags": random.choice(words, 2, replace=False).tolist(),
            "price": float(one % 7),
        }
    events: list[Event] = []
    for user in range(users):
        baskets = 1 if user % 6 == 0 else int(random.integers(2, 7))
        for basket in range(baskets):
            size = 1 if user % 6 == 0 else int(random.integers(1, 5))
            near = random.integers(0, items - 6, size) // 2 * 2 + user % 2
            day = float(user + 3 * basket)
            events += [(f"user-{user}", f"item-{one}", day) for one in near.tolist()]
    events += [("user-1", f"bare-{one}", 90.0 + one) for one in range(3)]
    people = {f"user-{user}": {"country": ("de", "cn")[user % 2]} for user in range(users)}
    kinds = [("view", "purchase")[one % 2] for one in range(len(events))]
    stars = [float(day % 5 + 1) for _, _, day in events]
    made = make_dataset(events, items=fields, users=people, kinds=kinds, values=stars)
    gone = Change(made.catalogue.number("item-0"), "delete", {}, made.version + 1)
    return replace(made, version=gone.offset, catalogue=made.catalogue.updated([gone]))


def positions_only() -> Dataset:
    """The clock without times: events know their place in the row of their user alone.

    Right: as in `clock`; nothing may be decayed by days.
    """
    events = [
        (f"user-{user}", f"hour-{(user + step) % 12}", step)
        for user in range(24)
        for step in range(4)
    ]
    return make_dataset(events, timed=False)


def one_item() -> Dataset:
    """A catalogue of one item, two users. Right: nothing raises."""
    return make_dataset(
        [("a", "only", 0), ("b", "only", 1)], items={"only": {"title": "the only one"}}
    )


def empty() -> Dataset:
    """A log in which nothing happened. Right: nothing raises, nothing is known."""
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
"""All worlds by name, each with its usual size."""


def _columns(name: str, fields: Mapping[str, Mapping[str, Any]] | None) -> Any:
    """Fields by id as columns, None where somebody lacks one."""
    if fields is None:
        return None
    names = dict.fromkeys(key for one in fields.values() for key in one)
    columns = {key: [one.get(key) for one in fields.values()] for key in names}
    return {name: list(fields), **columns}


def _days(items: Sequence[int]) -> list[tuple[float, int]]:
    return [(float(day), item) for day, item in enumerate(items)]


def _described(colour: str, name: str) -> dict[str, Any]:
    words = {"black": "night coal ink", "white": "snow milk chalk"}[colour]
    return {"title": f"{words} {name.replace('-', ' ')}", "brand": f"{colour} works"}
