"""Times in formats of the mapping, and days that are written as numbers."""

import datetime as dt
import json

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plait
from plait.errors import MappingError
from plait.ingest import read_events

ROWS = 60_000
"""More than one chunk."""


def times_of(values, mapping=None, **columns):
    """The times of events as text, and the codes of the notes; through a frame and as JSON."""
    rows = [{"user": "u", "item": f"i{n}", "time": value} for n, value in enumerate(values)]
    sources = [rows, json.dumps(rows, default=str).encode()]
    sources.append(pl.DataFrame(rows, strict=False))
    outcomes = []
    for source in sources:
        batches = list(read_events(source, "events", mapping and {"events": mapping}))
        outcomes.append(
            (
                [text_of(event.time) for batch in batches for event in batch.events],
                [note.code for batch in batches for note in batch.notes],
                [reject.value for batch in batches for reject in batch.rejects],
            )
        )
    assert outcomes[0] == outcomes[1] == outcomes[2]
    return outcomes[0]


def text_of(time):
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=time)).isoformat()  # noqa: DTZ001


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([20220131, 20220408], ["2022-01-31T00:00:00", "2022-04-08T00:00:00"]),
        (["20220131", "20220408"], ["2022-01-31T00:00:00", "2022-04-08T00:00:00"]),
        ([20220131.0, 20220408.0], ["2022-01-31T00:00:00", "2022-04-08T00:00:00"]),
        ([20220131101500, 20220408235959], ["2022-01-31T10:15:00", "2022-04-08T23:59:59"]),
        ([202201311015, 202204082359], ["2022-01-31T10:15:00", "2022-04-08T23:59:00"]),
        ([44592, 44593.5], ["2022-01-31T00:00:00", "2022-02-01T12:00:00"]),
        ([44592.25, 44593.5208333333], ["2022-01-31T06:00:00", "2022-02-01T12:30:00"]),
    ],
)
def test_days_as_numbers(values, texts):
    assert times_of(values) == (texts, ["days-as-numbers"], [])


@pytest.mark.parametrize("values", [[1300000000, 1300000001], [1.3e12, 1.4e12], [20220131, 86400]])
def test_other_numbers_are_unix_times(values):
    texts, codes, _ = times_of(values)
    assert not codes
    assert texts[0][:4] in ("2011", "1970")


def test_a_day_that_does_not_exist_is_refused_among_days():
    texts, codes, refused = times_of([20220131] * 40 + [20220230])
    assert set(texts) == {"2022-01-31T00:00:00"}
    assert codes == ["days-as-numbers"]
    assert refused == ["20220230"]


def test_the_whole_source_decides():
    days = [20220131] * ROWS
    rows = [{"user": "u", "item": "i", "time": day} for day in days]
    late = [*rows, *({"user": "u", "item": "j", "time": 1300000000 + n} for n in range(ROWS))]
    for source, text in ((rows, "2022-01-31T00:00:00"), (late, "1970-08-23T00:42:11")):
        for chunks in (source, iter(source), pl.DataFrame(source)):
            first = next(read_events(chunks, "events"))
            assert text_of(first.events[0].time) == text


def test_days_have_the_time_zone_of_the_mapping():
    assert times_of([20220131], {"timezone": "Europe/Berlin"})[0] == ["2022-01-30T23:00:00"]


@pytest.mark.parametrize("values", [[20220408], ["20220408"], [20220408.0]])
def test_a_format_holds_for_numbers(values):
    assert times_of(values, {"time_format": "%Y%m%d"})[0] == ["2022-04-08T00:00:00"]


def test_several_formats():
    formats = ["%d.%m.%Y", "%m/%d/%Y %I:%M %p", "%Y%m%d", "%B %Y", "%d.%m.%Y %H:%M:%S.%f"]
    values = ["03.11.2024", "11/04/2024 08:15 PM", "20241105", "November 2024"]
    values += ["06.11.2024 10:00:00.5", "2024-11-07 10:00", "1730979000"]
    assert times_of(values, {"time_format": formats})[0] == [
        "2024-11-03T00:00:00",
        "2024-11-04T20:15:00",
        "2024-11-05T00:00:00",
        "2024-11-01T00:00:00",
        "2024-11-06T10:00:00.500000",
        "2024-11-07T10:00:00",
        "2024-11-07T11:30:00",
    ]


