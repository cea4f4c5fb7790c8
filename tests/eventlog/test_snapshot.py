"""Snapshots: order, clocks, and what was known at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from plait.data.types import Dataset, Event
from plait.errors import InputError
from plait.eventlog import EventLog
from plait.eventlog.dataset_builder import from_arrays
from plait.eventlog.snapshot import snapshot

T = 1_700_000_000_000_000


def click(
    name: str, user: str, item: str, seconds: int | None = 0, kind: str = "view", **more: Any
) -> Event:
    time = None if seconds is None else T + seconds
    return Event("interaction", name, kind, user, item, time, **more)


def item(
    name: str, kind: str, item_id: str, fields: str | None, seconds: int | None = None
) -> Event:
    time = None if seconds is None else T + seconds
    return Event("item", name, kind, item=item_id, time=time, fields=fields)


def pairs(dataset: Dataset) -> list[tuple[str, str]]:
    """User and item of every interaction."""
    rows = dataset.interactions
    return [
        (dataset.users.id(user), dataset.catalogue.id(item))
        for user, item in zip(rows.users.tolist(), rows.items.tolist(), strict=True)
    ]


def test_a_snapshot_of_an_empty_log(log: EventLog) -> None:
    dataset = snapshot(log)
    assert (len(dataset.interactions), dataset.n_items, dataset.n_users) == (0, 0, 0)
    assert (dataset.clock, dataset.event_types, len(dataset.triples)) == ("time", (), 0)


def test_histories_are_ordered_by_time_then_offset(log: EventLog) -> None:
    log.append([click("a", "u", "x", 5), click("b", "v", "x", 1), click("c", "u", "y", 5)])
    log.append([click("d", "u", "z", 1, value=2.5), click("e", "v", "y", 0, kind="buy")])
    progress: list[tuple[int, int]] = []
    dataset = snapshot(log, progress=lambda done, total: progress.append((done, total)))
    assert pairs(dataset) == [("u", "z"), ("u", "x"), ("u", "y"), ("v", "y"), ("v", "x")]
    assert (dataset.version, dataset.clock, progress) == (5, "time", [(5, 5)])
    rows = dataset.interactions
    assert rows.offsets.tolist() == [4, 1, 3, 5, 2]
    assert rows.times.tolist() == [T + 1, T + 5, T + 5, T, T + 1]
    assert [dataset.event_types[kind] for kind in rows.event_types] == [
        "view",
        "view",
        "view",
        "buy",
        "view",
    ]
    assert rows.values[0] == 2.5
    assert np.isnan(rows.values[1:]).all()
    assert rows.weights.tolist() == [1.0] * 5
    assert dataset.catalogue.alive.all()


def test_positions_order_interactions_without_a_time(log: EventLog) -> None:
    log.append(
        [
            click("a", "u", "late", None),
            click("b", "u", "p9", None, position=9),
            click("c", "u", "p2", None, position=2),
            click("d", "v", "x", None),
            click("e", "u", "later", None),
            click("f", "v", "y", 0),
            click("g", "w", "z", None, position=-4),
        ]
    )
    dataset = snapshot(log)
    assert dataset.clock == "position"
    assert [item for _, item in pairs(dataset)] == ["p2", "p9", "late", "later", "x", "y", "z"]
    assert dataset.interactions.times.tolist() == [2, 9, 10, 11, 0, 1, -4]


def test_a_snapshot_up_to_an_offset(log: EventLog) -> None:
    log.append([click("a", "u", "x"), item("p", "put", "x", '{"price":1}')])
    log.append([click("b", "v", "y"), item("q", "put", "x", '{"price":2}')])
    dataset = snapshot(log, until=2)
    assert (dataset.version, dataset.n_items, dataset.n_users) == (2, 1, 1)
    assert dataset.catalogue.fields(0) == {"price": 1}
    assert snapshot(log, until=99).catalogue.fields(0) == {"price": 2}
    assert snapshot(log, until=0).n_items == 0


def test_a_snapshot_up_to_a_time_contains_nothing_later(log: EventLog) -> None:
    log.append([click("a", "u", "x", 1), click("b", "u", "y", 9), click("c", "v", "z", None)])
    log.append(
        [
            item("p1", "put", "x", '{"price":1,"title":"cup"}', 1),
            item("p2", "patch", "x", '{"price":2}', 5),
            item("p3", "patch", "x", '{"price":3}', 6),
            item("p4", "put", "w", '{"price":7}'),
            item("p5", "delete", "x", None, 8),
            Event("fact", "f", "brand", item="x", fields='{"tail":"acme"}', time=T + 9),
        ]
    )
    dataset = snapshot(log, until_time=T + 6)
    assert pairs(dataset) == [("u", "x")]
    assert dataset.clock == "time"
    assert dataset.catalogue.fields(0) == {"price": 2, "title": "cup"}
    alive = dict(zip(dataset.catalogue.ids, dataset.catalogue.alive.tolist(), strict=True))
    assert alive == {"x": True, "y": False, "z": False, "w": True}
    assert dataset.users.alive.tolist() == [True, False]
    assert len(dataset.triples) == 0
    now = snapshot(log)
    assert not now.catalogue.alive[0]
    assert now.catalogue.fields(0) == {}
    assert now.triples.tails == ("acme",)


def test_changes_apply_in_the_order_of_their_offsets(log: EventLog) -> None:
    log.append(
        [
            item("a", "put", "x", '{"price":3}', 30),
            item("b", "put", "x", '{"price":5}', 20),
            item("c", "put", "y", '{"price":1}', 10),
            item("d", "put", "y", '{"price":2}'),
            item("e", "put", "x", '{"title":"new"}'),
        ]
    )
    catalogue = snapshot(log).catalogue
    assert catalogue.fields(0) == {"title": "new"}
    assert catalogue.fields(1) == {"price": 2}
    assert catalogue.changed.tolist() == [5, 4]
    assert snapshot(log, until=4).catalogue.fields(0) == {"price": 5}
    assert snapshot(log, until=4, until_time=T + 25).catalogue.fields(0) == {"price": 5}
    assert snapshot(log, until=4, until_time=T + 15).catalogue.fields(0) == {}


def test_a_deleted_item_is_not_alive_until_it_is_put_again(log: EventLog) -> None:
    log.append([click("a", "u", "x"), item("b", "delete", "x", None), click("c", "v", "x")])
    assert not snapshot(log).catalogue.alive[0]
    log.append([item("d", "put", "x", "{}")])
    assert snapshot(log).catalogue.alive[0]


def test_erased_users_keep_their_number_alone(log: EventLog) -> None:
    log.append([click("a", "ann", "x"), click("b", "bob", "x"), click("c", "ann", "y")])
    log.append([Event("user", "d", "put", user="ann", fields='{"city":"Rome"}')])
    log.erase("ann")
    dataset = snapshot(log)
    assert pairs(dataset) == [("bob", "x")]
    assert dataset.users.ids == ("", "bob")
    assert dataset.users.alive.tolist() == [False, True]
    assert dataset.users.numbers(["ann", "", "bob"]).tolist() == [-1, -1, 1]
    assert dataset.users.columns == {}


def test_heads_and_tails_of_triples_need_not_be_items(log: EventLog) -> None:
    log.append([click("a", "u", "cup"), click("b", "u", "pot")])
    facts = [("cup", "brand", "acme"), ("acme", "land", "Peru"), ("pot", "like", "cup")]
    log.append(
        [
            Event("fact", f"f{n}", kind, item=head, fields=f'{{"tail":"{tail}"}}')
            for n, (head, kind, tail) in enumerate(facts)
        ]
    )
    dataset = snapshot(log)
    assert dataset.n_items == 2
    assert dataset.triples.head_ids == ("cup", "acme", "pot")
    assert dataset.triples.heads.tolist() == [0, -1, 1]
    assert dataset.triples.relations == ("brand", "land", "like")
    assert dataset.triples.tails == ("acme", "Peru", "cup")
    assert dataset.triples.tail_items.tolist() == [-1, -1, 0]
    assert dataset.event_types == ("view",)


def test_from_arrays_equals_a_snapshot_of_the_same_events(log: EventLog) -> None:
    users, items = ["u", "v", "u"], ["x", "x", "y"]
    times = np.array([T + 3, T + 2, T + 1])
    frame = pl.DataFrame({"item": ["y", "z"], "title": ["a red mug", None], "price": [2.5, 3]})
    made = from_arrays(
        users, items, times, kinds=["view", "buy", "view"], values=[1, 2, 3], item_fields=frame,
        facts=[("x", "brand", "acme")],
    )  # fmt: skip
    log.append(
        [
            Event("interaction", "1", "view", "u", "x", T + 3, value=1),
            Event("interaction", "2", "buy", "v", "x", T + 2, value=2),
            Event("interaction", "3", "view", "u", "y", T + 1, value=3),
            Event("item", "4", "put", item="y", fields='{"title":"a red mug","price":2.5}'),
            Event("item", "5", "put", item="z", fields='{"price":3}'),
            Event("fact", "6", "brand", item="x", fields='{"tail":"acme"}'),
        ]
    )
    stored = snapshot(log)
    assert pairs(made) == pairs(stored)
    for name in ("users", "items", "event_types", "times", "values", "weights", "offsets"):
        built, read = (getattr(data.interactions, name) for data in (made, stored))
        assert built.dtype == read.dtype
        np.testing.assert_array_equal(built, read)
    assert (made.version, made.event_types, made.clock) == (
        stored.version,
        stored.event_types,
        stored.clock,
    )
    assert made.catalogue.types() == stored.catalogue.types()
    for number in range(3):
        assert made.catalogue.fields(number) == stored.catalogue.fields(number)
    assert made.catalogue.changed.tolist() == stored.catalogue.changed.tolist()
    assert made.triples.heads.tolist() == stored.triples.heads.tolist() == [0]


def test_from_arrays_accepts_other_types_of_columns() -> None:
    dataset = from_arrays([1, 2], [7, 7], np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"))
    assert dataset.interactions.times.tolist() == [1577836800_000_000, 1577923200_000_000]
    assert dataset.catalogue.ids == ("7",)
    assert from_arrays(["u"], ["i"]).clock == "position"
    assert from_arrays([], []).clock == "time"
    assert from_arrays(["u", "u"], ["a", "b"], positions=[5, 4]).interactions.items.tolist() == [
        1,
        0,
    ]
    users = {"user": ["u"], "age": [30]}
    assert from_arrays(["u"], ["i"], user_fields=users).users.fields(0) == {"age": 30}


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError):
        from_arrays(["u"], ["i", "j"])
    with pytest.raises(InputError) as caught:
        from_arrays(["u"], ["i"], item_fields={"title": ["x"]})
    assert caught.value.field == "item"
    fields = {"item": range(40), "price": ["1"] * 39 + ["x"]}
    with pytest.raises(InputError) as caught:
        from_arrays(["u"], ["i"], item_fields=fields)
    assert caught.value.field == "price"
