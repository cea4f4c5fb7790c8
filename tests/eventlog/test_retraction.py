"""Imports are listed, taken back and imported again, on SQLite and on PostgreSQL."""

from __future__ import annotations

import pytest

import plait
from plait.data.types import Event
from plait.errors import ConflictError, InputError, NotFoundError
from plait.eventlog import TYPE_CODES, EventLog
from plait.eventlog.retraction import ImportSource
from plait.eventlog.snapshot import snapshot
from plait.eventlog.tables import REBUILDS
from plait.state import LiveState

GOOD = ImportSource("good", 1, "items", "items.csv")
BAD = ImportSource("bad", 2, "items", "wrong.csv")
VIEWS = ImportSource("bad", 2, "events", "views.csv")


def put(item: str, fields: str, kind: str = "patch", event_id: str = "") -> Event:
    return Event("item", event_id or f"{item}{fields}", kind, item=item, fields=fields)


def view(user: str, item: str, second: int) -> Event:
    return Event("interaction", f"{user}-{item}-{second}", "view", user, item, second * 1_000_000)


@pytest.fixture
def filled(log: EventLog) -> EventLog:
    log.append([put("mug", '{"price":3,"title":"Mug"}')], source=GOOD)
    log.append([view("anna", "mug", 1)])
    log.append([put("mug", '{"title":"wrong"}'), put("box", '{"size":"L"}')], source=BAD)
    log.append([view("bob", "mug", 2), view("bob", "shipping", 3)], source=VIEWS)
    log.append([view("anna", "mug", 4)])
    return log


def state_of(log: EventLog) -> tuple[object, ...]:
    state = LiveState.replay(log)
    living = [name for name, alive in zip(state.catalogue.ids, state.catalogue.alive, strict=True)
              if alive]  # fmt: skip
    users = [name for name, alive in zip(state.users.ids, state.users.alive, strict=True) if alive]
    return living, users, state.catalogue.fields(0), len(state.events)


def test_imports_tells_the_rows_of_every_file(filled: EventLog) -> None:
    good, bad = filled.imports()
    assert (good.id, good.rows, good.retracted) == ("good", {("items", "items.csv"): 1}, None)
    assert bad.rows == {("items", "wrong.csv"): 2, ("events", "views.csv"): 2}
    assert bad.ranges == ((3, 4), (5, 6))


def test_retract_import_leaves_what_was_there_without_it(filled: EventLog) -> None:
    assert state_of(filled) == (["mug", "box", "shipping"], ["anna", "bob"],
                                {"price": 3, "title": "wrong"}, 4)  # fmt: skip
    record, result = filled.retract_import()
    assert (record.id, result.version) == ("bad", 8)
    assert state_of(filled) == (["mug"], ["anna"], {"price": 3, "title": "Mug"}, 2)
    dataset = snapshot(filled)
    assert dataset.catalogue.alive.tolist() == [True, False, False]
    assert dataset.users.alive.tolist() == [True, False]
    assert dataset.catalogue.fields(0) == {"price": 3, "title": "Mug"}
    assert dataset.interactions.offsets.tolist() == [2, 7]
    assert [change.offset for change in filled.entity_changes("item")] == [1]


def test_no_row_is_edited(filled: EventLog) -> None:
    before = next(iter(filled.read()))
    filled.retract_import()
    (after,) = filled.read()
    assert after.offsets.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert after.fields[:7] == before.fields
    assert after.items.tolist()[:7] == before.items.tolist()
    types = before.types.tolist()
    retracted = [-1 - code for code in types[2:6]]
    assert after.types.tolist() == [*types[:2], *retracted, types[6], TYPE_CODES["retract"]]


def test_the_same_rows_can_be_stored_again(filled: EventLog) -> None:
    filled.retract_import()
    again = [view("bob", "shipping", 3)], [put("mug", '{"title":"wrong"}')]
    other = [Event("interaction", "bob-mug-2", "click", "bob", "mug", 9)]  # an id that is free
    for events in (*again, other):
        assert [row.status for row in filled.append(events).rows] == ["stored"]
    assert state_of(filled)[:2] == (["mug", "shipping"], ["anna", "bob"])
    assert [row.status for row in filled.append(again[0]).rows] == ["duplicate"]
    alive = snapshot(filled).catalogue.alive.tolist()
    assert alive == LiveState.replay(filled).catalogue.alive.tolist() == [True, False, True]


def test_types_of_fields_that_nothing_has_any_more_go(filled: EventLog) -> None:
    assert ("item", "size") in filled.schema().types
    filled.retract_import("bad")
    assert dict(filled.schema().types) == {("item", "price"): "number", ("item", "title"): "text"}
    filled.append([put("box", '{"size":3}', event_id="new")])
    assert filled.schema().types["item", "size"] == "number"


