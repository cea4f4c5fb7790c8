"""A log is the same log however odd its files are, and whichever entry point it comes through."""

import datetime as dt
import json
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.ingest import read_events
from plait.ingest.posted_rows import parse_event_rows
from plait.schema.missing_words import FIELD_WORDS, MISSING_WORDS
from tests.ingest import odd_files as quirks

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

id_texts = (
    st.text("ab7Éß0", min_size=1, max_size=4)
    | st.sampled_from(["007", "0345402871", "a,b", 'a"b', "x;y|z", "O'Hara", "1e5", "-1", "a b"])
).filter(lambda text: text not in MISSING_WORDS)
notes = st.none() | (
    st.text("abäß€ \"',;|\t:\n", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: text not in FIELD_WORDS and not text.startswith("'"))
)
moments = st.datetimes(dt.datetime(2005, 1, 1), dt.datetime(2024, 1, 1)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0, tzinfo=dt.UTC)
)
rows_of_texts = st.lists(
    st.fixed_dictionaries(
        {
            "user": id_texts,
            "item": id_texts,
            "time": moments,
            "kind": st.sampled_from(["view", "cart", "purchase"]),
            "rating": st.none() | st.sampled_from([1.0, 4.5, -2.0]),
            "note": notes,
        }
    ),
    min_size=1,
    max_size=6,
)
layouts = st.builds(
    quirks.Layout,
    separator=st.sampled_from(quirks.SEPARATORS),
    quotes=st.sampled_from(sorted(quirks.QUOTES)),
    end=st.sampled_from(quirks.ENDS),
    lines=st.sampled_from(quirks.EXTRA_LINES),
    encoding=st.sampled_from(quirks.ENCODINGS),
    pack=st.sampled_from(sorted(quirks.PACKS)),
)
writings = st.fixed_dictionaries(
    {
        "time": st.sampled_from(sorted(quirks.TIMES)),
        "gap": st.sampled_from(quirks.GAPS),
        "before": st.sampled_from(quirks.PADS),
        "after": st.sampled_from(quirks.PADS),
    }
)
many = settings(max_examples=120, deadline=None)


def outcome(source, mapping=None):
    """The events of a source, without their ids; nothing may be refused."""
    batches = list(read_events(source, mapping={"events": mapping or {}}))
    assert not [reject for batch in batches for reject in batch.rejects]
    return [tuple(event)[2:] for batch in batches for event in batch.events]


def posted(rows):
    parsed = parse_event_rows(rows)
    assert not parsed.rejected
    return [tuple(event)[2:] for event in parsed.events]


def expected_of(rows):
    return [
        (
            row["kind"],
            row["user"],
            row["item"],
            int(row["time"].timestamp()) * 10**6,
            None,
            row["rating"],
            None,
            None if row["note"] is None else json.dumps({"note": row["note"]}, ensure_ascii=False),
        )
        for row in rows
    ]


def same(events, expected):
    """Compare with fields as values."""

    def parsed(rows):
        return [(*row[:-1], json.loads(row[-1] or "{}")) for row in rows]

    return parsed(events) == parsed(expected)


def written(row, writing):
    """A row with its ids, times and gaps written oddly."""
    before, after, gap = writing["before"], writing["after"], writing["gap"]
    return {
        "user": before + row["user"] + after,
        "item": before + row["item"] + after,
        "time": quirks.TIMES[writing["time"]](row["time"]),
        "kind": row["kind"].upper(),
        "rating": gap if row["rating"] is None else row["rating"],
        "note": row["note"],
    }


def as_post(row):
    fields = None if row["note"] is None else {"note": row["note"]}
    value = {"value": row["rating"], "fields": fields}
    return {name: row[name] for name in ("user", "item", "time", "kind")} | value


@many
@given(rows_of_texts, writings, layouts)
def test_delimited_files_and_requests(rows, writing, layout):
    if layout.encoding == "cp1252":  # which lacks most invisible signs
        writing = writing | {"before": "\u00a0", "after": "\u00ad"}
    if layout.separator == "::":
        rows = [
            row | {"note": (row["note"] and row["note"].replace(":", "")) or None} for row in rows
        ]
    if layout.quotes in ("not_doubled", "backslashes"):  # a quote before a newline is unclear
        rows = [row | {"note": row["note"] and row["note"].replace("\n", " ")} for row in rows]
    expected = expected_of(rows)
    odd = [written(row, writing) for row in rows]
    assert same(posted(list(map(as_post, odd))), expected)
    cells = [["" if row[name] is None else str(row[name]) for name in quirks.HEADER] for row in odd]
    data = quirks.delimited([list(quirks.HEADER), *cells], layout)
    assert same(outcome(data, layout.mapping), expected)


@many
@given(
    rows_of_texts,
    writings,
    st.sampled_from(sorted(quirks.JSON_FILES)),
    st.sampled_from(sorted(quirks.PACKS)),
    st.booleans(),
)
def test_json_files_and_dictionaries(rows, writing, writer, pack, as_nan):
    expected = expected_of(rows)
    odd = [written(row, writing) for row in rows]
    assert same(outcome(odd), expected)
    if as_nan and not writer.startswith("python"):
        odd = [
            row | ({"rating": math.nan} if row["rating"] == writing["gap"] else {}) for row in odd
        ]
    text = quirks.JSON_FILES[writer](odd)
    assert same(outcome(quirks.PACKS[pack](text.encode())), expected)


