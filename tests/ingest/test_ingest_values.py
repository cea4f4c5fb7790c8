"""Times, ids and numbers: what is understood, what is refused, and how the refusal reads."""

import datetime as dt
import tracemalloc

import numpy as np
import orjson
import polars as pl
import pytest

from plait.ingest import Rejected, RejectsFile, read_events
from plait.ingest.event_ids import RepeatCounter, source_name

NOW = 1_700_000_000 * 10**6


def rows_of(source, kind="events", mapping=None, **options):
    batches = list(read_events(source, kind, mapping, now=NOW, **options))
    events = [event for batch in batches for event in batch.events]
    return events, [reject for batch in batches for reject in batch.rejects]


def time_of(value, **mapping):
    events, rejects = rows_of(
        [{"user": "u", "item": "i", "time": value}], mapping={"events": mapping}
    )
    return events[0].time if events else rejects[0].expected


def utc(*parts):
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp() * 10**6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1300000000, 1300000000 * 10**6),
        (1300000000.25, 1300000000250000),
        (1300000000123, 1300000000123000),
        (1300000000123456, 1300000000123456),
        (1300000000123456789, 1300000000123456),
        ("1300000000", 1300000000 * 10**6),
        ("1300000000.5", 1300000000500000),
        ("1300000000123456", 1300000000123456),
        (0, 0),
        (-86400, -86400 * 10**6),
        ("2011-03-13", utc(2011, 3, 13)),
        ("2011-03-13 07:06", utc(2011, 3, 13, 7, 6)),
        ("2011-03-13 07:06:40", utc(2011, 3, 13, 7, 6, 40)),
        ("2011-03-13T07:06:40", utc(2011, 3, 13, 7, 6, 40)),
        ("2011-03-13T07:06:40Z", utc(2011, 3, 13, 7, 6, 40)),
        ("2011-03-13T07:06:40.123456Z", utc(2011, 3, 13, 7, 6, 40) + 123456),
        ("2011-03-13T07:06:40.5+02:00", utc(2011, 3, 13, 5, 6, 40) + 500000),
        ("2011-03-13 07:06:40 UTC", utc(2011, 3, 13, 7, 6, 40)),
        ("2011-03-13T07:06:40-0530", utc(2011, 3, 13, 12, 36, 40)),
        ("2011-03-13T07:06:40+05", utc(2011, 3, 13, 2, 6, 40)),
        ("2011/03/13 07:06:40", utc(2011, 3, 13, 7, 6, 40)),
        ("1922-01-01", utc(1922, 1, 1)),
        (dt.datetime(2011, 3, 13, 7, 6, 40), utc(2011, 3, 13, 7, 6, 40)),  # noqa: DTZ001
        (dt.date(2011, 3, 13), utc(2011, 3, 13)),
    ],
)
def test_times(value, expected):
    assert time_of(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01",
        "9999-12-31",
        "1899-12-31",
        "2011-02-30",
        "2011-13-01",
        "2011-03-13T25:00:00",
        "2011-03-13T07:06:40+99:00",
        "2011-03-13T07:06:40 PST",
        "yesterday",
        "13/03/2011",
        NOW + 2 * 86_400_000_000,
        1e300,
        float("inf"),
        float("nan"),
        10**30,
        True,
        ["2011-03-13"],
        None,
        "",
    ],
)
def test_times_that_are_refused(value):
    assert "ISO 8601" in str(time_of(value))


def test_typed_columns_of_time():
    base = {"user": ["u"], "item": ["i"]}
    at = dt.datetime(2011, 7, 1, 12)  # noqa: DTZ001
    for unit in ("ms", "us", "ns"):
        column = pl.Series([at]).cast(pl.Datetime(unit))
        assert rows_of(pl.DataFrame({**base, "time": column}))[0][0].time == utc(2011, 7, 1, 12)
        zoned = column.dt.replace_time_zone("Asia/Tokyo")
        assert rows_of(pl.DataFrame({**base, "time": zoned}))[0][0].time == utc(2011, 7, 1, 3)
    london = {"events": {"timezone": "Europe/London"}}
    assert rows_of(pl.DataFrame({**base, "time": [at]}), mapping=london)[0][0].time == utc(
        2011, 7, 1, 11
    )
    assert rows_of(pl.DataFrame({**base, "time": [at.date()]}), mapping=london)[0][0].time == utc(
        2011, 6, 30, 23
    )


def test_clock_changes():
    zone = "Europe/London"
    assert time_of("2011-03-27 00:59", timezone=zone) == utc(2011, 3, 27, 0, 59)
    assert time_of("2011-03-27 01:30", timezone=zone) == utc(
        2011, 3, 27, 1, 30
    )  # skipped: as before
    assert time_of("2011-03-27 02:00", timezone=zone) == utc(2011, 3, 27, 1)
    assert time_of("2011-10-30 01:30", timezone=zone) == utc(
        2011, 10, 30, 0, 30
    )  # twice: the first
    assert time_of("2011-03-27T01:30Z", timezone=zone) == utc(2011, 3, 27, 1, 30)


