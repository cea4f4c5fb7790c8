"""Every format, compressed and not, gives the same events."""

import gzip
import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError, PlaitError
from plait.ingest import read_events
from plait.ingest.byte_sources import BLOCK
from plait.schema.missing_words import BLANKS, FIELD_WORDS, MISSING_WORDS
from plait.utils.number_texts import unambiguous_number

ROWS = [
    {"user_id": "u1", "item_id": "a", "timestamp": 1_300_000_000, "rating": 4.5},
    {"user_id": "u2", "item_id": "b", "timestamp": 1_300_000_060, "rating": 3.0},
    {"user_id": "مرحبا", "item_id": "🛒", "timestamp": 1_300_000_120, "rating": None},
]


def rows_of(source, kind="events", mapping=None, **options):
    batches = list(read_events(source, kind, mapping, **options))
    events = [event for batch in batches for event in batch.events]
    return events, [reject for batch in batches for reject in batch.rejects]


def zstd(data):
    from plait.ingest.byte_sources import zstd_module

    module = zstd_module()  # with a checksum, as the program zstd writes it
    return module.compress(data, options={module.CompressionParameter.checksum_flag: 1})


def as_bytes(form):
    frame = pl.DataFrame(ROWS)
    if form == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if form == "jsonl":
        return frame.write_ndjson().encode()
    if form == "json":
        return frame.write_json().encode()
    return frame.write_csv(
        separator={"csv": ",", "tsv": "\t", "semi": ";", "bar": "|"}[form]
    ).encode()


FORMS = ["csv", "tsv", "semi", "bar", "jsonl", "json", "parquet"]


@pytest.mark.parametrize(
    "pack", [lambda data: data, gzip.compress, zstd], ids=["plain", "gz", "zst"]
)
@pytest.mark.parametrize("form", FORMS)
def test_every_format_and_packing(tmp_path, form, pack):
    path = tmp_path / "log.data"
    path.write_bytes(pack(as_bytes(form)))
    events, rejects = rows_of(path)
    assert not rejects
    assert [
        (event.user, event.item, event.time, event.value, event.event_type) for event in events
    ] == [
        (row["user_id"], row["item_id"], row["timestamp"] * 10**6, row["rating"], "rating")
        for row in ROWS
    ]
    assert events == rows_of(io.BytesIO(pack(as_bytes(form))), name="log.data")[0]
    assert events == rows_of(pack(as_bytes(form)), name="log")[0]


def test_frames_and_dictionaries_give_the_events_of_a_file():
    frame = pl.DataFrame(ROWS)
    expected = rows_of(as_bytes("jsonl"))[0]
    assert rows_of(frame)[0] == expected
    assert rows_of(frame.lazy())[0] == expected
    assert rows_of(ROWS)[0] == expected
    assert rows_of(iter(ROWS))[0] == expected


def test_pandas_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "user": [17850.0, None, 3.0],
            "item": ["a", "b", "c"],
            "time": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]).tz_localize(
                "Asia/Tokyo"
            ),
            "session": ["s", "t", None],
            "flag": pd.array([True, None, False], dtype="boolean"),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "tags": [["x", "y"], None, []],
            "group": pd.Categorical(["p", "q", "p"]),
        }
    )
    events, rejects = rows_of(frame)
    assert not rejects
    assert [event.user for event in events] == ["17850", "session:t", "3"]
    assert events[0].time == 1577804400 * 10**6
    assert events[0].fields == '{"flag":true,"group":"p","n":1,"session":"s","tags":["x","y"]}'
    named = frame.set_index("user")
    assert [event.user for event in rows_of(named)[0]] == ["17850", "session:t", "3"]


def test_many_members_and_padding_of_gzip():
    half = gzip.compress(b"user,item,time\nu,i,1300000000\n")
    more = gzip.compress(b"v,j,1300000001\n")
    events, rejects = rows_of(half + more + b"\0" * 100)
    assert [event.user for event in events] == ["u", "v"]
    assert not rejects


