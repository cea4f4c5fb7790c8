"""Columns of every type of pandas and polars are read as the values that they hold."""

import datetime as dt
import enum
import json
import uuid
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from plait.errors import MappingError
from plait.ingest import read_events
from plait.ingest.plain_values import plain_value

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

UTC = dt.UTC
MOMENT = 1577872800 * 10**6  # 2020-01-01 10:00 UTC


def fields_of(values):
    """The field x of one item a value; None where it has none."""
    source = values
    if isinstance(values, pl.Series):
        source = pl.DataFrame({"item": [str(n) for n in range(len(values))], "x": values})
    elif not isinstance(values, list):
        source = pd.DataFrame({"item": [str(n) for n in range(len(values))], "x": values})
    else:
        source = [{"item": str(n), "x": value} for n, value in enumerate(values)]
    events, rejects = events_of(source, "items")
    assert not rejects, rejects
    fields = [json.loads(event.fields or "{}") for event in events]
    return [row.get("x", row or None) for row in fields]


def events_of(source, kind="events", mapping=None):
    batches = list(read_events(source, kind, mapping))
    events = [event for batch in batches for event in batch.events]
    return events, [reject for batch in batches for reject in batch.rejects]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ([Decimal("3.50"), Decimal(12), None], [3.5, 12, None]),
        ([{"a": 1}, {"a": Decimal("2.5")}, None], [{"x.a": 1}, {"x.a": 2.5}, None]),
        ([{"lat": 1.5, "lon": np.float64(2)}, None], [{"lat": 1.5, "lon": 2.0}, None]),
        ([["a", "b"], None, ["c"]], [["a", "b"], None, ["c"]]),
        ([["a", None], "b", ("c",), {"e", "d"}, np.array(["f"])], None),
        ([uuid.UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        ([b"Lamp", "Mug"], ["Lamp", "Mug"]),
        ([dt.date(2020, 1, 2), None], ["2020-01-02", None]),
        ([dt.time(3, 4)], ["03:04:00"]),
        ([dt.timedelta(hours=1), None], [3600, None]),
        ([True, None], [True, None]),
        ([1, None, 3], [1, None, 3]),
        ([1, "a", 2.5], [1, "a", 2.5]),
        ([Path("a/b"), enum.Enum("E", {"A": "x"}).A], ["a/b", "x"]),
        ([float("nan"), 1.5], [None, 1.5]),
        ([[1.0, float("nan")]], [[1.0, None]]),
    ],
    ids=lambda value: type(value).__name__,  # a set has another text in each process
)
def test_python_objects_in_frames_and_lists(column, expected):
    expected = expected or [["a", None], "b", ["c"], ["d", "e"], ["f"]]
    assert fields_of(column) == expected
    assert fields_of(pd.Series(column, dtype=object)) == expected
    assert fields_of(pl.Series("x", column, dtype=pl.Object)) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (lambda: pd.array([1, None], dtype="Int64"), [1, None]),
        (lambda: pd.array([1.5, None], dtype="Float64"), [1.5, None]),
        (lambda: pd.array([True, None], dtype="boolean"), [True, None]),
        (lambda: pd.array(["a", None], dtype="string"), ["a", None]),
        (lambda: pd.Categorical(["a", None]), ["a", None]),
        (lambda: pd.Categorical([7, 8, None]), [7, 8, None]),
        (lambda: pd.cut([1, 5], [0, 2, 6]), ["(0, 2]", "(2, 6]"]),
        (lambda: pd.arrays.SparseArray([0.0, 1.5]), [0.0, 1.5]),
        (lambda: pd.period_range("2020-01", periods=2, freq="M"), None),
        (lambda: pd.to_timedelta(["90s", None]), [90.0, None]),
        (lambda: pd.array([Decimal("1.5")], dtype=pd.ArrowDtype(pa.decimal128(5, 2))), [1.5]),
        (
            lambda: pd.array([{"a": 1}], dtype=pd.ArrowDtype(pa.struct([("a", pa.int8())]))),
            [{"x.a": 1}],
        ),
        (
            lambda: pd.array([["a"], None], dtype=pd.ArrowDtype(pa.list_(pa.string()))),
            [["a"], None],
        ),
        (lambda: pd.array(["a", None], dtype=pd.ArrowDtype(pa.string())), ["a", None]),
        (lambda: pd.array([90, None], dtype=pd.ArrowDtype(pa.duration("s"))), [90.0, None]),
    ],
)
def test_types_of_pandas(column, expected):
    expected = expected or ["2020-01-01T00:00:00", "2020-02-01T00:00:00"]
    assert fields_of(column()) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([Decimal("3.50"), None]), [3.5, None]),
        (pl.Series([{"a": Decimal("3.50")}]), [{"x.a": 3.5}]),
        (pl.Series([[Decimal("3.50"), None], None]), [[3.5, None], None]),
        (pl.Series([[["a"], ["b"]]]), [["a", "b"]]),
        (pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), [[1, 2]]),
        (pl.Series(["a", None], dtype=pl.Categorical), ["a", None]),
        (pl.Series(["a", None], dtype=pl.Enum(["a"])), ["a", None]),
        (pl.Series([dt.timedelta(seconds=1.5)]), [1.5]),
        (pl.Series([{"d": dt.timedelta(seconds=1.5)}]), [{"x.d": 1.5}]),
        (pl.Series([dt.time(3, 4)]), ["03:04:00"]),
        (pl.Series([b"Lamp", None]), ["Lamp", None]),
        (pl.Series([1.5, float("nan")]), [1.5, None]),
        (pl.Series([2.1], dtype=pl.Float32), [2.1]),
        (pl.Series([None, None]), [None, None]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_types_of_polars(column, expected):
    assert fields_of(column.alias("x")) == expected


def test_raw_bytes_are_left_out_and_noted():
    frame = pl.DataFrame({"item": ["a"], "picture": [b"\xff\xd8"]})
    for source in (frame, frame.to_pandas()):
        (batch,) = read_events(source, "items")
        assert batch.events[0].fields is None
    from plait.ingest.column_mapping import ColumnMapping
    from plait.ingest.row_reader import RowReader

    (chunk,) = RowReader(frame, "x", ColumnMapping()).chunks()
    assert [(note.code, note.field) for note in chunk.notes] == [("raw-bytes", "picture")]


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series([17850, 7]),
        pl.Series([Decimal(17850), Decimal(7)]),
        pl.Series([Decimal("17850.00"), Decimal("7.00")]),
        pl.Series([17850.0, 7.0]),
        pl.Series([b"17850", b"7"]),
        pl.Series(["17850", "7"], dtype=pl.Categorical),
        pl.Series(["\ufeff17850\u00a0", "\u200b7\u00ad "]),
        pl.Series([17850, 7], dtype=pl.UInt64),
        pd.Series(["17850", 7], dtype=object),
        pd.Series([Decimal(17850), Decimal("7.0")], dtype=object),
        pd.Categorical([17850, 7]),
        pd.array([17850, 7], dtype=pd.ArrowDtype(pa.decimal128(38, 0))),
        [np.int64(17850), np.float32(7)],
    ],
    ids=lambda ids: str(getattr(ids, "dtype", "list")),
)
def test_ids_of_every_type(ids):
    if isinstance(ids, list):
        source = [{"user": "u", "item": item} for item in ids]
    elif isinstance(ids, pl.Series):
        source = pl.DataFrame({"user": ["u", "u"], "item": ids})
    else:
        source = pd.DataFrame({"user": ["u", "u"], "item": ids})
    events, rejects = events_of(source)
    assert [event.item for event in events] == ["17850", "7"]
    assert not rejects


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(["2020-01-01 10:00"]).tz_localize("UTC"),
        pd.to_datetime(["2020-01-01 19:00"]).tz_localize("Asia/Tokyo"),
        pd.array(
            [dt.datetime(2020, 1, 1, 10, tzinfo=UTC)],
            dtype=pd.ArrowDtype(pa.timestamp("us", "UTC")),
        ),
        pd.array([MOMENT * 1000], dtype=pd.ArrowDtype(pa.timestamp("ns", "Asia/Tokyo"))),
        pd.Series([pd.Timestamp("2020-01-01 10:00", tz="UTC")], dtype=object),
        pd.Series([dt.datetime(2020, 1, 1, 10, tzinfo=UTC)], dtype=object),
        pd.to_datetime(["2020-01-01 05:00"]),  # a wall clock of the mapping's zone
        pd.period_range("2020-01-01 05:00", periods=1, freq="h"),
        pd.Categorical(["2020-01-01T10:00:00Z"]),
    ],
    ids=lambda times: str(times.dtype),
)
def test_moments_keep_their_zone(times):
    frame = pd.DataFrame({"user": ["u"], "item": ["i"], "time": times})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        events, rejects = events_of(frame, mapping={"timezone": "America/New_York"})
    assert not rejects
    assert [event.time for event in events] == [MOMENT]


