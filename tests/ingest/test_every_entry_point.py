"""The same rows give the same events and the same rejects, whichever way they come in."""

import csv
import datetime as dt
import io
import json
import math
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

import plait
from plait.eventlog import EventLog
from plait.ingest.plain_values import plain_value
from plait.schema.missing_words import MISSING_WORDS
from plait.server.http.app import create_app
from plait.settings import Settings

KEY = "key-of-the-tests"
NOW = int(time.time())
ANCHOR = {
    "id": "anchor",
    "kind": "view",
    "user": "u",
    "item": "i",
    "time": "2024-01-02T03:04:05Z",
    "value": 1.5,
    "request_id": "r",
}
"""A valid row after all others, so that every column has a value in a file."""

FIELDS = {"fields": {"channel": "app"}}


# -- entry points: each takes rows and gives what is wrong by row


def ingest(workspace, source):
    result = workspace.ingest(events=source).by_kind["events"]
    if result.rejects is None:
        return {}
    rejects = [orjson.loads(line) for line in result.rejects.read_bytes().splitlines()]
    errors = {}
    for reject in rejects:  # the first problem of a row
        errors.setdefault(reject["row"], (reject["field"], reject["expected"]))
    return errors


def ingest_file(workspace, data, suffix):
    path = workspace.settings.home / f"events.{suffix}"
    path.write_bytes(data)
    return ingest(workspace, path)