def test_two_colons_are_a_separator():
    events, _ = rows_of(
        b"1::1193::5::978300760\n1::661::3::978302109\n",
        mapping={"events": {"columns": ["user", "movie", "rating", "timestamp"]}},
    )
    assert [(event.user, event.item, event.value) for event in events] == [
        ("1", "1193", 5),
        ("1", "661", 3),
    ]


def test_quotes_newlines_and_windows_line_ends():
    data = b'id,title,note\r\n1,"a ""b"", c","two\r\nlines"\r\n\r\n2,5" pipe,"x"\r\n3,plain,y\r\n'
    events, rejects = rows_of(data, "items")
    assert not rejects
    assert [event.fields for event in events] == [
        '{"note":"two\\nlines","title":"a \\"b\\", c"}',
        '{"note":"x","title":"5\\" pipe"}',
        '{"note":"y","title":"plain"}',
    ]


def test_a_stray_quote_ends_with_its_line():
    lines = ['"Weird Al" Yankovic\tx', '"Heroes\ty', "plain\tz", 'end" of it\tw']
    data = "name\turl\n" + "".join(f"{line}\n" for line in lines)
    events, rejects = rows_of(data.encode(), "items", {"items": {"item": "name"}})
    assert not rejects
    assert [event.item for event in events] == [line.split("\t")[0] for line in lines]


def test_quoted_value_over_the_end_of_a_block():
    long = "word " * (BLOCK // 100)
    data = "id,text\n" + "".join(f'{n},"{long}\n{n}"\n' for n in range(30))
    assert len(data) > BLOCK
    events, rejects = rows_of(data.encode(), "items")
    assert not rejects
    assert [event.item for event in events] == [str(n) for n in range(30)]


def test_byte_order_marks_and_encodings():
    text = "user,item,time\nJosé,ñ,1300000000\n"
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        data = text.encode(encoding)
        mapping = {"encoding": "utf-16-le"} if encoding == "utf-16-le" else None
        events, rejects = rows_of(data, mapping=mapping)
        assert [(event.user, event.item) for event in events] == [("José", "ñ")], encoding
        assert not rejects
    events, rejects = rows_of(text.encode("latin-1"))
    assert not events
    assert "encoding" in rejects[0].expected
    assert rows_of(text.encode("latin-1"), mapping={"encoding": "latin-1"})[0][0].user == "José"


def test_headers_of_recbole():
    data = b"user_id:token\titem_id:token\ttimestamp:float\tprice:float\n1\t2\t978300760\t4.5\n"
    batch = next(read_events(data))
    assert (batch.events[0].user, batch.events[0].item) == ("1", "2")
    assert batch.events[0].fields == '{"price":"4.5"}'
    assert batch.types == {("interaction", "price"): "number"}


def test_large_files_come_in_batches_with_row_numbers():
    count = 120_001
    data = "user,item,time\n" + "".join(f"u{n},i{n % 7},{1300000000 + n}\n" for n in range(count))
    batches = list(read_events(data.encode()))
    assert sum(len(batch.events) for batch in batches) == count
    assert max(len(batch.events) for batch in batches) <= 50_000
    assert [int(row) for batch in batches for row in batch.rows] == list(range(1, count + 1))
    assert batches[-1].consumed == batches[-1].size == len(data)


# -- what cannot be read


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError):
        rows_of(tmp_path / "nothing.csv")
    with pytest.raises(InputError):
        rows_of(tmp_path)
    with pytest.raises(InputError):
        rows_of(io.StringIO("user,item\n"))
    with pytest.raises(InputError):
        rows_of(5)


def test_a_header_without_rows_gives_no_events():
    assert rows_of(b"user,item,time\n") == ([], [])
    assert rows_of(b"user,item,time") == ([], [])
    assert rows_of([]) == ([], [])
    assert rows_of(pl.DataFrame(schema={"user": pl.String, "item": pl.String})) == ([], [])


