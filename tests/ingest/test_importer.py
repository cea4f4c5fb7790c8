"""The importer: consent, log, result and rejects file; and the sample data."""

import orjson
import polars as pl
import pytest

from plait import datasets
from plait.data.types import Event
from plait.errors import InputError, NotFoundError
from plait.eventlog import AppendResult, EventLog, RowStatus
from plait.ingest import read_events
from plait.ingest.importer import Importer
from plait.privacy.consent import ConsentPolicy

DATA = b"user,item,time,price\nu,a,1300000000,1\nu,b,soon,2\nv,a,1300000060,x\nv,b,1300000120,3\n"


class Fake:
    """A fake log that stores events, and rejects those that a test names."""

    def __init__(self, refuse=()):
        self.events, self.types, self.refuse = [], {}, refuse

    def append(self, events):
        rows = []
        for event in events:
            if event.item in self.refuse:
                rows.append(RowStatus(event.id, "rejected", "expected something else", "item"))
            elif event.id in {other.id for other in self.events}:
                rows.append(RowStatus(event.id, "duplicate"))
            else:
                self.events.append(event)
                rows.append(RowStatus(event.id, "stored"))
        return AppendResult(len(self.events), rows)


def test_rows_of_a_file_are_stored_once_in_a_log(tmp_path):
    with EventLog.open(tmp_path / "home") as log:
        importer = Importer(log, rejects=tmp_path / "rejects")
        seen = []
        result = importer.add(
            read_events(DATA, name="shop.csv"), lambda *progress: seen.append(progress)
        )
        assert (result.stored, result.duplicate, result.rejected) == (3, 0, 1)
        assert result.rows == 4
        assert result.version == log.version == 3
        assert seen == [("shop.csv", len(DATA), len(DATA))]
        lines = [orjson.loads(line) for line in result.rejects.read_bytes().splitlines()]
        assert [(line["row"], line["field"], line["value"]) for line in lines] == [
            (2, "time", "soon")
        ]
        again = importer.add(read_events(DATA, name="shop.csv"))
        assert (again.stored, again.duplicate, again.rejected, again.version) == (0, 3, 1, 3)


def test_what_the_log_refuses_is_reported_by_row(tmp_path):
    result = Importer(Fake(refuse={"a"}), rejects=tmp_path).add(read_events(DATA, name="shop.csv"))
    assert (result.stored, result.rejected) == (1, 3)
    assert sorted(problem.row for problem in result.problems) == [1, 2, 3]
    lines = [orjson.loads(line) for line in result.rejects.read_bytes().splitlines()]
    assert [line["row"] for line in lines] == [1, 2, 3]


def test_a_value_that_does_not_fit_its_field_type_is_reported(tmp_path):
    """The value is the file's, not the id of the event; what was expected stands once."""
    items = b"item_id,price\ni0,2\ni1,NaN\ni2,inf\n"
    with EventLog.open(tmp_path / "home") as log:
        result = Importer(log, rejects=tmp_path / "rejects").add(read_events(items, "items"))
    lines = [orjson.loads(line) for line in result.rejects.read_bytes().splitlines()]
    assert [(line["row"], line["field"], line["value"]) for line in lines] == [
        (3, "price", "inf"),
    ]
    assert {line["expected"] for line in lines} == {"a finite number"}
    assert [problem.value for problem in result.problems] == ["inf"]


def test_a_refusal_by_the_log_reports_the_value(tmp_path):
    events = [Event("item", "e", "eat", item="i"), Event("item", "e2", "put", item="i")]
    again = events[1]._replace(event_type="delete")
    with EventLog.open(tmp_path / "home") as log:
        unknown, conflict = Importer(log).add([events, [again]]).problems
    assert (unknown.row, unknown.field, unknown.value) == (1, "kind", "eat")
    assert unknown.expected == "one of put, patch, delete"
    assert (conflict.row, conflict.field, conflict.value) == (3, "id", "e2")


def test_no_rejects_no_file(tmp_path):
    result = Importer(Fake(), rejects=tmp_path).add([[Event("interaction", "e", "view", "u", "i")]])
    assert result.rejects is None
    assert not list(tmp_path.iterdir())
    assert Importer(Fake()).add(read_events(DATA)).rejects is None


def test_rows_stay_in_order_where_consent_is_missing():
    log = Fake()
    importer = Importer(log, ConsentPolicy(required=True, granted={"u"}.__contains__))
    events = [Event("interaction", f"e{n}", "view", "uv"[n % 2], "i") for n in range(4)]
    done = importer.append(events)
    assert [row.status for row in done.rows] == ["stored", "rejected", "stored", "rejected"]
    assert [row.id for row in done.rows] == ["e0", "e1", "e2", "e3"]
    assert "consent" in done.rows[1].error
    result = importer.add([events])
    assert (result.duplicate, result.rejected) == (2, 2)


def test_pseudonyms_replace_the_user_and_key_the_event_id(tmp_path):
    consent = ConsentPolicy(pseudonyms=True, key=b"k" * 32)
    log = Fake()
    rows = [{"user": "anna", "item": "i", "time": 1300000000}]
    Importer(log, consent).add(read_events(rows, key=consent.content_key))
    assert log.events[0].user == consent.user_id("anna")
    assert log.events[0].id != next(read_events(rows)).events[0].id


def test_declared_types_are_stored_in_the_log(tmp_path):
    mapping = {"events": {"types": {"price": "text"}}}
    with EventLog.open(tmp_path / "home") as log:
        Importer(log).add(read_events(DATA, mapping=mapping))
        assert log.schema().types["interaction", "price"] == "text"


def test_declared_types_are_refused_by_a_writer_that_cannot_store_them():
    mapping = {"events": {"types": {"price": "text"}}}
    log = Fake()
    with pytest.raises(InputError):
        Importer(log).add(read_events(DATA, mapping=mapping))
    assert not log.events


def test_the_sample_data_has_all_its_rows():
    frames = datasets.load("online-retail")
    assert {name: frame.height for name, frame in frames.items()} == {
        "events": 386_326,
        "items": 3_659,
        "users": 4_334,
    }
    assert all(isinstance(frame, pl.DataFrame) for frame in frames.values())
    batch = next(read_events(frames["events"]))
    assert batch.events[0].event_type == "purchase"
    with pytest.raises(NotFoundError) as caught:
        datasets.load("offline-retail")
    assert "online-retail" in caught.value.hint