def test_a_time_format():
    assert time_of("1/12/2010 8:26", time_format="%d/%m/%Y %H:%M") == utc(2010, 12, 1, 8, 26)
    assert time_of("20101201", time_format="%Y%m%d") == utc(2010, 12, 1)
    assert "ISO" in time_of("2010", time_format="%d/%m/%Y %H:%M")


def test_mixed_ways_to_write_a_time():
    texts = ["1300000000", "2011-03-13 07:06:40", "2011-03-13T07:06:40Z", "bad", "2011-03-13"]
    data = "user,item,time\n" + "".join(f"u,i{n},{text}\n" for n, text in enumerate(texts))
    events, rejects = rows_of(data.encode())
    assert [event.time for event in events] == [1300000000 * 10**6] * 3 + [utc(2011, 3, 13)]
    assert [(reject.row, reject.field, reject.value) for reject in rejects] == [(4, "time", "bad")]


def test_missing_times():
    row = {"user": "u", "item": "i", "time": None}
    assert rows_of([{**row, "position": 3}])[0][0][5:7] == (None, 3)
    assert rows_of([{"user": "u", "item": "i"}])[0][0].time is None
    assert rows_of([{"item": "i", "updated_at": None}], "items")[0][0].time is None


# -- ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (17850, "17850"),
        (17850.0, "17850"),
        (" a b ", "a b"),
        ("مرحبا", "مرحبا"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("x" * 512, "x" * 512),
        ("é", "é"),
        ("007", "007"),
        (2**62, str(2**62)),
        (2**70, str(2**70)),
    ],
)
def test_ids(value, expected):
    events, rejects = rows_of([{"user": value, "item": "i"}])
    assert not rejects
    assert events[0].user == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        None,
        "x" * 10_000,
        "a\nb",
        "a\0b",
        "a\x1fb",
        True,
        float("nan"),
        1e300,
        ["a"],
        {"a": 1},
    ],
)
def test_ids_that_are_refused(value):
    events, rejects = rows_of([{"user": value, "item": "i"}, {"user": "u", "item": "i"}])
    assert len(events) == 1
    assert rejects[0].row == 1
    assert rejects[0].field == "user"
    assert "id" in rejects[0].expected
    assert len(rejects[0].value) <= 200


def test_broken_numbers_are_no_ids():
    events, rejects = rows_of([{"user": 1.5, "item": "i"}, {"user": 2.0, "item": "i"}])
    assert [event.user for event in events] == ["2"]
    assert rejects[0].value == "1.5"


def test_whole_floats_in_text():
    events, _ = rows_of(b"user,item,x\n17850.0,1.10,2.0\n")
    assert (events[0].user, events[0].item, events[0].fields) == ("17850", "1.10", '{"x":"2.0"}')


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1,299", "many", "1e999", "0x10"])
def test_values_that_are_refused(value):
    data = f'user,item,value,position\nu,i,"{value}",1\nv,j,2,x\nw,k,1e3,7\n'
    events, rejects = rows_of(data.encode())
    assert [(event.value, event.position) for event in events] == [(1000.0, 7)]
    assert [(reject.row, reject.field, reject.value) for reject in rejects] == [
        (1, "value", value),
        (2, "position", "x"),
    ]


def test_numbers_of_fields_are_finite():
    frame = pl.DataFrame({"item": ["a", "b", "c"], "price": [1.0, float("-inf"), float("inf")]})
    for source in (frame, frame.to_dicts()):
        (batch,) = read_events(source, "items", now=NOW)
        assert [(event.item, event.fields) for event in batch.events] == [
            ("a", '{"price":1.0}'),
            ("b", None),
            ("c", None),
        ]
        assert [(loss.row, loss.field, loss.expected) for loss in batch.losses] == [
            (2, "price", "a finite number"),
            (3, "price", "a finite number"),
        ]


def test_bad_rows_stop_nothing():
    lines = [
        b'{"user":"u","item":"a"}',
        b'{"user":"u","item":',
        b"[1,2]",
        b'{"user":"u","item":"b"}',
        b'{"user":"\xff","item":"c"}',
        b'{"user":NaN,"item":"c"}',
        b'{"user":"u\0","item":"c"}',
        b'{"user":"u","item":"d"}',
    ]
    events, rejects = rows_of(b"\n".join(lines), name="web.jsonl")
    assert [event.item for event in events] == ["a", "b", "d"]
    assert [(reject.file, reject.row) for reject in rejects] == [
        ("web.jsonl", n) for n in (2, 3, 5, 6, 7)
    ]
    data = b"user,item\nu,a\nu\nu,b,c\nu\xff,c\nu\0,d\n,e\nu,\nu,f\n"
    events, rejects = rows_of(data)
    assert [event.item for event in events] == ["a", "f"]
    assert sorted(reject.row for reject in rejects) == [2, 3, 4, 5, 6, 7]