def json_lines(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def status_errors(statuses):
    """By row the field and what was expected, from the sentences of a response."""
    errors = {}
    for number, status in enumerate(statuses, 1):
        if status["status"] in ("rejected", "conflict"):
            field, _, expected = status["error"].rpartition(": expected ")
            if not field:
                field, _, expected = status["error"].partition(": ")
            errors[number] = (field, expected.partition(", got ")[0])
        elif "lost" in status:
            errors[number] = (status["lost"][0]["field"], status["lost"][0]["expected"])
    return errors


def through_list(workspace, rows):
    return ingest(workspace, rows)


def through_json_lines(workspace, rows):
    return ingest_file(workspace, json_lines(rows), "jsonl")


def through_csv(workspace, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(ANCHOR), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return ingest_file(workspace, text.getvalue().encode(), "csv")


def through_frame(workspace, rows):
    return ingest(workspace, pl.DataFrame(rows, infer_schema_length=None))


def through_text_frame(workspace, rows):
    return through_frame(workspace, [{name: str(row[name]) for name in row} for row in rows])


def through_post(workspace, rows):
    return status_errors(workspace.post(rows)[1])


def through_http(workspace, content, media_type):
    app = create_app(Settings(home=workspace.settings.home, key=KEY), workspace)
    headers = {"x-api-key": KEY, "content-type": media_type}
    response = TestClient(app).post("/v1/events", content=content, headers=headers)
    assert response.status_code == 200, response.text
    return status_errors(response.json()["rows"])


def through_body(workspace, rows):
    content = json.dumps({"events": rows}).encode()
    return through_http(workspace, content, "application/json")


def through_ndjson(workspace, rows):
    return through_http(workspace, json_lines(rows), "application/x-ndjson")


def stored_events(home):
    """All that the log holds of each event, but for its id."""
    with EventLog.open(home) as log:
        types, users, items = log.kinds(), log.user_ids(), log.item_ids()
        requests = dict(log.requests(log.version))
        return [
            (
                types[chunk.kinds[row]],
                users[chunk.users[row]],
                items[chunk.items[row]],
                int(chunk.times[row]),
                repr(float(chunk.values[row])),
                chunk.fields[row],
                requests.get(int(chunk.offsets[row])),
            )
            for chunk in log.read()
            for row in range(len(chunk))
        ]


def assert_entry_points_agree(rows, *entry_points, anchor=ANCHOR):
    if anchor is not None:
        rows = [*rows, anchor | FIELDS if "fields" in rows[0] else anchor]
    outcomes = {}
    for entry_point in entry_points:
        with tempfile.TemporaryDirectory() as folder:
            with plait.open(Path(folder)) as workspace:
                errors = entry_point(workspace, rows)
            outcomes[entry_point.__name__] = (errors, stored_events(folder))
    expected = outcomes[entry_points[0].__name__]
    assert all(outcome == expected for outcome in outcomes.values()), outcomes


# -- rows: valid and invalid values of each part

spaces = st.sampled_from(["", "", "", " ", "\t", "\u3000"])
names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
long_names = st.sampled_from(["x" * 128, "x" * 129, "ü" * 512, "x" * 513])
id_texts = st.builds("{}{}{}".format, spaces, st.sampled_from("abc") | names | long_names, spaces)
ids = id_texts | st.integers(-(10**20), 10**20) | st.sampled_from([17850.0, -0.0, 1.5, 1e300])
type_texts = st.sampled_from(["view", " Purchase", "ÄHNLICH"]) | id_texts.filter(
    lambda text: text.strip() not in MISSING_WORDS  # in a file such a row has the default type
)
time_texts = st.one_of(
    st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2030, 1, 1)).map(str),  # noqa: DTZ001
    st.datetimes(
        dt.datetime(1890, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5, minutes=-30))]),
    ).map(dt.datetime.isoformat),
    st.dates(dt.date(1890, 1, 1)).map(str),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["2024-02-29", "2023-02-29", "2024/03/01", "20240301", "2024-W10-5"]),
        st.sampled_from(["", "T", " ", "T10", " 10:30", "T10:30:59", "T10:30:60", "T24:00:00"]),
        st.sampled_from(["", ".5", ",123456789", ".1234567"]),
        st.sampled_from(["", "Z", "z", " UTC", " gmt", "+05", "+05:", "-0530", "+17:00", " PST"]),
    ),
    st.integers(-(10**12), 10**20).map(str),
    st.floats(-1e12, 1e18).map(repr),
    st.sampled_from(["1995", "01-Jan-1995", "1-Foo-1995", "soon", "1e9", "+1300000000.", ".5"]),
)
times = time_texts | st.integers(-(10**12), 10**20) | st.floats(-1e12, 1e20)
value_texts = st.sampled_from(["5", " 2.50 ", "-1e3", ".5", "5.", "+7", "1_0", "0x1", "1,5", "nan"])
value_texts |= st.floats().map(repr) | st.sampled_from(["3.4e38", "3.5e38", "1e400", "infinity"])
values = st.none() | value_texts | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
odd = st.sampled_from([True, False, [], ["a"], {"a": 1}])
scalars = st.integers(-9, 9) | st.floats(-9, 9) | st.sampled_from(["", "a", "b c", "5", True, None])
fields = st.dictionaries(
    st.sampled_from(["price", "style", "genres", "note", "where"]),
    scalars
    | st.lists(scalars, max_size=3)
    | st.dictionaries(st.sampled_from(["size", "lat", "lon", "colour : "]), scalars, max_size=3),
    max_size=3,
)


def rows_of(**parts):
    optional = {
        name: parts[name] for name in ("id", "value", "request_id", "fields") if name in parts
    }
    required = {name: part for name, part in parts.items() if name not in optional}
    return st.lists(st.fixed_dictionaries(required, optional=optional), min_size=1, max_size=5)


# A row without a kind or a time is no part of this: a file has defaults for the first (its mapping)
# and takes no part of the second for now, as the documentation says.
json_rows = rows_of(
    id=st.none() | ids | odd,
    kind=type_texts | odd,
    user=st.none() | ids | odd,
    item=st.none() | ids | odd,
    time=times | odd,
    value=values | odd,
    request_id=st.none() | ids | odd,
    fields=st.none() | fields | odd,
)


@settings(max_examples=40)
@given(json_rows)
def test_rows_of_json_agree_in_lists_files_and_requests(rows):
    rows = orjson.loads(
        json.dumps([row if "fields" in row else row | {"fields": None} for row in rows])
    )
    assert_entry_points_agree(
        rows, through_list, through_post, through_json_lines, through_body, through_ndjson
    )


# CSV has only text and no difference between empty and missing, so every value is written as text
# and "" stands for a missing one. It cannot hold NUL, reads CR LF as LF, takes some words for a
# missing value and 17850.0 for 17850: such texts are left out here.
def is_csv_text(text):
    special = text in ("NULL", "null", "\\N") or text.strip().endswith(".0")
    return not (special or "\0" in text or "\r" in text)


