"""Field types that are declared before there is any value."""

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


def test_a_declared_type_applies_to_the_first_value(log: EventLog) -> None:
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


def test_a_refused_declaration_stores_nothing(log: EventLog) -> None:
    log.append([item("cup", '{"price":7.5}')])
    with pytest.raises(ConflictError) as conflict:
        log.declare({("item", "name"): "text", ("item", "price"): "text"})
    assert conflict.value.field == "price"
    with pytest.raises(InputError) as invalid:
        log.declare({("item", "name"): "text", ("user", "x"): "integer"})  # type: ignore[dict-item]
    assert invalid.value.field == "x"
    assert log.schema().types == {("item", "price"): "number"}
    assert log.append([item("pot", '{"price":8}')]).rows[0].status == "stored"


def test_types_that_another_process_declares_apply(log: EventLog, log_location: str) -> None:
    log.append([item("cup", '{"price":7.5}')])
    with EventLog.open(log_location) as other:
        other.declare({("item", "code"): "category"})
        with pytest.raises(ConflictError) as caught:
            log.declare({("item", "code"): "number"})
        assert caught.value.field == "code"
        log.append([item("pot", '{"code":7,"price":1}')])
        assert other.schema().types[("item", "code")] == "category"
    assert [chunk.fields for chunk in log.read()] == [
        ['{"price":7.5}', '{"code":"7","price":1}'],
    ]


def test_threads_that_declare_at_once_agree(log: EventLog) -> None:
    """The first call declares the type; later calls get the stored type."""

    def declare(kind: str) -> str:
        try:
            log.declare({("item", "code"): kind})  # type: ignore[dict-item]
        except ConflictError as problem:
            return problem.message.split(" is stored as ")[1].split(",")[0]
        return kind

    with ThreadPoolExecutor(4) as pool:
        kinds = list(pool.map(declare, ["number", "text", "category", "number"] * 3))
    assert kinds == [log.schema().types[("item", "code")]] * len(kinds)


def test_a_mapping_of_an_import_declares_types(log: EventLog) -> None:
    mapping = {"items": {"types": {"code": "category"}}}
    data = b"item,code,price\ncup,7,1.5\npot,8,2\n"
    importer = Importer(log)
    assert importer.add(read_events(data, "items", mapping)).stored == 2
    assert importer.add(read_events(data, "items", mapping)).stored == 0
    assert log.schema().types == {("item", "code"): "category", ("item", "price"): "number"}
    other = {"items": {"types": {"price": "text"}}}
    with pytest.raises(ConflictError) as caught:
        importer.add(read_events(data, "items", other))
    assert caught.value.field == "price"