def test_a_follower_and_a_replay_agree(filled: EventLog) -> None:
    state = LiveState.replay(filled)
    filled.retract_import()
    (chunk,) = filled.read(state.version)
    assert chunk.types.tolist() == [REBUILDS]
    filled.append([view("carl", "box", 9)])
    replayed = LiveState.replay(filled, 8)
    (chunk,) = filled.read(8)
    followed, whole = replayed.apply(chunk, filled), LiveState.replay(filled)
    for left, right in ((followed.catalogue, whole.catalogue), (followed.users, whole.users)):
        assert left.alive.tolist() == right.alive.tolist()
    assert followed.catalogue.alive.tolist() == [True, True, False]
    assert followed.absent_items.tolist() == whole.absent_items.tolist() == [2]


def test_items_of_a_retracted_import_count_as_changed(filled: EventLog) -> None:
    filled.retract_import()
    catalogue = LiveState.replay(filled).catalogue
    assert catalogue.changed.tolist() == [8, -1, -1]


def test_an_older_import_can_be_taken_back_and_none_twice(filled: EventLog) -> None:
    filled.retract_import("good")
    assert LiveState.replay(filled).catalogue.fields(0) == {"title": "wrong"}
    assert [record.retracted is None for record in filled.imports()] == [False, True]
    for import_id, error in (("good", ConflictError), ("other", NotFoundError)):
        with pytest.raises(error) as raised:
            filled.retract_import(import_id)
        assert raised.value.field == "import"
    filled.retract_import()
    with pytest.raises(NotFoundError):
        filled.retract_import()


def test_requests_of_retracted_rows_are_left_out(log: EventLog) -> None:
    clicks = [view("anna", "mug", second)._replace(request_id=f"r{second}") for second in (1, 2)]
    log.append(clicks[:1])
    log.append(clicks[1:], source=VIEWS)
    log.retract_import()
    assert list(log.requests(3)) == [(1, "r1")]


def test_an_erased_user_stays_erased_in_a_retracted_import(filled: EventLog) -> None:
    filled.erase("bob")
    filled.retract_import()
    assert state_of(filled)[:2] == (["mug"], ["anna"])


def test_a_batch_tells_what_it_names_for_the_first_time(log: EventLog) -> None:
    assert log.append([view("anna", "mug", 1), view("bob", "mug", 2)]).new == (1, 2, ("view",))
    assert log.append([view("bob", "pot", 3)]).new == (1, 0, ())


def test_a_field_gets_another_type_where_its_values_fit(log: EventLog) -> None:
    log.append([put("mug", '{"code":"12"}'), put("pot", '{"code":"7"}')])
    assert log.schema().types["item", "code"] != "number"
    log.retype_field("item", "code", "number")
    assert log.schema().types["item", "code"] == "number"
    for catalogue in (LiveState.replay(log).catalogue, snapshot(log).catalogue):
        assert [catalogue.fields(number)["code"] for number in (0, 1)] == [12, 7]
    log.append([put("vase", '{"code":3.5}')])
    assert snapshot(log).catalogue.fields(2) == {"code": 3.5}


def test_a_field_keeps_its_type_where_a_value_does_not_fit(log: EventLog) -> None:
    log.append([put("mug", '{"name":"12"}'), put("pot", '{"name":"red pot"}')])
    dtype = log.schema().types["item", "name"]
    with pytest.raises(InputError) as raised:
        log.retype_field("item", "name", "number")
    assert raised.value.field == "name"
    assert "red pot" in raised.value.message
    assert (log.schema().types["item", "name"], log.version) == (dtype, 2)
    with pytest.raises(NotFoundError):
        log.retype_field("item", "nothing", "number")
    with pytest.raises(InputError):
        log.retype_field("item", "name", "integer")
    assert log.retype_field("item", "name", dtype) == 2


def test_another_process_learns_of_another_type(log: EventLog, log_location: str) -> None:
    log.append([put("mug", '{"code":"12"}')])
    with EventLog.open(log_location) as other:
        other.append([put("pot", '{"code":"3"}')])
        log.retype_field("item", "code", "number")
        lost = other.append([put("vase", '{"code":"x"}')]).rows[0].lost
        assert [problem.field for problem in lost] == ["code"]


def test_declared_types_are_stored_with_the_first_value(log: EventLog) -> None:
    types = {("item", "price"): "number"}
    log.append([put("mug", '{"price":"much"}')], types=types)
    assert ("item", "price") not in log.schema().types
    log.append([put("pot", '{"price":"4"}')], types=types)
    assert log.schema().types["item", "price"] == "number"


def test_an_event_of_a_client_cannot_take_the_id_of_an_undo(tmp_path):
    with plait.open(tmp_path) as shop:
        rows = [{"event_id": "e", "user_id": "u", "item_id": "a", "timestamp": 1}]
        import_id = shop.ingest(events=rows).import_id
        shop.post([{"id": f"undo:{import_id}", "kind": "view", "user": "u", "item": "b"}])
        shop.undo(import_id)
        assert shop.info()["interactions"] == 1
        with pytest.raises(ConflictError):
            shop.undo(import_id)
