"""Snapshots: order, clocks, what was known when."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from plait.data.types import Dataset, Event
from plait.errors import InputError
from plait.eventlog import EventLog
from plait.eventlog.snapshot import from_arrays, snapshot

T = 1_700_000_000_000_000


def click(name: str, user: str, item: str, when: int | None = 0, **more: Any) -> Event:
    kind = more.pop("kind", "view")
    return Event("interaction", name, kind, user, item, None if when is None else T + when, **more)


def item(name: str, kind: str, outside: str, fields: str | None, when: int | None = None) -> Event:
    return Event("item", name, kind, item=outside, time=when and T + when, fields=fields)


def seen(found: Dataset) -> list[tuple[str, str]]:
    rows = found.interactions
    return [
        (found.users.id(user), found.catalogue.id(one))
        for user, one in zip(rows.users.tolist(), rows.items.tolist(), strict=True)
    ]


def test_an_empty_log(log: EventLog) -> None:
    found = snapshot(log)
    assert (len(found.interactions), found.n_items, found.n_users) == (0, 0, 0)
    assert (found.clock, found.event_types, len(found.triples)) == ("time", (), 0)


def test_histories_are_ordered_by_time_then_offset(log: EventLog) -> None:
    log.append([click("a", "u", "x", 5), click("b", "v", "x", 1), click("c", "u", "y", 5)])
    log.append([click("d", "u", "z", 1, value=2.5), click("e", "v", "y", 0, kind="buy")])
    told: list[tuple[int, int]] = []
    found = snapshot(log, progress=lambda done, total: told.append((done, total)))
    assert seen(found) == [("u", "z"), ("u", "x"), ("u", "y"), ("v", "y"), ("v", "x")]
    assert (found.version, found.clock, told) == (5, "time", [(5, 5)])
    rows = found.interactions
    assert rows.offsets.tolist() == [4, 1, 3, 5, 2]
    assert rows.times.tolist() == [T + 1, T + 5, T + 5, T, T + 1]
    assert [found.event_types[kind] for kind in rows.event_types] == [
        "view",
        "view",
        "view",
        "buy",
        "view",
    ]
    assert rows.values[0] == 2.5
    assert np.isnan(rows.values[1:]).all()
    assert rows.weights.tolist() == [1.0] * 5
    assert found.catalogue.alive.all()


def test_positions_order_where_there_is_no_time(log: EventLog) -> None:
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
    found = snapshot(log)
    assert found.clock == "position"
    assert [one for _, one in seen(found)] == ["p2", "p9", "late", "later", "x", "y", "z"]
    assert found.interactions.times.tolist() == [2, 9, 10, 11, 0, 1, -4]


def test_until_an_offset(log: EventLog) -> None:
    log.append([click("a", "u", "x"), item("p", "put", "x", '{"price":1}')])
    log.append([click("b", "v", "y"), item("q", "put", "x", '{"price":2}')])
    found = snapshot(log, until=2)
    assert (found.version, found.n_items, found.n_users) == (2, 1, 1)
    assert found.catalogue.fields(0) == {"price": 1}
    assert snapshot(log, until=99).catalogue.fields(0) == {"price": 2}
    assert snapshot(log, until=0).n_items == 0


def test_until_a_time_nothing_later_is_known(log: EventLog) -> None:
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
    found = snapshot(log, until_time=T + 6)
    assert seen(found) == [("u", "x")]
    assert found.clock == "time"
    assert found.catalogue.fields(0) == {"price": 2, "title": "cup"}
    alive = dict(zip(found.catalogue.ids, found.catalogue.alive.tolist(), strict=True))
    assert alive == {"x": True, "y": False, "z": False, "w": True}
    assert found.users.alive.tolist() == [True, False]
    assert len(found.triples) == 0
    now = snapshot(log)
    assert not now.catalogue.alive[0]
    assert now.catalogue.fields(0) == {}
    assert now.triples.tails == ("acme",)


def test_changes_count_in_the_order_in_which_they_came(log: EventLog) -> None:
    log.append(
        [
            item("a", "put", "x", '{"price":3}', 30),
            item("b", "put", "x", '{"price":5}', 20),
            item("c", "put", "y", '{"price":1}', 10),
            item("d", "put", "y", '{"price":2}'),
            item("e", "put", "x", '{"title":"new"}'),
        ]
    )
    found = snapshot(log).catalogue
    assert found.fields(0) == {"title": "new"}
    assert found.fields(1) == {"price": 2}
    assert found.changed.tolist() == [5, 4]
    assert snapshot(log, until=4).catalogue.fields(0) == {"price": 5}
    assert snapshot(log, until=4, until_time=T + 25).catalogue.fields(0) == {"price": 5}
    assert snapshot(log, until=4, until_time=T + 15).catalogue.fields(0) == {}


def test_a_deleted_item_stays_dead_until_it_is_put_again(log: EventLog) -> None:
    log.append([click("a", "u", "x"), item("b", "delete", "x", None), click("c", "v", "x")])
    assert not snapshot(log).catalogue.alive[0]
    log.append([item("d", "put", "x", "{}")])
    assert snapshot(log).catalogue.alive[0]


def test_erased_users_vanish(log: EventLog) -> None:
    log.append([click("a", "ann", "x"), click("b", "bob", "x"), click("c", "ann", "y")])
    log.append([Event("user", "d", "put", user="ann", fields='{"city":"Rome"}')])
    log.erase("ann")
    found = snapshot(log)
    assert seen(found) == [("bob", "x")]
    assert found.users.ids == ("", "bob")
    assert found.users.alive.tolist() == [False, True]
    assert found.users.numbers(["ann", "", "bob"]).tolist() == [-1, -1, 1]
    assert found.users.columns == {}


def test_facts_name_entities_that_need_not_be_items(log: EventLog) -> None:
    log.append([click("a", "u", "cup"), click("b", "u", "pot")])
    facts = [("cup", "brand", "acme"), ("acme", "land", "Peru"), ("pot", "like", "cup")]
    log.append(
        [
            Event("fact", f"f{n}", kind, item=head, fields=f'{{"tail":"{tail}"}}')
            for n, (head, kind, tail) in enumerate(facts)
        ]
    )
    found = snapshot(log)
    assert found.n_items == 2
    assert found.triples.head_ids == ("cup", "acme", "pot")
    assert found.triples.heads.tolist() == [0, -1, 1]
    assert found.triples.relations == ("brand", "land", "like")
    assert found.triples.tails == ("acme", "Peru", "cup")
    assert found.triples.tail_items.tolist() == [-1, -1, 0]
    assert found.event_types == ("view",)


def test_arrays_and_a_log_give_the_same(log: EventLog) -> None:
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
    assert seen(made) == seen(stored)
    for name in ("users", "items", "event_types", "times", "values", "weights", "offsets"):
        one, two = (getattr(found.interactions, name) for found in (made, stored))
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)
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


def test_arrays_of_other_kinds() -> None:
    found = from_arrays([1, 2], [7, 7], np.array(["2020-01-01", "2020-01-02"], "datetime64[D]"))
    assert found.interactions.times.tolist() == [1577836800_000_000, 1577923200_000_000]
    assert found.catalogue.ids == ("7",)
    assert from_arrays(["u"], ["i"]).clock == "position"
    assert from_arrays([], []).clock == "time"
    assert from_arrays(["u", "u"], ["a", "b"], positions=[5, 4]).interactions.items.tolist() == [
        1,
        0,
    ]
    users = {"user": ["u"], "age": [30]}
    assert from_arrays(["u"], ["i"], user_fields=users).users.fields(0) == {"age": 30}
    with pytest.raises(InputError, match="unequal"):
        from_arrays(["u"], ["i", "j"])
    with pytest.raises(InputError, match="no column"):
        from_arrays(["u"], ["i"], item_fields={"title": ["x"]})
