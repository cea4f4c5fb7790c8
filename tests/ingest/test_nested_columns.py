"""Parts of objects as columns, through every entry point."""

import io
import json

import orjson
import pandas as pd
import polars as pl
import pytest

import plait
from plait.errors import MappingError
from plait.ingest import read_events

ROWS = [
    {
        "id": "a",
        "name": {"de": "Tasse", "zh": "茶杯"},
        "lager": {"verfuegbar": True, "ort": {"regal": 5}},
        "preise": [{"art": "uvp", "eur": 12.5}, {"art": "netto", "eur": 10.5}],
    },
    {"id": "b", "name": {"de": "Kanne", "zh": None}, "lager": None, "preise": []},
]
MAPPING = {
    "items": {
        "fields": {
            "lager.verfuegbar": "available",
            "name.de": "title",
            "lager.ort.regal": "shelf",
            "preise.art": False,
        },
        "types": {"shelf": "category", "available": "category"},
    }
}


def parquet(rows):
    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


def json_lines(rows):
    return "\n".join(map(json.dumps, rows)).encode()


@pytest.mark.parametrize(
    "source", [list, iter, json_lines, json.dumps, pl.DataFrame, pd.DataFrame, parquet]
)
def test_a_mapping_names_nested_columns_by_dots(source, tmp_path):
    data = source(ROWS)
    with plait.open(tmp_path) as workspace:
        report = workspace.ingest(
            items=data.encode() if isinstance(data, str) else data, map=MAPPING
        )
        assert report.stored == 2
        assert workspace.get_item("a")["fields"] == {
            "title": "Tasse",
            "name.zh": "茶杯",
            "available": "true",
            "shelf": "5",
            "preise.eur": ["12.5", "10.5"],
        }
        assert workspace.get_item("b")["fields"] == {"title": "Kanne"}


def test_headers_with_dots(tmp_path):
    with plait.open(tmp_path) as workspace:
        columns = "id,name.de,name.zh,lager.verfuegbar,lager.ort.regal,preise.art"
        data = f"{columns}\na,Tasse,茶杯,true,5,x\n"
        workspace.ingest(items=data.encode(), map=MAPPING)
        assert workspace.get_item("a")["fields"] == {
            "title": "Tasse",
            "name.zh": "茶杯",
            "available": "true",
            "shelf": "5",
        }


def test_put_and_patch_flatten_like_files(tmp_path):
    with plait.open(tmp_path) as workspace:
        workspace.put_item("a", {"name": {"de": "Tasse", "zh": {"hans": "茶杯"}}, "size": "L"})
        fields = {"name.de": "Tasse", "name.zh.hans": "茶杯", "size": "L"}
        assert workspace.get_item("a")["fields"] == fields
        workspace.patch_item("a", {"name": {"de": "Becher"}})
        assert workspace.get_item("a")["fields"] == {**fields, "name.de": "Becher"}
        workspace.patch_item("a", {"name": {"zh": None}})
        assert workspace.get_item("a")["fields"] == {"name.de": "Becher", "size": "L"}
        workspace.patch_item("a", {"name": None})
        assert workspace.get_item("a")["fields"] == {"size": "L"}
        workspace.patch_item("a", {"size": {"eu": 40}})
        assert workspace.get_item("a")["fields"] == {"size.eu": 40}


def test_roles_within_objects():
    rows = [
        {"user": {"id": "u", "name": "Ann"}, "product": {"id": 7}, "timestamp": "2024-01-01"},
        {"user": {"id": "v", "name": "Bob"}, "product": {"id": 8}, "timestamp": "2024-01-02"},
    ]
    for source in (rows, json_lines(rows), pl.DataFrame(rows)):
        batches = list(read_events(source, "events"))
        events = [event for batch in batches for event in batch.events]
        assert [(event.user, event.item) for event in events] == [("u", "7"), ("v", "8")]
        assert orjson.loads(events[0].fields) == {"user.name": "Ann"}


def test_a_part_that_only_later_rows_have():
    rows = [{"id": f"i{n}", "x": {"y": 1}} for n in range(60_000)] + [{"id": "z", "x": {"t": "T"}}]
    mapping = {"items": {"fields": {"x.t": "title"}}}
    for source in (rows, iter(rows), json_lines(rows)):
        events = [
            event for batch in read_events(source, "items", mapping) for event in batch.events
        ]
        assert events[0].fields == '{"x.y":1}'
        assert events[-1].fields == '{"title":"T"}'


def test_a_part_that_does_not_exist_is_refused_with_the_parts_there_are():
    with pytest.raises(MappingError) as caught:
        next(read_events(ROWS, "items", {"items": {"fields": {"name.fr": "title"}}}))
    assert caught.value.field == "fields"
    assert "name.de" in caught.value.hint


def test_a_missing_role_is_looked_for_within_objects():
    rows = [{"id": 1, "customer": {"id": 7}, "line_items": [{"sku": "A"}]}]
    with pytest.raises(MappingError) as caught:
        list(read_events(rows, "events"))
    assert 'item = "line_items.sku"' in caught.value.hint
    assert 'explode = "line_items"' in caught.value.hint


def test_lists_of_keys_and_values_are_objects():
    row = {
        "item": "a",
        "params": [
            {"key": "page", "value": {"string_value": "home", "int_value": None}},
            {"key": "n", "value": 5},
        ],
        "where": [{"lat": 51.5, "lon": 0.1}],
    }
    batch = next(read_events([row], "items"))
    assert orjson.loads(batch.events[0].fields) == {
        "params.page": "home",
        "params.n": 5,
        "where": [{"lat": 51.5, "lon": 0.1}],
    }