def test_names_of_columns_and_indexes():
    frame = pd.DataFrame(
        [[1, 2, 3]],
        columns=pd.MultiIndex.from_tuples([("item", ""), ("price", "min"), ("price", "max")]),
    )
    assert events_of(frame, "items")[0][0].fields == '{"price.max":3,"price.min":2}'
    same = pd.DataFrame({"item": ["a"], "x": [1]}).set_index("item", drop=False)
    assert [event.item for event in events_of(same, "items")[0]] == ["a"]
    dated = pd.DataFrame(
        {"user": ["u"], "item": ["i"]}, index=pd.DatetimeIndex(["2020-01-01 10:00"], name="time")
    )
    assert [event.time for event in events_of(dated)[0]] == [MOMENT]
    twice = pd.DataFrame([["a", 1, 2]], columns=["item", "x", "x"])
    with pytest.raises(MappingError):
        events_of(twice, "items")
    assert events_of(pa.table({"item": ["a"]}), "items")[0][0].item == "a"


def test_what_is_no_value_stays_what_it_is():
    anything = object()
    assert plain_value(anything) is anything
    assert plain_value(b"\xff") == b"\xff"
    nested = []
    nested.append(nested)
    plain_value(nested)
    (batch,) = read_events(pd.DataFrame({"item": ["a"], "x": [anything], "y": [1]}), "items")
    assert [event.fields for event in batch.events] == ['{"y":1}']
    assert [loss.field for loss in batch.losses] == ["x"]