@many
@given(
    rows_of_texts,
    writings,
    st.sampled_from(sorted(quirks.pandas_columns())),
    st.sampled_from(sorted(quirks.pandas_times())),
    st.sampled_from(["none", "user", "kind"]),
)
def test_frames_of_pandas(rows, writing, dtype, moment, index):
    odd = [written(row, writing) for row in rows]
    column = quirks.pandas_columns()[dtype]
    frame = pd.DataFrame(
        {
            "user": column([row["user"] for row in odd]),
            "item": column([row["item"] for row in odd]),
            "time": quirks.pandas_times()[moment]([row["time"] for row in rows]),
            "kind": column([row["kind"] for row in rows]),
            "rating": [row["rating"] for row in rows],
            "note": column([row["note"] for row in rows]),
        }
    )
    frame = frame if index == "none" else frame.set_index(index)
    assert same(outcome(frame), expected_of(rows))


@many
@given(
    rows_of_texts,
    writings,
    st.sampled_from(sorted(quirks.POLARS_COLUMNS)),
    st.sampled_from(sorted(quirks.POLARS_TIMES)),
    st.booleans(),
)
def test_frames_of_polars(rows, writing, dtype, moment, lazily):
    odd = [written(row, writing) for row in rows]
    column = quirks.POLARS_COLUMNS["string" if lazily else dtype]
    frame = pl.DataFrame(
        {
            "user": column([row["user"] for row in odd]),
            "item": column([row["item"] for row in odd]),
            "time": quirks.POLARS_TIMES[moment]([row["time"] for row in rows]),
            "kind": column([row["kind"] for row in rows]),
            "rating": pl.Series([row["rating"] for row in rows], dtype=pl.Float64),
            "note": column([row["note"] for row in rows]),
        }
    )
    assert same(outcome(frame.lazy() if lazily else frame), expected_of(rows))


@many
@given(
    st.lists(st.integers(0, 10**15), min_size=1, max_size=5),
    st.sampled_from(sorted(quirks.NUMBERS)),
    st.sampled_from(["Int64", "Float64", "object", "category", "int64[pyarrow]"]),
)
def test_ids_that_are_whole_numbers(numbers, writing, dtype):
    ids = list(map(str, numbers))
    values = [quirks.NUMBERS[writing](number) for number in numbers]
    rows = [{"user": "u", "item": value, "kind": "view"} for value in values]
    if writing != "point":
        assert [event.item for event in parse_event_rows(rows).events] == ids
        assert [event[2] for event in outcome(rows)] == ids
        items = pd.Series(values, dtype=object)
        assert [event[2] for event in outcome(pd.DataFrame({"user": "u", "item": items}))] == ids
    typed = pd.Series(numbers).astype(dtype)
    assert [event[2] for event in outcome(pd.DataFrame({"user": "u", "item": typed}))] == ids
    for polars_type in (pl.Int64, pl.UInt64, pl.Float64, pl.Decimal(38, 0), pl.Decimal(38, 2)):
        frame = pl.DataFrame({"item": pl.Series(numbers).cast(polars_type)})
        assert [event[2] for event in outcome(frame.with_columns(user=pl.lit("u")))] == ids
    lines = "".join(f"u,{value}\n" for value in values)
    if writing in ("int", "float", "text", "point", "decimal"):
        assert [event[2] for event in outcome(f"user,item\n{lines}".encode())] == ids


@many
@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_text_is_the_same_id_through_every_entry_point_or_refused(texts):
    rows = [{"user": "u", "item": text, "kind": "view"} for text in texts]
    parsed = parse_event_rows(rows)
    expected = [event.item for event in parsed.events]
    column = pl.Series(texts, dtype=pl.String)
    frame = pl.DataFrame({"user": ["u"] * len(texts), "item": column})
    lines = "\n".join(json.dumps(row) for row in rows)
    objects = pd.DataFrame({"user": "u", "item": pd.Series([*texts, 1][:-1], dtype=object)})
    for source in (rows, lines.encode(), frame, frame.to_pandas(), objects):
        events, refused = [], 0
        for batch in read_events(source):
            events += [event.item for event in batch.events]
            refused += len(batch.rejects)
        assert events == expected
        assert refused == len(parsed.rejected)


def test_there_are_enough_quirks():
    count = sum(
        map(
            len,
            (
                *(quirks.TIMES, quirks.GAPS, quirks.PADS, quirks.NUMBERS, quirks.SEPARATORS),
                *(quirks.ENDS, quirks.EXTRA_LINES, quirks.ENCODINGS, quirks.PACKS, quirks.QUOTES),
                *(quirks.JSON_FILES, quirks.pandas_columns(), quirks.POLARS_COLUMNS),
                *(quirks.pandas_times(), quirks.POLARS_TIMES),
            ),
        )
    )
    assert count >= 90
