"""Arrays on disk are mapped whole or refused."""

import numpy as np
import pytest

from plait.errors import BundleError
from plait.pipeline.array_files import read_arrays, read_strings, write_arrays, write_strings


def test_round_trip_of_every_dtype_and_shape(tmp_path):
    kinds = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?")
    arrays = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
    arrays |= {"none": np.zeros(0, np.float32), "flat": np.zeros((3, 0), np.int64)}
    arrays |= {"turned": np.arange(6, dtype=np.float32).reshape(2, 3).T, "one": np.array(7)}
    write_arrays(tmp_path / "a", arrays)
    restored = read_arrays(tmp_path / "a")
    assert restored.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(restored[name], array)
        assert restored[name].dtype == array.dtype
        assert not restored[name].flags.writeable


def test_what_cannot_be_written_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_arrays(tmp_path / "nowhere" / "a", {"one": np.zeros(3)})


@pytest.mark.parametrize(
    "text", [b"", b"1234", b"\xff" * 40, b"\x02" + b"\0" * 7 + b"[]", b"\0" * 9]
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, text):
    (tmp_path / "a").write_bytes(text)
    with pytest.raises(BundleError, match="cannot read a"):
        read_arrays(tmp_path / "a")


def test_every_truncation_is_refused(tmp_path):
    write_arrays(tmp_path / "a", {"x": np.arange(4, dtype=np.int32)})
    whole = (tmp_path / "a").read_bytes()
    for size in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:size])
        with pytest.raises(BundleError):
            read_arrays(tmp_path / "b")


def test_words(tmp_path):
    write_strings(tmp_path / "w", ["a", "Übung", "红", "😀"])
    assert read_strings(tmp_path / "w") == ["a", "Übung", "红", "😀"]
    (tmp_path / "w").write_text("[1")
    with pytest.raises(BundleError, match="cannot read w"):
        read_strings(tmp_path / "w")
    with pytest.raises(BundleError, match="cannot read gone"):
        read_strings(tmp_path / "gone")
