"""A retired field or kind is left out and refused, and comes back whole."""

import orjson
import pytest

from plait.data.types import Event
from plait.errors import ConflictError, NotFoundError
from plait.eventlog import EventLog, id_allocation

NOW = 1_700_000_000_000_000


def bought(name, kind="purchase", fields=None):
    return Event("interaction", name, kind, "ann", "mug", NOW, fields=fields)


def item(name, **fields):
    return Event(
        "item", f"put-{name}", "put", None, name, NOW, fields=orjson.dumps(fields).decode()
    )


def kinds_that_count(log):
    kinds = log.kinds()
    return [
        kinds[kind]
        for chunk in log.read()
        for kind, code in zip(chunk.kinds.tolist(), chunk.types.tolist(), strict=True)
        if code == 0
    ]


def test_a_retired_field_has_no_type_and_its_values_are_lost_from_new_rows(log: EventLog):
    log.append([item("mug", title="Mug", colour="red")])
    log.retire("item", "colour")
    assert ("item", "colour") not in log.schema().types
    row = log.append([item("cup", title="Cup", colour="blue")]).rows[0]
    assert (row.status, [problem.field for problem in row.lost]) == ("stored", ["colour"])


def test_a_restored_field_has_the_type_and_the_values_of_before(log: EventLog):
    log.append([item("mug", title="Mug", weight=3)])
    log.retire("item", "weight")
    log.retire("item", "weight", restore=True)
    assert log.schema().types["item", "weight"] == "number"
    assert log.append([item("cup", weight=4)]).rows[0].lost == ()
    changes = [orjson.loads(change.fields or "{}") for change in log.entity_changes("item")]
    assert [fields["weight"] for fields in changes] == [3, 4]


def test_rows_of_a_retired_kind_do_not_count_and_new_ones_are_rejected(log: EventLog):
    log.append([bought("a"), bought("b", "purchse")])
    log.retire("kind", "purchse")
    assert kinds_that_count(log) == ["purchase"]
    rows = log.append([bought("c", "purchse"), bought("d")]).rows
    assert [(row.status, row.field) for row in rows] == [("rejected", "kind"), ("stored", "")]


def test_rows_of_a_restored_kind_count_again(log: EventLog):
    log.append([bought("a"), bought("b", "view")])
    log.retire("kind", "view")
    log.retire("kind", "view", restore=True)
    assert kinds_that_count(log) == ["purchase", "view"]
    assert log.append([bought("c", "view")]).rows[0].status == "stored"


@pytest.mark.parametrize(("entity", "name"), [("item", "x"), ("kind", "x"), ("kind", "put")])
def test_what_there_is_not_or_what_every_item_needs_cannot_be_retired(log, entity, name):
    log.append([item("mug", title="Mug")])
    version = log.version
    with pytest.raises(NotFoundError) as refusal:
        log.retire(entity, name)
    assert refusal.value.field == name
    assert log.version == version


def test_retiring_or_restoring_twice_is_a_conflict_and_stores_nothing(log: EventLog):
    log.append([bought("a")])
    with pytest.raises(ConflictError):
        log.retire("kind", "purchase", restore=True)
    log.retire("kind", "purchase")
    with pytest.raises(ConflictError):
        log.retire("kind", "purchase")
    assert log.version == 2


def test_another_process_learns_what_was_retired(log_location: str):
    with EventLog.open(log_location) as log, EventLog.open(log_location) as other:
        other.append([bought("a", fields='{"note": "x"}')])
        log.retire("kind", "purchase")
        log.retire("interaction", "note")
        rows = other.append([bought("b"), bought("c", "view", '{"note": "y"}')]).rows
        assert [row.status for row in rows] == ["rejected", "stored"]
        assert [problem.field for problem in rows[1].lost] == ["note"]


def test_declaring_a_retired_field_is_a_conflict(log: EventLog):
    log.append([item("mug", colour="red")])
    log.retire("item", "colour")
    with pytest.raises(ConflictError) as refusal:
        log.declare({("item", "colour"): "category"})
    assert refusal.value.field == "colour"


def test_reserved_kinds_fit_when_no_other_does_and_a_retired_one_makes_room(log, monkeypatch):
    monkeypatch.setattr(id_allocation, "MAX_UNRESERVED_EVENT_TYPES", 2)
    log.reserve_kinds(["purchase"])
    rows = log.append([bought(f"{n}", f"kind-{n}") for n in range(3)]).rows
    assert [row.status for row in rows] == ["stored", "stored", "rejected"]
    assert log.append([bought("p")]).rows[0].status == "stored"
    log.retire("kind", "kind-0")
    log.retire("kind", "kind-1")
    assert log.append([bought("x", "kind-2")]).rows[0].status == "stored"
    assert log.append([bought("y", "kind-3")]).rows[0].status == "rejected"


def test_not_even_a_reserved_kind_gets_a_number_that_the_table_cannot_hold(log, monkeypatch):
    monkeypatch.setattr(id_allocation, "MAX_EVENT_TYPES", 1)
    log.reserve_kinds(["purchase", "view"])
    rows = log.append([bought("a"), bought("b", "view")]).rows
    assert [row.status for row in rows] == ["stored", "rejected"]
