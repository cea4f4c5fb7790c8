"""A damaged .npz file is a ValueError, whatever is damaged; readers make an InputError of it."""

import io
import random
import zipfile

import numpy as np
import pytest

from plait.errors import InputError
from plait.evaluation.results.per_query_metrics import read_per_query
from plait.utils.npz_files import read_npz


def packed(**arrays):
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def header_of(shape):
    """The beginning of an array file that claims a shape."""
    text = str({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive_of(content):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("ids.npy", content)
    return target.getvalue()


WHOLE = packed(ids=np.array(["a", "b"]), vectors=np.random.default_rng(0).random((2, 40)))


def test_arrays_come_back(tmp_path):
    (tmp_path / "a.npz").write_bytes(WHOLE)
    arrays = read_npz(tmp_path / "a.npz")
    assert arrays["ids"].tolist() == ["a", "b"]
    assert arrays["vectors"].shape == (2, 40)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        header_of((4,)) + bytes(16),
        archive_of(header_of((10**13,)) + bytes(64)),
        archive_of(header_of((-1,)) + bytes(64)),
        archive_of(b"[" * 1000),
        b"\x80\x04K\x01.",
    ],
    ids=["empty", "cut", "one array", "36 TiB", "negative", "no array", "pickle"],
)
def test_what_is_no_archive_of_arrays_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011  its words are those of numpy
        read_npz(path)
    with pytest.raises(InputError):
        read_per_query(path)


def test_damaged_bytes_are_refused_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    rng = random.Random(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(WHOLE)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            read_npz(path)
        except ValueError:
            refused += 1
    assert refused > 200
