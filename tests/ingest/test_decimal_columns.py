"""Columns of amounts: with a mapping, by themselves, and through every entry point."""

import tempfile
from pathlib import Path

import polars as pl
import pytest

import plait
from plait.errors import MappingError
from plait.ingest import read_events

ROWS = 60_000
"""More than one chunk."""


def prices(texts, mapping=None):
    """The stored prices, and the codes of the notes."""
    source = pl.DataFrame({"item": [f"i{n}" for n in range(len(texts))], "price": texts})
    with _workspace() as workspace:
        report = workspace.ingest(items=source, map=mapping).by_kind["items"]
        codes = [note.code for note in report.notes]
        values = [
            workspace.get_item(f"i{n}")["fields"].get("price") for n in (0, 1, len(texts) - 1)
        ]
    return values, codes


def _workspace():
    return plait.open(Path(tempfile.mkdtemp(prefix="amounts-")))


def test_a_decimal_comma_of_the_mapping():
    mapping = {"items": {"decimal": ",", "types": {"price": "number"}}}
    values, _ = prices(["1.299,00 €", "1.299", "CHF 1'299.00"], mapping)
    assert values == [1299, 1299, 1299]
    assert prices(["1.299", "2.500", "7"], {"decimal": ","})[0] == [1299, 2500, 7]


def test_a_decimal_dot_of_the_mapping():
    assert prices(["1,299", "2,500", "7"], {"items": {"decimal": "."}})[0] == [1299, 2500, 7]


def test_a_column_that_is_clear_is_read_and_noted():
    assert prices(["4,50", "1.299", "12"]) == ([4.5, 1299, 12], ["decimal-comma"])
    assert prices(["$4.50", "$1,299", "12"]) == ([4.5, 1299, 12], ["amounts-as-numbers"])
    assert prices(["4,50", "9.99", "12"]) == ([4.5, 9.99, 12], ["amounts-as-numbers"])


def test_a_column_with_two_meanings_stays_text_and_is_noted():
    assert prices(["1,299", "2,500", "12"]) == (["1,299", "2,500", "12"], ["ambiguous-decimals"])
    assert prices(["1.299", "2.500", "12"]) == ([1.299, 2.5, 12], [])


@pytest.mark.parametrize("last", [["4,50"], ["4.50"]])
def test_the_outcome_does_not_depend_on_chunks(last):
    texts = ["1.299", "2.500"] * (ROWS // 2) + last
    expected = [1299, 2500, 4.5] if last == ["4,50"] else [1.299, 2.5, 4.5]
    assert prices(texts)[0] == expected
    assert prices(texts[:2] + last)[0] == expected


def test_a_stream_that_is_read_once_is_looked_at_ahead():
    lines = [f"i{n},1.299" for n in range(ROWS)] + ['last,"4,50"']
    rows = (
        {"item": line.split(",")[0], "price": line.split(",", 1)[1].strip('"')} for line in lines
    )
    first = next(read_events(rows, "items"))
    assert first.events[0].fields == '{"price":1299.0}'


def test_codes_lists_and_texts_are_no_amounts():
    source = [
        {"item": "a", "zip_code": "1,50", "tags": "1,5", "note": "4,50 each"},
        {"item": "b", "zip_code": "2,50", "tags": "2,5", "note": "nothing"},
    ]
    with _workspace() as workspace:
        workspace.ingest(items=source)
        assert workspace.get_item("a")["fields"] == {
            "note": "4,50 each",
            "tags": ["1,5"],
            "zip_code": "1,50",
        }


def test_a_field_that_is_stored_as_text_keeps_its_texts():
    with _workspace() as workspace:
        workspace.ingest(items=[{"item": "a", "size": "large"}])
        workspace.ingest(items=[{"item": "b", "size": "4,50"}])
        assert workspace.get_item("b")["fields"] == {"size": "4,50"}


def test_values_of_events_in_files_and_requests():
    rows = [
        {"user": "u", "item": "i", "kind": "rating", "time": 1300000000 + n, "value": value}
        for n, value in enumerate(["4,50", "1.299,00 €", "7"])
    ]
    for source in (rows, pl.DataFrame(rows)):
        batch = next(read_events(source, "events"))
        assert [event.value for event in batch.events] == [4.5, 1299, 7]
    with _workspace() as workspace:
        assert {row["status"] for row in workspace.post(rows)[1]} == {"stored"}
        workspace.put_item("i", {"price": "4,50 €"})
        assert workspace.get_item("i")["fields"] == {"price": 4.5}


def test_rules_compare_amounts():
    rows = [{"user": "u", "item": "i", "Menge": menge} for menge in ("-1,00", "2,00")]
    mapping = {"events": {"when": {"return": "Menge < 0"}}}
    batch = next(read_events(rows, "events", mapping))
    assert [event.event_type for event in batch.events] == ["return", "view"]


def test_an_unknown_separator_is_refused():
    with pytest.raises(MappingError) as caught:
        list(read_events([{"item": "a"}], "items", {"items": {"decimal": ";"}}))
    assert caught.value.field == "[items] decimal"
