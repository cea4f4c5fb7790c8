"""Values written by their declared types come back equal; anything else is refused."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plait.data.array_types import Float32Array, Int64Array
from plait.data.ragged import Ragged
from plait.errors import BundleError
from plait.features.item_vocabulary import Vocabulary
from plait.features.tfidf import Tfidf, TfidfConfig
from plait.pipeline.fitted_state import ARRAYS_FILE, STATE_FILE, read_state, write_state
from plait.pipeline.stage import Stage


@dataclass(frozen=True)
class Factors:
    vectors: Float32Array
    epochs: int


@dataclass(frozen=True)
class Constant:
    score: float


def round_trip(folder, value, hint):
    write_state(folder, {"value": value}, {"value": hint})
    return read_state(folder, {"value": hint})["value"]


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("words, 词", str),
        (3, int),
        (0.1, float),
        (np.float64(0.1), float),
        (True, bool),
        (None, None),
        (None, float | None),
        (2.5, float | None),
        ("log", Literal["log", "rank"]),
        (("a", "b"), tuple[str, ...]),
        (["a", "b"], list[str]),
        (("a", "b"), Sequence[str]),
        ((1, "a", None), tuple[int, str, str | None]),
        ({"a": 1, "b": 2}, dict[str, int]),
        ({7: [0.5], 8: []}, Mapping[int, list[float]]),
        ({"width": 4, "kind": "hstu", "tied": True}, dict[str, int | str | bool]),
        (Constant(1.0), Constant | Factors),
        ([Constant(1.0), Constant(2.0)], list[Constant]),
        ((2, True), tuple[float | bool, ...]),
        ((), tuple[str, ...]),
        ({}, dict[str, Float32Array]),
    ],
)
def test_values_without_arrays_come_back_equal(tmp_path, value, hint):
    restored = round_trip(tmp_path, value, hint)
    assert restored == value
    assert type(restored) is (type(value.item()) if isinstance(value, np.generic) else type(value))
    assert not (tmp_path / ARRAYS_FILE).exists()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint64, np.bool_, np.int8])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (0, 4)])
def test_arrays_keep_dtype_and_shape_and_are_mapped(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    restored = round_trip(tmp_path, array, np.ndarray)
    np.testing.assert_array_equal(restored, array)
    assert (restored.dtype, restored.shape) == (array.dtype, array.shape)
    assert not restored.flags.owndata
    assert not restored.flags.writeable


def test_mapping_of_arrays_whose_names_have_dots_comes_back_equal(tmp_path):
    weights = {"layers.0.bias": np.ones(2, np.float32), "layers": np.zeros(1, np.float32)}
    restored = round_trip(tmp_path, weights, Mapping[str, Float32Array])
    assert list(restored) == list(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(restored[name], array)


@pytest.mark.parametrize("shape", [(0, 0), (3, 5)])
def test_csr_matrix_comes_back_equal(tmp_path, shape):
    matrix = sparse.random(*shape, density=0.4, format="csr", dtype=np.float32, random_state=0)
    restored = round_trip(tmp_path, matrix, sparse.csr_matrix)
    assert isinstance(restored, sparse.csr_matrix)
    assert restored.shape == shape
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored.toarray(), matrix.toarray())


def test_nested_dataclasses_of_the_package_come_back_equal(tmp_path):
    words = Tfidf(TfidfConfig(min_df=3), {"red": 0, "mug": 1}, np.ones(2, np.float32))
    rows = Ragged.from_rows([[1, 2], [], [3]])
    items = Vocabulary(np.arange(2, dtype=np.int32), np.zeros(3, np.int32), np.ones(2, np.int64))
    declared = {"words": Tfidf | None, "rows": Ragged, "items": Vocabulary}
    write_state(tmp_path, {"words": words, "rows": rows, "items": items}, declared)
    restored = read_state(tmp_path, declared)
    assert restored["words"].config == words.config
    assert restored["words"].vocabulary == words.vocabulary
    np.testing.assert_array_equal(restored["words"].idf, words.idf)
    np.testing.assert_array_equal(restored["rows"].offsets, rows.offsets)
    np.testing.assert_array_equal(restored["items"].counts, items.counts)


def test_member_of_a_union_keeps_its_type(tmp_path):
    factors = Factors(np.ones((2, 2), np.float32), 4)
    restored = round_trip(tmp_path, factors, Constant | Factors | None)
    assert isinstance(restored, Factors)
    np.testing.assert_array_equal(restored.vectors, factors.vectors)


NESTED = st.dictionaries(st.text(), st.lists(st.tuples(st.text(), st.floats(allow_nan=False))))


@given(NESTED)
def test_any_nested_values_come_back_equal(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("state")
    assert round_trip(folder, value, dict[str, list[tuple[str, float]]]) == value


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("3", int),
        (True, int),
        (1, bool),
        (1.5, int),
        ("abc", tuple[str, ...]),
        (("a",), tuple[str, str]),
        ({1: "a"}, dict[str, str]),
        (np.ones(2), Float32Array),
        ([1.0], Float32Array),
        (np.array(1.0, np.float32), Float32Array),
        (np.ones((2, 2)), sparse.csr_matrix),
        ("sqrt", Literal["log", "rank"]),
        (Constant(1.0), Factors | str),
        ({"a"}, set[str]),
        (object(), Any),
        ({(1, 2): 3}, dict[tuple[int, int], int]),
    ],
)
def test_value_of_another_type_is_refused_when_it_is_written(tmp_path, value, hint):
    with pytest.raises((TypeError, ValueError)):
        round_trip(tmp_path, value, hint)
    assert not (tmp_path / STATE_FILE).exists()


class Shares(Stage):
    """A stage that declares its state and nothing else."""

    fitted_state: ClassVar = {"shares": Float32Array, "order": Int64Array, "words": tuple[str, ...]}

    def __init__(self, config=None, *, name=""):
        super().__init__(config, name=name)
        self.shares = np.ones(3, np.float32)
        self.order = np.arange(3)
        self.words = ("a", "b")


def test_stage_saves_and_loads_its_declared_attributes(tmp_path):
    stage = Shares(name="mine")
    stage.shares = np.array([1.5, 2.5], np.float32)
    stage.save(tmp_path)
    loaded = Shares.load(stage.config, stage.name, tmp_path)
    assert (loaded.name, loaded.words) == ("mine", ("a", "b"))
    np.testing.assert_array_equal(loaded.shares, stage.shares)


def test_clone_has_settings_and_name_but_no_fitted_state():
    stage = Shares(name="mine")
    stage.words = ("c",)
    clone = stage.clone()
    assert (clone.name, clone.config, clone.words) == ("mine", stage.config, ("a", "b"))


def remove_arrays(folder):
    (folder / ARRAYS_FILE).unlink()


def truncate_arrays(folder):
    path = folder / ARRAYS_FILE
    path.write_bytes(path.read_bytes()[:-8])


def remove_document(folder):
    (folder / STATE_FILE).unlink()


def edit_document(**changes):
    def edit(folder):
        path = folder / STATE_FILE
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def drop_attribute(folder):
    (folder / STATE_FILE).write_text(json.dumps({"shares": "shares", "order": "order"}))


@pytest.mark.parametrize(
    "damage",
    [
        remove_arrays,
        truncate_arrays,
        remove_document,
        drop_attribute,
        edit_document(words="ab"),
        edit_document(words=["a", 1]),
        edit_document(words=None),
        edit_document(shares="order"),
        edit_document(shares=["shares"]),
        lambda folder: (folder / STATE_FILE).write_text("[1, 2"),
        lambda folder: (folder / STATE_FILE).write_text("[1, 2]"),
        lambda folder: (folder / STATE_FILE).write_bytes(b"\xff"),
    ],
)
def test_damaged_or_missing_state_is_a_bundle_error(tmp_path, damage):
    Shares().save(tmp_path)
    damage(tmp_path)
    with pytest.raises(BundleError) as failure:
        Shares.load(None, "shares", tmp_path)
    assert failure.value.hint == "fit again"


@pytest.mark.parametrize("declared", [{"value": int, "other": int}, {"value": str}])
def test_state_of_another_version_is_refused_by_the_name_of_its_stage(declared, tmp_path):
    folder = tmp_path / "neighbours"
    folder.mkdir()
    write_state(folder, {"value": 1}, {"value": int})
    with pytest.raises(BundleError) as caught:
        read_state(folder, declared)
    assert "neighbours" in str(caught.value)
