"""Histories as batches: nothing lost, nothing doubled, similar lengths together."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import History
from plait.training.sequence_batches import PADDING, SequenceBatches, Sequences, padded

rows_of_items = st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=20)


def history(rows):
    """An event a second."""
    lengths = np.array([len(row) for row in rows], np.int64)
    items = np.array([one for row in rows for one in row], np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = np.arange(len(items), dtype=np.int64) * 1_000_000
    return History(offsets, items, times, np.ones(len(items), np.float32))


def rows(known=5):
    """Item i has row i + 1; from `known` on they have none."""
    return np.where(np.arange(7) < known, np.arange(1, 8), PADDING).astype(np.int32)


@settings(deadline=None)
@given(rows_of_items, st.integers(1, 6), st.integers(1, 3))
def test_rows_hold_the_newest_known_events_in_order(listed, longest, least):
    found = Sequences.of(history(listed), rows(), longest, least)
    expected = {
        source: [one + 1 for one in row if one < 5][-longest:] for source, row in enumerate(listed)
    }
    expected = {source: row for source, row in expected.items() if len(row) >= least}
    assert found.sources.tolist() == list(expected)
    for place, row in enumerate(expected.values()):
        low, high = found.offsets[place], found.offsets[place + 1]
        assert found.items[low:high].tolist() == row


@settings(deadline=None)
@given(rows_of_items, st.integers(1, 5), st.integers(0, 3), st.integers(0, 4))
def test_an_epoch_shows_each_row_once_and_can_be_taken_up(listed, size, number, start):
    found = Sequences.of(history(listed), rows(7), 9)
    batches = SequenceBatches(found, size, timed=True, seed=1)
    whole = list(batches.epoch(number))
    assert len(whole) == len(batches)
    shown = [tuple(one[one > 0]) for batch in whole for one in batch["items"]]
    assert sorted(shown) == sorted(
        tuple(one[one > 0]) for one in found.take(np.arange(len(found)))[0]
    )
    for batch in whole:
        assert (batch["items"][:, -1] != PADDING).any()  # no wider than its longest row
        assert batch["items"].shape == batch["seconds"].shape
    again = list(batches.epoch(number, start))
    for mine, theirs in zip(again, whole[start:], strict=True):
        np.testing.assert_array_equal(mine["items"], theirs["items"])


def test_epochs_differ_and_batches_waste_little():
    random = np.random.default_rng(0)
    listed = [random.integers(0, 7, random.integers(2, 40)).tolist() for _ in range(2000)]
    found = Sequences.of(history(listed), rows(7), 40)
    batches = SequenceBatches(found, 16, timed=False)
    first, second = ([one["items"] for one in batches.epoch(number)] for number in (0, 1))
    assert any(
        one.shape != other.shape or (one != other).any()
        for one, other in zip(first, second, strict=True)
    )
    cells = sum(one.size for one in first)
    assert cells < 1.1 * len(found.items)
    lengths = [one.shape[1] for one in first]
    assert lengths != sorted(lengths)  # long and short batches take turns


def test_rows_in_a_file_are_the_same(tmp_path):
    found = Sequences.of(history([[1, 2, 3], [4, 1]]), rows(), 9)
    there = found.mapped(tmp_path / "deep" / "rows.safetensors")
    np.testing.assert_array_equal(there.take(np.array([1, 0]))[0], [[5, 2, 0], [2, 3, 4]])
    assert not there.items.flags.writeable
    assert found.nbytes == there.nbytes


def test_padding_stands_behind():
    found = padded(np.array([7, 8, 9]), np.array([0, 1, 3]), np.array([1, 2, 0]))
    assert found.tolist() == [[7, 0], [8, 9], [0, 0]]