def test_what_fits_no_format_is_refused():
    assert times_of(["2010", "soon", "31.02.2024"], {"time_format": ["%d.%m.%Y"]})[2] == [
        "2010",
        "soon",
        "31.02.2024",
    ]


@pytest.mark.parametrize("pattern", ["%Q", "%H:%M", "%d.%m.", "", "%", "day"])
def test_a_format_that_cannot_be_read(pattern):
    mapping = {"events": {"time_format": ["%Y-%m-%d", pattern]}}
    with pytest.raises(MappingError) as caught:
        list(read_events([{"user": "u", "item": "i"}], "events", mapping))
    assert caught.value.field == "time_format"


FIELD_MAPPING = {
    "items": {
        "time_format": ["%d.%m.%Y %H:%M", "%d.%m.%Y"],
        "timezone": "Europe/Berlin",
        "types": {"added": "time"},
    }
}


def test_formats_and_the_zone_hold_for_fields(tmp_path):
    rows = [
        {"item": "a", "added": "03.11.2026", "seen": "01.07.2024 12:00", "code": "x"},
        {"item": "b", "added": "2026-11-04 10:00", "seen": "01.12.2024 12:00", "code": "y"},
    ]
    for number, source in enumerate((rows, pl.DataFrame(rows), pd.DataFrame(rows))):
        with plait.open(tmp_path / str(number)) as workspace:
            workspace.ingest(items=source, map=FIELD_MAPPING)
            assert workspace.get_item("a")["fields"] == {
                "added": "2026-11-02T23:00:00+00:00",
                "seen": "2024-07-01T10:00:00+00:00",
                "code": "x",
            }
            assert workspace.get_item("b")["fields"]["added"] == "2026-11-04T09:00:00+00:00"


def test_days_as_numbers_in_a_field_of_times(tmp_path):
    with plait.open(tmp_path) as workspace:
        mapping = {"items": {"types": {"added": "time"}}}
        workspace.ingest(items=[{"item": "a", "added": 20220408}], map=mapping)
        assert workspace.get_item("a")["fields"] == {"added": "2022-04-08T00:00:00+00:00"}


def test_posted_days_are_days(tmp_path):
    with plait.open(tmp_path) as workspace:
        row = {"user": "u", "item": "i", "kind": "view"}
        workspace.post([{**row, "time": time} for time in (20220408, "20220409", 20220410.0)])
        times = [time for chunk in workspace._log.read() for time in chunk.times.tolist()]
    assert list(map(text_of, times)) == [f"2022-04-{day:02}T00:00:00" for day in (8, 9, 10)]


moments = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2025, 1, 1))  # noqa: DTZ001
ways = st.sampled_from(
    ["%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d%H%M%S", "%d %b %Y %H:%M:%S"]
)


@settings(max_examples=40)
@given(st.lists(moments, min_size=1, max_size=5), ways)
def test_a_written_time_is_read_back(times, way):
    times = [moment.replace(microsecond=0) for moment in times]
    texts, _, refused = times_of([moment.strftime(way) for moment in times], {"time_format": way})
    assert not refused
    assert texts == [moment.isoformat() for moment in times]


@settings(max_examples=40)
@given(st.lists(moments, min_size=1, max_size=5))
def test_a_day_of_a_spreadsheet_is_read_back(times):
    times = [moment.replace(microsecond=0) for moment in times]
    epoch = dt.datetime(1899, 12, 30)  # noqa: DTZ001
    days = [round((moment - epoch) / dt.timedelta(days=1), 10) for moment in times]
    texts, codes, _ = times_of(days)
    assert texts == [moment.isoformat() for moment in times]
    assert codes == ["days-as-numbers"]
