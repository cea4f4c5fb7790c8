"""Words for no value, and what is stripped from ids, are the same for every entry point."""

import json

import polars as pl
import pytest

from plait.ingest import read_events
from plait.ingest.posted_rows import fields_text, parse_event_rows
from plait.ingest.scalar_parsers import FieldError, parse_id
from plait.schema.missing_words import BLANKS, MISSING_WORDS, PLACEHOLDERS


def read(source, kind="events", mapping=None):
    """The events and the refused rows."""
    batches = list(read_events(source, kind, mapping))
    events = [event for batch in batches for event in batch.events]
    return events, [reject for batch in batches for reject in batch.rejects]


def events_of(source, kind="events", mapping=None):
    return read(source, kind, mapping)[0]


def as_sources(rows):
    """The same rows as CSV, JSON lines, a frame and dictionaries."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    lines = "\n".join(json.dumps(row) for row in rows)
    return [frame.write_csv().encode(), lines.encode(), frame, rows]


@pytest.mark.parametrize("word", sorted(MISSING_WORDS - {""}))
def test_words_in_ids_times_and_numbers(word):
    rows = [
        {"session": "s", "user": word, "item": "i", "time": "2020-01-01", "rating": word},
        {"session": "s", "user": "u", "item": "i", "time": "2020-01-01", "rating": "5"},
    ]
    for source in as_sources(rows):
        events = events_of(source)
        assert [(event.user, event.value) for event in events] == [("session:s", None), ("u", 5.0)]
    untimed = [{"user": "u", "item": "i", "time": word}, {"user": "u", "item": "i", "time": 5}]
    assert [reject.field for reject in read(untimed)[1]] == ["time"]
    posted = parse_event_rows([{"kind": "view", "user": word, "item": "i"}])
    assert posted.rejected[0][1] == "user"


def test_a_word_that_a_text_can_be_stays():
    rows = [{"item": "a", "country": "NA", "answer": "None", "note": "nan", "brand": "-"}]
    for source in as_sources(rows):
        assert [event.fields for event in events_of(source, "items")] == [
            '{"answer":"None","country":"NA"}'
        ]
    assert fields_text(rows[0] | {"brand": "N/A"}) != ""


@pytest.mark.parametrize("word", sorted(PLACEHOLDERS))
def test_placeholders_are_missing_and_noted(word):
    rows = [{"item": "a", "genres": f" {word} "}, {"item": "b", "genres": "Drama"}]
    for source in as_sources(rows):
        assert [event.fields for event in events_of(source, "items")] == [
            None,
            '{"genres":"Drama"}',
        ]
    lists = [{"item": "a", "genres": [word, "Drama"]}, {"item": "b", "genres": [word]}]
    assert [event.fields for event in events_of(lists, "items")] == [
        '{"genres":["Drama"]}',
        '{"genres":[]}',
    ]


def test_notes_count_placeholders():
    from plait.ingest.column_mapping import ColumnMapping
    from plait.ingest.row_reader import RowReader

    rows = [{"item": "a", "genres": word} for word in ("-", "N/A", "Drama", None)]
    for source in as_sources(rows):
        notes = []
        for chunk in RowReader(source, "x", ColumnMapping()).chunks():
            chunk.values("genres")
            notes += chunk.notes
        assert [(note.code, note.field, note.count) for note in notes] == [
            ("placeholder-as-missing", "genres", 2)
        ]


def test_a_mapping_says_what_is_missing_in_every_format():
    rows = [{"user": "NA", "item": "i", "note": "-"}, {"user": "nobody", "item": "i", "note": "x"}]
    for source in as_sources(rows):
        events, rejects = read(source, mapping={"events": {"missing": ["", "nobody", "x"]}})
        assert [(event.user, event.fields) for event in events] == [("NA", '{"note":"-"}')]
        assert [reject.field for reject in rejects] == ["user"]


@pytest.mark.parametrize("blank", BLANKS.replace("\n", ""))
def test_blanks_and_invisible_signs_around_ids(blank):
    odd = {"user": f"{blank}u{blank}", "item": f"{blank} i", "kind": f"view{blank}"}
    for source in as_sources([odd, {"user": "u", "item": "i", "kind": "view"}]):
        events = events_of(source)
        assert {(event.user, event.item, event.event_type) for event in events} == {
            ("u", "i", "view")
        }
    (event,) = parse_event_rows([odd]).events
    assert (event.user, event.item, event.event_type) == ("u", "i", "view")
    assert parse_id(blank) is None


def test_signs_within_an_id_stay():
    assert parse_id("a\u200bb") == "a\u200bb"
    with pytest.raises(FieldError):
        parse_id("a\x00b")


def test_json_of_python():
    lines = [
        '{"id":"a","price":NaN,"sizes":[1,NaN]}',
        "{'id': 'b', 'price': 2.5, 'title': u\"it's\", 'tags': ('x',), 'on': True}",
        '{"id":"c","price":Infinity}',
        "{'id': open('x')}",
        "{'id': " + "[" * 10_000,
        '{"id":"d","price":-1}',
    ]
    events, rejects = read("\n".join(lines).encode(), "items")
    assert [(event.item, json.loads(event.fields or "{}")) for event in events] == [
        ("a", {"sizes": [1, None]}),
        ("b", {"price": 2.5, "title": "it's", "tags": ["x"], "on": True}),
        ("c", {}),
        ("d", {"price": -1}),
    ]
    assert sorted(reject.row for reject in rejects) == [4, 5]
    assert "Python" in next(reject.expected for reject in rejects if reject.row == 4)
    array = b"[{'id': 'a'}, {'id': 'b', 'x': None}]"
    assert [event.item for event in events_of(array, "items")] == ["a", "b"]
    array = b'[{"id": "a", "price": NaN}]'
    assert [event.fields for event in events_of(array, "items")] == [None]


@pytest.mark.parametrize("shift", [0, 49_999, 50_000])
def test_columns_that_come_late_count_from_the_first_row(shift, tmp_path):
    rows = [{"user": f"u{n}", "item": "i"} for n in range(shift)]
    rows += [{"user": "u", "item": "i", "time": 1_300_000_000, "kind": "cart"}]
    rows += [{"user": "v", "item": "i"}]
    path = tmp_path / "late.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n" * 60_000)
    array = tmp_path / "late.json"
    array.write_text(json.dumps(rows))
    with path.open("rb") as stream:
        for source in (path, stream, path.read_bytes(), array, rows):
            events, rejects = read(source)
            assert [event.user for event in events] == ["u"]
            assert len(rejects) == shift + 1
