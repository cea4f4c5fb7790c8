"""What a mapping does to the shape of rows."""

import polars as pl
import pytest

from plait.errors import MappingError
from plait.ingest import read_events
from plait.utils.timestamps import iso


def outcome(source, kind="events", mapping=None):
    """Type, user, item and fields of the events, and the notes as code and count."""
    batches = list(read_events(source, kind, mapping and {kind: mapping}))
    events = [event for batch in batches for event in batch.events]
    notes = [(note.code, note.count) for batch in batches for note in batch.notes]
    rows = [(event.event_type, event.user, event.item, event.fields) for event in events]
    return rows, notes


SHOWN = [
    {"user": "u", "shown": "N1-1 N2-0", "place": "top"},
    {"user": "v", "shown": "", "place": "top"},
    {"user": "v", "shown": "N3-0", "place": "end"},
]


@pytest.mark.parametrize("source", [list, pl.DataFrame])
def test_explode_and_extract(source):
    mapping = {
        "explode": "shown",
        "split": {"shown": " "},
        "extract": {"shown": "^(?P<news>.+)-(?P<clicked>[01])$"},
        "item": "news",
        "when": {"click": "clicked = 1"},
        "fields": {"place": "place", "*": False},
    }
    rows, notes = outcome(source(SHOWN), mapping=mapping)
    assert rows == [
        ("click", "u", "N1", '{"place":"top"}'),
        ("view", "u", "N2", '{"place":"top"}'),
        ("view", "v", "N3", '{"place":"end"}'),
    ]
    assert notes == [("empty-lists", 1)]


TILL = [
    {"user": "u", "item": "a", "Datum": "01.03.2026", "Uhrzeit": "09:15"},
    {"user": "v", "item": "b", "Datum": "02.03.2026", "Uhrzeit": " 10:30 "},
    {"user": "v", "item": "c", "Datum": "03.03.2026", "Uhrzeit": None},
    {"user": "w", "item": "c", "Datum": None, "Uhrzeit": ""},
]


@pytest.mark.parametrize("source", [list, pl.DataFrame])
def test_join_makes_one_time_of_a_day_and_a_time_of_day(source):
    table = {
        "join": {"moment": ["Datum", "Uhrzeit"]},
        "time": "moment",
        "time_format": ["%d.%m.%Y %H:%M", "%d.%m.%Y"],
        "timezone": "Europe/Berlin",
        "fields": {"*": False},
    }
    batches = list(read_events(source(TILL), "events", {"events": table}))
    times = [iso(event.time) for batch in batches for event in batch.events]
    assert times == [
        "2026-03-01T08:15:00+00:00",
        "2026-03-02T09:30:00+00:00",
        "2026-03-02T23:00:00+00:00",
    ]
    rejected = [(problem.row, problem.field) for batch in batches for problem in batch.rejects]
    assert rejected == [(4, "moment")]


@pytest.mark.parametrize("source", [list, pl.DataFrame])
def test_explode_lists_of_objects(source):
    orders = [
        {"user": "u", "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]},
        {"user": "v", "lines": [{"sku": "a", "n": 3}]},
    ]
    rows, notes = outcome(source(orders), mapping={"explode": "lines", "item": "lines.sku"})
    assert rows == [
        ("view", "u", "a", '{"lines.n":1}'),
        ("view", "u", "b", '{"lines.n":2}'),
        ("view", "v", "a", '{"lines.n":3}'),
    ]
    assert not notes


def test_fill_within_groups_and_from_chunk_to_chunk():
    lines = ["order,customer,sku", "1,ann,a"] + ["1,,b"] * 60_000 + ["2,,c", "3,bob,d", "3,,e"]
    mapping = {"fill": {"order": ["customer"]}, "fields": {"*": False}}
    rows, _ = outcome("\n".join(lines).encode(), mapping=mapping)
    assert {row[1] for row in rows[:60_001]} == {"ann"}
    assert [row[1:3] for row in rows[-3:]] == [("session:2", "c"), ("bob", "d"), ("bob", "e")]


@pytest.mark.parametrize("source", [list, pl.DataFrame])
def test_where(source):
    rows = [{"item": "a", "n": 1}, {"item": "b", "n": 0}, {"item": None, "n": 5}]
    mapping = {"where": ["n > 0", "item is not empty"]}
    assert outcome(source(rows), "items", mapping) == (
        [("put", None, "a", '{"n":1}')],
        [("rows-left-out", 2)],
    )


PROPERTIES = (
    b"timestamp,itemid,property,value\n"
    b"1435460400000,1,colour,red\n1435460400000,2,size,L\n"
    b"1435460600000,1,colour,blue\n1435460500000,1,colour,green\n1435460400000,1,size,M\n"
)


def test_rows_of_properties_are_merged():
    rows, notes = outcome(PROPERTIES, "items")
    assert rows == [
        ("put", None, "1", '{"colour":"blue","size":"M"}'),
        ("put", None, "2", '{"size":"L"}'),
    ]
    assert notes == [("rows-as-properties", 0)]


def test_properties_of_a_mapping():
    mapping = {
        "properties": {"name": "property", "value": "value"},
        "fields": {"size": "groesse", "*": False},
    }
    assert [row[3] for row in outcome(PROPERTIES, "items", mapping)[0]] == [
        '{"groesse":"M"}',
        '{"groesse":"L"}',
    ]


def test_a_file_with_more_columns_is_no_file_of_properties():
    data = b"item,property,value,note\na,colour,red,x\n"
    assert outcome(data, "items")[0] == [
        ("put", None, "a", '{"note":"x","property":"colour","value":"red"}')
    ]


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"explode": "nothing"}, "nothing"),
        ({"fill": {"nothing": ["user"]}}, "nothing"),
        ({"fill": {"user": ["nothing"]}}, "nothing"),
        ({"extract": {"nothing": "(?P<x>.)"}}, "nothing"),
        ({"join": {"moment": ["user", "nothing"]}}, "nothing"),
        ({"join": {"moment": []}}, "[events] join"),
        ({"extract": {"user": "(.)"}}, "[events.extract] user"),
        ({"extract": {"user": "(?P<x>"}}, "[events.extract] user"),
        ({"where": 5}, "[events] where"),
        ({"where": "nothing = 5"}, "nothing = 5"),
        ({"properties": {}}, "properties"),
    ],
)
def test_mistakes(mapping, field):
    with pytest.raises(MappingError) as caught:
        outcome([{"user": "u", "item": "i"}], mapping=mapping)
    assert caught.value.field == field


def test_properties_need_both_columns():
    with pytest.raises(MappingError) as caught:
        outcome(PROPERTIES, "items", {"properties": {"name": "property"}})
    assert caught.value.field == "[items] properties"
