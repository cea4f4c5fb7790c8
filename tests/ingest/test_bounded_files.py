"""Small files that unpack to, or claim, far too much are fast, bounded or refused."""

import gzip
import json
import os
import threading

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError
from plait.ingest import named_pipes, row_limit
from plait.ingest.column_mapping import ColumnMapping
from plait.ingest.json_array import BLOCK, array_parts
from plait.ingest.jsonlines import read_array
from plait.ingest.row_reader import RowReader

JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text('ab,[]{}\\"\n é', max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('a\\"]', max_size=2), inner)
    ),
    max_leaves=12,
)


def read(source, **mapping):
    return [
        list(row)
        for chunk in RowReader(source, "file", ColumnMapping(**mapping)).chunks()
        for row in zip(*(chunk.column(name).to_list() for name in chunk.names), strict=True)
    ]


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (b"user,item\na,b\n", b"c,d\n"),
        (b'user,item\n"a",b\n', b'c,"d"\n'),
        (b'{"user":"a","item":"b"}\n', b'{"user":"c","item":"d"}\n'),
    ],
    ids=["csv", "quoted", "jsonl"],
)
def test_blank_lines_between_rows_do_not_count_however_many(head, tail):
    packed = gzip.compress(head + b"\n" * 5_000_000 + tail, 1)
    assert read(packed) == [["a", "b"], ["c", "d"]]


def test_blank_lines_within_a_quoted_value_stay():
    value = "x" + "\n" * 1000 + "y"
    assert read(f'user,item\n"{value}",b\n\n\n"c",d\n'.encode()) == [[value, "b"], ["c", "d"]]


@settings(max_examples=40)
@given(st.lists(JSON, max_size=8))
def test_array_parts_hold_the_elements_of_any_array(values):
    text = f" {json.dumps(values, ensure_ascii=False)}\n".encode()
    assert [row for part in array_parts(text) for row in orjson.loads(part)] == values


def test_array_parts_of_a_long_array_are_several():
    values = [{"a": "],[" * 50, "n": n} for n in range(20_000)]
    parts = list(array_parts(orjson.dumps(values)))
    assert len(parts) > 2
    assert [row for part in parts for row in orjson.loads(part)] == values


@pytest.mark.parametrize(
    "text", [b"[1,]", b"[,1]", b"[1,,2]", b"[1", b"[1]]", b"[1]2", b"{}", b'["a]', b"[[1]", b"[}"]
)
def test_malformed_array_is_refused_before_its_first_row(text):
    with pytest.raises(InputError):
        read_array([text], "file")


def test_parts_of_an_array_of_empty_objects_are_small():
    parts = list(array_parts(b"[" + b"{}," * 1_000_000 + b"{}]"))
    assert sum(part.count(b"{}") for part in parts) == 1_000_001
    assert max(map(len, parts)) <= BLOCK + 8
    assert len(next(read_array([b"[", b"{}," * 100_000, b"{}]"], "file")).rows) == 50_000


def test_parquet_that_claims_too_many_rows_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(row_limit, "ROWS_OF_ANY_FILE", 100_000)
    path = tmp_path / "equal.parquet"
    columns = {"user": "u", "item": "i", "time": 1_700_000_000}
    repeated = [pl.repeat(value, 300_000).alias(name) for name, value in columns.items()]
    pl.select(repeated).write_parquet(path)
    with pytest.raises(InputError) as refused:
        read(path)
    assert refused.value.field == "max_rows"
    assert len(read(path, max_rows=300_000)) == 300_000


def test_packed_rows_beyond_what_the_file_can_hold_are_refused(monkeypatch):
    monkeypatch.setattr(row_limit, "ROWS_OF_ANY_FILE", 100_000)
    packed = gzip.compress(b"user,item\n" + b"a,b\n" * 300_000)
    with pytest.raises(InputError) as refused:
        read(packed)
    assert refused.value.field == "max_rows"
    assert len(read(packed, max_rows=300_000)) == 300_000


def test_fifo_without_a_writer_ends_with_a_message(tmp_path, monkeypatch):
    monkeypatch.setattr(named_pipes, "WRITER_SECONDS", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InputError) as refused:
        read(path)
    assert str(path) in refused.value.message
    assert not [thread for thread in threading.enumerate() if thread.name == "plait-fifo"]


def test_fifo_with_a_slow_writer_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(named_pipes, "WRITER_SECONDS", 5)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"user,item\na,b\n",))
    writer.start()
    assert read(path) == [["a", "b"]]
    writer.join()
