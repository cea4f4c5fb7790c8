"""An undo leaves the rows that a later import named again, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

import plait
from plait.data.types import Event
from plait.errors import NotFoundError
from plait.eventlog import EventLog
from plait.eventlog.import_row_owners import MAX_IMPORTS, note_repeats, row_runs
from plait.eventlog.log_copy import copy_log
from plait.eventlog.retraction import ImportSource, record_rows
from plait.eventlog.snapshot import snapshot
from plait.state import LiveState

DAY = 86_400_000_000


def source(name: str, time: int = 0) -> ImportSource:
    return ImportSource(name, time or ord(name[0]), "events", f"{name}.csv")


def views(*numbers: int) -> list[Event]:
    return [
        Event("interaction", f"view {number}", "view", f"u{number}", f"i{number}", number * DAY)
        for number in numbers
    ]


def offsets(log: EventLog) -> list[int]:
    counted = sorted(snapshot(log).interactions.offsets.tolist())
    assert len(LiveState.replay(log).events) == len(counted)
    return counted


def owners(log: EventLog) -> dict[str, tuple[int, bool]]:
    return {
        record.id: (sum(record.rows.values()), record.retracted is not None)
        for record in log.imports()
    }


def test_an_undo_leaves_the_rows_that_a_later_import_named_again(log: EventLog) -> None:
    log.append(views(1, 2, 3, 4, 5, 6), source=source("a"))
    result = log.append(views(2, 3, 7, 5), source=source("b"))
    assert [row.status for row in result.rows] == ["duplicate", "duplicate", "stored", "duplicate"]
    record, _ = log.retract_import("a")
    assert (sum(record.rows.values()), record.staying) == (3, {"b": 3})
    assert offsets(log) == [2, 3, 5, 7]
    assert owners(log) == {"a": (3, True), "b": (4, False)}
    again = log.append(views(1, 2, 3, 4), source=source("c"))
    assert [row.status for row in again.rows] == ["stored", "duplicate", "duplicate", "stored"]
    log.retract_import("b")  # the last one that named 5 and 7; c named 2 and 3 again
    assert offsets(log) == [2, 3, 9, 10]
    log.retract_import()
    assert offsets(log) == []
    assert [row.status for row in log.append(views(*range(1, 8))).rows] == ["stored"] * 7


def test_a_repeat_of_an_import_that_was_taken_back_itself_does_not_count(log: EventLog) -> None:
    log.append(views(1, 2), source=source("a"))
    log.append(views(1, 3), source=source("b"))
    log.retract_import("b")
    record, _ = log.retract_import("a")
    assert record.staying == {}
    assert offsets(log) == []


def test_an_import_that_stored_nothing_takes_over_all_rows(log: EventLog) -> None:
    log.append(views(1, 2), source=source("a"))
    log.append(views(1, 2), source=source("b"))
    record, result = log.retract_import("a")
    assert (record.rows, record.staying, record.retracted) == ({}, {"b": 2}, result.version)
    assert offsets(log) == [1, 2]
    with pytest.raises(NotFoundError):
        log.retract_import("a")
    assert log.retract_import()[0].id == "b"
    assert offsets(log) == []


def test_only_the_newest_imports_of_a_row_are_noted(log: EventLog) -> None:
    names = [chr(ord("a") + number) for number in range(MAX_IMPORTS + 3)]
    for name in names:
        log.append(views(1, 2), source=source(name))
    with log._store.reading() as connection:
        rows = log._store.rows(connection, "SELECT id FROM repeated_rows")
        assert sorted(row[0] for row in rows) == names[-MAX_IMPORTS:]
    assert log.retract_import("a")[0].staying == {names[-1]: 2}


def test_row_runs_cover_batches_that_lie_in_two_blocks(log: EventLog) -> None:
    border = 1 << 16
    with log._store.writing() as connection:
        for first, last in ((border - 5, border + 2), (border + 3, border + 9)):
            record_rows(log._store, connection, source("a"), first, last)
        note_repeats(log._store, connection, "b", 2, [border - 2, border - 1, border, border + 3])
        note_repeats(log._store, connection, "c", 3, [border + 3, border + 4])
        batches = [(border - 5, border + 2), (border + 3, border + 9)]
        runs = row_runs(log._store, connection, batches)
    assert [(run.first - border, run.last - border, run.import_id) for run in runs] == [
        (-5, -3, ""),
        (-2, -1, "b"),
        (0, 0, "b"),
        (1, 2, ""),
        (3, 4, "c"),
        (5, 9, ""),
    ]


def test_every_third_row_of_several_batches_stays(log: EventLog) -> None:
    log.append(views(*range(1, 200)), source=source("a"))
    log.append(views(*range(200, 300)), source=source("a"))
    log.append(views(*range(1, 300, 3)), source=source("b"))
    record, _ = log.retract_import("a")
    assert record.staying == {"b": 100}
    assert offsets(log) == list(range(1, 300, 3))
    again = [row.status for row in log.append(views(*range(1, 7))).rows]
    assert again == ["duplicate", "stored", "stored"] * 2


def test_a_posted_event_that_an_import_repeats_needs_no_note(log: EventLog) -> None:
    log.append(views(1, 2))
    log.append(views(1, 2), source=source("a"))
    with log._store.reading() as connection:
        assert list(log._store.rows(connection, "SELECT id FROM repeated_rows")) == []


def test_a_copy_of_the_log_knows_what_was_repeated(log: EventLog, tmp_path: Path) -> None:
    log.append(views(1, 2, 3), source=source("a"))
    log.append(views(2, 4), source=source("b"))
    with log._store.reading() as connection:
        url = connection.engine.url
    location = url.render_as_string(hide_password=False)
    original = Path(url.database or "").parent if "sqlite" in location else location
    copy_log(original, tmp_path / "copy", lambda *_: None)
    with EventLog.open(tmp_path / "copy") as copy:
        assert copy.retract_import("a")[0].staying == {"b": 1}
        assert offsets(copy) == [2, 4]


@pytest.mark.parametrize("ids", [{}, {"id": "order"}], ids=["derived ids", "ids of the file"])
def test_orders_of_two_exports_that_overlap(ids: dict[str, str], home: Path) -> None:
    def rows(numbers: range) -> list[dict[str, object]]:
        return [
            {"order": f"o{n}", "user": f"u{n}", "item": "mug", "time": f"2026-01-{n:02}"}
            for n in numbers
        ]

    with plait.open(home) as shop:
        mapping = {"events": {**ids, "source": "orders", "kind_default": "purchase"}}
        january = shop.ingest(events=rows(range(1, 10)), map=mapping)
        later = shop.ingest(events=rows(range(5, 15)), map=mapping)
        assert later.by_kind["events"].duplicate == 5
        assert shop.undo(january.import_id).staying == {later.import_id: 5}
        assert shop.ingest(events=rows(range(1, 15)), map=mapping).stored == 4


def test_items_of_two_exports_keep_what_the_later_one_says(home: Path) -> None:
    with plait.open(home) as shop:
        wrong = shop.ingest(items=[{"item": "mug", "price": 3}, {"item": "box", "price": 1}])
        shop.ingest(items=[{"item": "mug", "price": 3}, {"item": "cup", "price": 2}])
        shop.undo(wrong.import_id)
        assert shop.get_item("mug")["fields"] == {"price": 3}
        assert [item.id for item in shop.list(k=9).items if item.id == "box"] == []