def test_an_item_is_put_patched_or_deleted():
    rows = [{"item": "a", "how": "PATCH"}, {"item": "b", "how": "eat"}, {"item": "c", "how": None}]
    events, rejects = rows_of(rows, "items", {"items": {"kind": "how"}})
    assert [event.event_type for event in events] == ["patch", "put"]
    assert "put, patch or delete" in rejects[0].expected


def test_a_patch_may_clear_a_field():
    row = {"item": "a", "kind": "patch", "fields": {"price": None, "title": "x"}}
    event = rows_of([row], "items", {"items": {"kind": "kind"}})[0][0]
    assert event.fields == '{"price":null,"title":"x"}'


# -- derived ids


ROW = {"user": "u", "item": "i", "time": 1300000000}


def ids_of(rows, **options):
    return [event.id for event in rows_of(rows, **options)[0]]


def test_the_same_file_gives_the_same_ids():
    rows = [{**ROW, "item": f"i{n % 50}", "n": n % 3} for n in range(1000)]
    first = ids_of(rows, name="log.csv")
    assert len(set(first)) == 1000
    assert first == ids_of(rows, name="/other/folder/log.csv.gz")
    assert not set(first) & set(ids_of(rows, name="other.csv"))
    assert not set(first) & set(ids_of(rows, name="log.csv", key=b"secret"))


def test_repetitions_count_in_any_order():
    rows = [{**ROW, "item": f"i{n % 3}"} for n in range(120_000)]
    first = ids_of(rows)
    assert len(set(first)) == len(rows)
    assert set(ids_of(rows[::-1])) == set(first)
    assert set(ids_of(rows[:50])) < set(first)


def test_ids_sort_by_time():
    times = [-(10**9), 0, 10**9, 1_600_000_000]
    ids = ids_of([{**ROW, "time": time_} for time_ in times])
    assert ids == sorted(ids)


def test_given_ids_stay():
    rows = [{**ROW, "event_id": "e1"}, {**ROW, "event_id": None}, {**ROW, "event_id": " e3 "}]
    ids = ids_of(rows)
    assert (ids[0], ids[2]) == ("e1", "e3")
    assert ids[1].startswith("events:")


def test_everything_said_makes_the_id():
    base = ids_of([ROW])[0]
    for change in (
        {"user": "v"},
        {"time": 1300000001},
        {"value": 1.0},
        {"x": 1},
        {"kind": "click"},
    ):
        assert ids_of([{**ROW, **change}]) != [base]
    assert ids_of([{**ROW, "value": 0.1}]) == ids_of([{**ROW, "value": 0.1}])


def test_items_that_say_the_same_are_not_repeated():
    rows = [
        {"item": "a", "p": 1},
        {"item": "b", "p": 1},
        {"item": "a", "p": 1},
        {"item": "a", "p": 2},
        {"item": "a", "p": 1},
    ]
    batch = next(read_events(rows, "items"))
    assert batch.repeated == 1
    assert list(batch.rows) == [1, 2, 4, 5]
    assert len({event.id for event in batch.events}) == 4


def test_repeats_are_counted_over_batches():
    repeats, counts = RepeatCounter(), {}
    random = np.random.default_rng(0)
    for _ in range(40):
        hashes = random.integers(0, 300, random.integers(1, 200)).astype(np.uint64)
        before = repeats.count(hashes)
        for value, count in zip(hashes.tolist(), before.tolist(), strict=True):
            assert counts.get(value, 0) == count
            counts[value] = count + 1


def test_repeats_need_eight_bytes_a_row():
    repeats = RepeatCounter()
    random = np.random.default_rng(0)
    tracemalloc.start()
    for _ in range(40):
        repeats.count(random.integers(0, 2**63, 50_000).astype(np.uint64))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 2_000_000 * 8 * 1.2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/a/b/events.csv.gz", "events"),
        ("u.data", "u"),
        ("C:\\x\\log.parquet", "log"),
        ("ünder über.jsonl.zst", "ünder_über"),
        (".csv", "rows"),
        ("x" * 200, "x" * 64),
    ],
)
def test_names_of_sources(name, expected):
    assert source_name(name) == expected


# -- the rejects file


def test_the_rejects_file(tmp_path):
    with RejectsFile(tmp_path / "rejects", "my log.csv") as file:
        assert not file.path.exists()
        file.write([])
        file.write([Rejected("log.csv", 3, "time", "soon", "a time")])
        file.write([Rejected("log.csv", 4, "user", "مرحبا", "an id")])
    assert file.path.name.startswith("my_log.csv-")
    lines = [orjson.loads(line) for line in file.path.read_bytes().splitlines()]
    assert lines[0] == {
        "file": "log.csv",
        "row": 3,
        "field": "time",
        "value": "soon",
        "expected": "a time",
    }
    assert file.count == 2