csv_ids = id_texts.filter(is_csv_text)
text_rows = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.just("") | csv_ids,
            "kind": type_texts.filter(is_csv_text),
            "user": csv_ids,
            "item": csv_ids,
            "time": time_texts,
            "value": st.just("") | value_texts,
            "request_id": st.just("") | csv_ids,
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=40)
@given(text_rows)
def test_rows_of_text_agree_in_lists_files_frames_and_requests(rows):
    entry_points = (through_list, through_post, through_json_lines, through_body, through_ndjson)
    assert_entry_points_agree(rows, *entry_points, through_csv, through_text_frame)


# The columns of a frame have one type each.
typed_columns = {
    "id": [id_texts, st.integers(-(2**63), 2**63 - 1), st.floats(-1e17, 1e17)],
    "kind": [type_texts],
    "user": [id_texts, st.integers(0, 99), st.booleans()],
    "item": [id_texts, st.integers(0, 99), st.floats()],
    "time": [
        time_texts,
        st.integers(-(10**12), 2**62),
        st.floats(),
        st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2030, 1, 1)),  # noqa: DTZ001
        st.datetimes(dt.datetime(1890, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
        st.dates(dt.date(1890, 1, 1)),
    ],
    "value": [values.filter(lambda value: isinstance(value, str)), st.integers(-9, 9), st.floats()],
    "request_id": [id_texts],
}
typed_rows = st.tuples(*(st.sampled_from(parts) for parts in typed_columns.values())).flatmap(
    lambda parts: st.lists(
        st.fixed_dictionaries(
            {
                name: part if name in ("kind", "time") else st.none() | part
                for name, part in zip(typed_columns, parts, strict=True)
            }
        ),
        min_size=1,
        max_size=5,
    )
)


@settings(max_examples=40)
@given(typed_rows)
def test_frames_of_typed_columns_agree_with_lists_and_posted_rows(rows):
    assert_entry_points_agree(rows, through_list, through_post, through_frame, anchor=None)


python_objects = st.sampled_from(
    [
        *(math.nan, math.inf, -math.inf, 2**70, 10**400, 1e300, b"a", "\ud800", object()),
        *(Decimal("2.5"), Decimal("NaN"), {"a"}, (1, 2), 1 + 2j),
        *(np.int64(5), np.float32(2.5), np.str_("a"), np.bool_(True), np.datetime64("2024-01-02")),
        *(dt.datetime(2024, 1, 2, tzinfo=dt.UTC), dt.date(2024, 1, 2), dt.time(3, 4)),
    ]
)
present_objects = python_objects.filter(lambda value: plain_value(value) is not None)
python_rows = rows_of(
    id=ids | python_objects,
    kind=type_texts | present_objects,
    user=ids | python_objects,
    item=ids | python_objects,
    time=times | present_objects,
    value=values | python_objects,
    fields=st.dictionaries(
        st.sampled_from(["price", "note"]), scalars | python_objects, max_size=2
    ),
)


@settings(max_examples=40)
@given(python_rows)
def test_python_objects_agree_in_lists_and_posted_rows(rows):
    rows = [{"fields": None} | row for row in rows]
    assert_entry_points_agree(rows, through_list, through_post)


def test_rows_without_time_or_kind_follow_the_documentation_of_their_entry_point():
    with tempfile.TemporaryDirectory() as folder, plait.open(Path(folder)) as workspace:
        rows = [
            {"user": "u", "item": "i", "kind": "view", "time": "2024-01-01"},
            {"user": "u", "item": "i", "kind": "view"},
            {"user": "u", "item": "i", "time": "2024-01-01"},
        ]
        assert ingest(workspace, rows).keys() == {2}
        assert ingest(workspace, rows[1:2]) == {}
        assert status_errors(workspace.post(rows)[1]).keys() == {3}
        times = np.concatenate([chunk.times for chunk in workspace._log.read()])
    assert [time // 10**6 > NOW - 60 for time in times] == [False, False, False, False, True]
