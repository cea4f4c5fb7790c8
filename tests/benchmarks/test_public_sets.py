"""Data sets without what ids and the order of rows tell."""

from collections import Counter

import polars as pl
import pytest
from benchmarks.public_sets import anonymised

DAY = 86_400


def source(order):
    """Three users, two days with four events each; every event has an item of its own."""
    rows = [
        {
            "user": f"person-{user}",
            "item": f"{user}-{day}-{event}",
            "day": day * DAY,
            "number": event,
        }
        for user in range(3)
        for day in range(2)
        for event in range(4)
    ]
    events = pl.DataFrame(rows)
    number = pl.col("number")
    if order == "time":
        events = events.with_columns(time=pl.col("day") + number).drop("day", "number")
    else:
        position = pl.col("day") // DAY * 4 + number
        events = events.with_columns(position=position).drop("number")
    titles = events.select("item", title=pl.col("item"))
    return {"events": events, "items": titles}


@pytest.mark.parametrize("order", ["time", "position"])
def test_anonymised_data_keep_who_took_what_on_which_day(order):
    before = source(order)
    after = anonymised(before)
    assert not set(after["events"]["user"]) & set(before["events"]["user"])
    assert not set(after["events"]["item"]) & set(before["events"]["item"])
    titled = after["events"].join(after["items"], on="item")
    size = DAY if order == "time" else 4
    days = [
        (title.rpartition("-")[0], value // size)
        for title, value in titled.select("title", order).iter_rows()
    ]
    assert all(int(name.split("-")[1]) == day for name, day in days)
    assert set(Counter(days).values()) == {4}
    known = before["events"].sort("user", order)["item"].to_list()
    assert titled.sort("user", order)["title"].to_list() != known


def test_anonymised_data_are_the_same_for_the_same_seed():
    first, second = (anonymised(source("time"), seed=1)["events"] for _ in range(2))
    assert first.equals(second)
    assert not first.equals(anonymised(source("time"), seed=2)["events"])
