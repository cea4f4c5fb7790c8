"""Field types that are declared before any value is seen, on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from plait.data.types import Event
from plait.errors import ConflictError, InputError
from plait.eventlog import EventLog
from plait.ingest import read_events
from plait.ingest.importer import Importer


def item(name: str, fields: str) -> Event:
    return Event("item", f"put-{name}", "put", item=name, fields=fields)


def test_a_declared_type_stands_before_the_first_value(log: EventLog) -> None:
    log.declare({("item", "code"): "category", ("user", "age"): "number"})
    assert log.version == 0
    assert log.schema().types == {("item", "code"): "category", ("user", "age"): "number"}
    assert log.append([item("cup", '{"code":7}')]).rows[0].status == "stored"
    (chunk,) = log.read()
    assert chunk.fields == ['{"code":"7"}']
    assert log.schema().types[("item", "code")] == "category"


def test_declaring_again_changes_nothing(log: EventLog) -> None:
    log.declare({("item", "code"): "category"})
    before = log.schema()
    log.declare({("item", "code"): "category"})
    log.declare({})
    assert log.schema() == before


def test_against_a_stored_type_nothing_is_stored(log: EventLog) -> None:
    log.append([item("cup", '{"price":7.5}')])
    with pytest.raises(ConflictError, match="'price' of items is stored as number, not text"):
        log.declare({("item", "name"): "text", ("item", "price"): "text"})
    with pytest.raises(InputError, match="no field type"):
        log.declare({("item", "name"): "text", ("user", "x"): "integer"})  # type: ignore[dict-item]
    assert log.schema().types == {("item", "price"): "number"}
    assert log.append([item("pot", '{"price":8}')]).rows[0].status == "stored"


def test_another_process_hears_of_it(log: EventLog, place: str) -> None:
    log.append([item("cup", '{"price":7.5}')])
    with EventLog.open(place) as other:
        other.declare({("item", "code"): "category"})
        with pytest.raises(ConflictError, match="stored as category, not number"):
            log.declare({("item", "code"): "number"})
        log.append([item("pot", '{"code":7,"price":1}')])
        assert other.schema().types[("item", "code")] == "category"
    assert [chunk.fields for chunk in log.read()] == [
        ['{"price":7.5}', '{"code":"7","price":1}'],
    ]


def test_many_at_once_agree(log: EventLog) -> None:
    """Whoever comes first declares; the others hear what stands."""

    def declare(kind: str) -> str:
        try:
            log.declare({("item", "code"): kind})  # type: ignore[dict-item]
        except ConflictError as problem:
            return problem.message.split(" is stored as ")[1].split(",")[0]
        return kind

    with ThreadPoolExecutor(4) as pool:
        heard = list(pool.map(declare, ["number", "text", "category", "number"] * 3))
    assert heard == [log.schema().types[("item", "code")]] * len(heard)


def test_by_a_mapping_through_the_door(log: EventLog) -> None:
    mapping = {"items": {"types": {"code": "category"}}}
    data = b"item,code,price\ncup,7,1.5\npot,8,2\n"
    door = Importer(log)
    assert door.add(read_events(data, "items", mapping)).stored == 2
    assert door.add(read_events(data, "items", mapping)).stored == 0
    assert log.schema().types == {("item", "code"): "category", ("item", "price"): "number"}
    other = {"items": {"types": {"price": "text"}}}
    with pytest.raises(ConflictError, match="stored as number, not text"):
        door.add(read_events(data, "items", other))
