"""What is not whole: cut off, flipped, damaged; compressed and Parquet."""

import gzip
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InputError, PlaitError
from plait.ingest import read_events
from tests.ingest.test_ingest_formats import ROWS, as_bytes, rows_of, usual, zstd


class Pipe(io.RawIOBase):
    """Bytes that come once and cannot go back."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def read(self, size=-1):
        return self.data.read(size)


def many(count):
    rows = (f"u{n * 7919},i{n},{1300000000 + n}\n" for n in range(count))
    return ("user,item,time\n" + "".join(rows)).encode()


@pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gz", "zst"])
def test_a_truncated_pipe_gives_what_can_be_read(pack):
    data = many(90_000)
    packed = pack(data)
    events, rejects = rows_of(Pipe(packed[: len(packed) * 2 // 3]), name="half.csv.gz")
    assert 10_000 < len(events) < 90_000
    assert events == rows_of(data, name="half.csv")[0][: len(events)]
    assert len(rejects) == 1
    assert rejects[0].row == 0
    assert f"row {len(events)}" in rejects[0].expected


def stored(data):
    """A gzip file of which every byte stands as it is: each flip is a row of its own."""
    return gzip.compress(data, compresslevel=0)


@pytest.mark.parametrize("take", [bytes, io.BytesIO, "path"], ids=["bytes", "stream", "path"])
@pytest.mark.parametrize("cut", [False, True], ids=["flipped", "truncated"])
@pytest.mark.parametrize("pack", [gzip.compress, stored, zstd], ids=["gz", "stored", "zst"])
def test_a_damaged_packed_file_is_refused_before_its_first_row(tmp_path, pack, cut, take):
    packed = bytearray(pack(many(2_000)))
    if cut:
        del packed[-3:]
    else:
        packed[len(packed) // 2] ^= 0x04
    source = tmp_path / "log.csv.gz" if take == "path" else take(bytes(packed))
    if take == "path":
        source.write_bytes(packed)
    with pytest.raises(InputError) as caught:
        read_events(source)
    assert "a whole compressed file" in caught.value.hint


def test_a_stream_is_read_from_where_it_stands():
    source = io.BytesIO(b"before" + gzip.compress(as_bytes("csv")))
    source.seek(6)
    assert rows_of(source)[0] == rows_of(as_bytes("csv"))[0]


def test_a_damaged_packed_pipe_is_one_reject():
    packed = bytearray(gzip.compress(many(200_000)))
    packed[-6] ^= 0xFF  # the checksum itself
    events, rejects = rows_of(Pipe(bytes(packed)), name="log.csv")
    assert 0 < len(events) < 200_000
    assert "compressed" in rejects[-1].expected


@pytest.mark.parametrize("data", [b"", gzip.compress(b"", mtime=0), b"\x1f\x8b\x08"])
def test_nothing_to_read(data):
    with pytest.raises(InputError):
        rows_of(data)


def test_truncated_parquet_is_refused():
    with pytest.raises(InputError):
        rows_of(as_bytes("parquet")[:-20])


def test_parquet_that_aborts_its_reader_is_refused():
    """A page that claims to hold 2**61 values: polars asks for the memory, and ends its process."""
    with pytest.raises(InputError):
        rows_of(Path(__file__).parent / "damaged" / "pages.parquet")


@pytest.mark.parametrize("groups", [1, 3])
def test_parquet_damaged_behind_its_first_rows_gives_none_of_them(groups):
    buffer = io.BytesIO()
    pl.DataFrame(ROWS * 100).write_parquet(buffer, row_group_size=300 // groups)
    data = bytearray(buffer.getvalue())
    assert len(rows_of(bytes(data))[0]) == 300
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[end // 2 : end] = bytes(end - end // 2)
    with pytest.raises(InputError):
        read_events(bytes(data))


PARQUET = as_bytes("parquet")


@settings(usual, max_examples=12)
@given(st.lists(st.tuples(st.integers(4, len(PARQUET) - 5), st.integers(1, 255)), min_size=1))
def test_a_damaged_parquet_file_is_rows_or_an_error(flips):
    data = bytearray(PARQUET)
    for position, mask in flips:
        data[position] ^= mask
    try:
        events, _ = rows_of(bytes(data))
    except PlaitError:
        return
    assert all(event.user and event.item for event in events)