def test_a_long_line_is_skipped_without_being_held():
    class Endless(io.RawIOBase):
        """A header, a row, a line of 200 MB, another row; made as it is read."""

        def __init__(self):
            self.parts = iter(
                [b"user,item,time\nu,i,1300000000\n", *([b"x" * BLOCK] * 50), b"\nv,j,1300000001\n"]
            )

        def read(self, size=-1):
            return next(self.parts, b"")

    events, rejects = rows_of(Endless(), name="endless.csv")
    assert [event.user for event in events] == ["u", "v"]
    assert [(reject.row, reject.expected) for reject in rejects] == [
        (2, "a line of at most 1048576 bytes")
    ]
    assert len(rejects[0].value) <= 200


def test_line_limit_can_be_set():
    data = b"user,item,time\nu,i,1300000000\n" + b"w" * 100 + b",i,1300000000\nv,j,1300000001\n"
    events, rejects = rows_of(data, line_limit=50)
    assert [event.user for event in events] == ["u", "v"]
    assert rejects[0].row == 2


def test_a_zip_bomb_stays_small():
    packed = gzip.compress(b"user,item,time\n" + b"x" * (64 << 20) + b"\nu,i,1300000000\n")
    assert len(packed) < 1 << 20
    events, rejects = rows_of(packed)
    assert len(events) == len(rejects) == 1


# -- anything at all

SPECIAL = {"", *MISSING_WORDS, *FIELD_WORDS}
texts = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
    .map(lambda text: text.strip(BLANKS))
    .filter(lambda text: text not in SPECIAL and not text.endswith(".0"))
    .filter(lambda text: unambiguous_number(text) is None)  # such notes become numbers
)
usual = settings(max_examples=60)


@usual
@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=20), st.sampled_from(",;\t|"))
def test_csv_that_was_written_is_read_back(rows, separator):
    import csv

    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\n")
    writer.writerow(["user_id", "item_id", "note"])
    writer.writerows(rows)
    mapping = {"separator": separator}
    events, rejects = rows_of(buffer.getvalue().encode(), mapping=mapping)
    assert not rejects
    notes = pl.Series([event.fields for event in events], dtype=pl.String).str.json_path_match(
        "$.note"
    )
    ids = [(event.user, event.item) for event in events]
    assert [(*pair, note) for pair, note in zip(ids, notes, strict=True)] == rows
    dicts = [dict(zip(["user_id", "item_id", "note"], row, strict=True)) for row in rows]
    assert rows_of(dicts)[0] == events


@usual
@given(st.binary(max_size=400), st.sampled_from(["events", "items", "users", "facts"]))
def test_any_bytes_are_rejects_or_an_error(data, kind):
    try:
        events, rejects = rows_of(data, kind)
    except PlaitError as problem:
        assert problem.code in ("bad_input", "bad_mapping")  # noqa: PT017 either outcome is right
    else:
        assert len(events) + len(rejects) <= data.count(b"\n") + data.count(b"{") + 1


HEADERS = [
    b"user,item,time,value,position,event_type,id,x\n",
    b'{"user":"u","item":"i"}\n',
    b"PAR1",
]


@usual
@given(st.sampled_from(HEADERS), st.binary(max_size=400), st.booleans(), st.integers(0, 60))
def test_any_bytes_behind_a_header(header, data, pack, cut):
    data = header + data
    if pack:
        data = gzip.compress(data)[: -cut or None]
    try:
        events, _ = rows_of(data)
    except PlaitError:
        return
    assert all(event.user and event.item for event in events)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = ["user", "item", "time", "value", "position", "kind", "id", "price", "fields", "session"]


@usual
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), anything), max_size=8))
def test_any_dictionaries(rows):
    try:
        events, rejects = rows_of([{"user": "u", "item": "i", **row} for row in rows])
    except PlaitError:
        return
    assert len(events) + len(rejects) == len(rows)
