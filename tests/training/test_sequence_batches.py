"""Histories as batches: nothing lost, nothing doubled, similar lengths together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.data.types import History
from plait.training.sequence_batches import PADDING, SequenceBatches, Sequences, padded

item_rows = st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=20)


def history(rows):
    """One event a second."""
    lengths = np.array([len(row) for row in rows], np.int64)
    items = np.array([item for row in rows for item in row], np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    times = np.arange(len(items), dtype=np.int64) * 1_000_000
    return History(offsets, items, times, np.ones(len(items), np.float32))


def table_rows(known=5):
    """Item i has row i + 1; items from `known` on have none."""
    return np.where(np.arange(7) < known, np.arange(1, 8), PADDING).astype(np.int32)


@given(item_rows, st.integers(1, 6), st.integers(1, 3))
def test_sequences_hold_the_newest_known_events_in_order(rows, max_length, min_length):
    sequences = Sequences.of(history(rows), table_rows(), max_length, min_length)
    expected = {
        source: [item + 1 for item in row if item < 5][-max_length:]
        for source, row in enumerate(rows)
    }
    expected = {source: row for source, row in expected.items() if len(row) >= min_length}
    assert sequences.sources.tolist() == list(expected)
    for number, row in enumerate(expected.values()):
        low, high = sequences.offsets[number], sequences.offsets[number + 1]
        assert sequences.items[low:high].tolist() == row


@given(item_rows, st.integers(1, 5), st.integers(0, 3), st.integers(0, 4))
def test_an_epoch_yields_each_sequence_once_and_can_start_at_any_batch(rows, size, number, start):
    sequences = Sequences.of(history(rows), table_rows(7), 9)
    batches = SequenceBatches(sequences, size, timed=True, seed=1)
    epoch = list(batches.epoch(number))
    assert len(epoch) == len(batches)
    yielded = [tuple(row[row > 0]) for batch in epoch for row in batch["items"]]
    matrix, _ = sequences.take(np.arange(len(sequences)))
    assert sorted(yielded) == sorted(tuple(row[row > 0]) for row in matrix)
    for batch in epoch:
        assert (batch["items"][:, -1] != PADDING).any()  # no wider than its longest row
        assert batch["items"].shape == batch["seconds"].shape
    for resumed, batch in zip(batches.epoch(number, start), epoch[start:], strict=True):
        np.testing.assert_array_equal(resumed["items"], batch["items"])


@given(item_rows, st.integers(1, 5), st.integers(2, 5), st.integers(0, 3))
def test_cut_histories_predict_each_event_but_the_oldest_once(rows, size, max_length, number):
    long = [row * 3 for row in rows]
    sequences = Sequences.of(history(long), table_rows(7))
    batches = SequenceBatches(sequences, size, timed=True, seed=1, max_length=max_length)
    epoch = list(batches.epoch(number))
    assert len(epoch) == len(batches)
    predicted = [
        second
        for batch in epoch
        for row, items in zip(batch["seconds"], batch["items"], strict=True)
        for second in row[items > 0][1:]
    ]
    starts = sequences.offsets[:-1]
    expected = np.delete(sequences.seconds, starts)
    assert sorted(predicted) == sorted(expected)
    assert all(batch["items"].shape[1] <= max_length for batch in epoch)


def test_a_very_long_history_gives_its_newest_row_and_a_few_older_ones():
    sequences = Sequences.of(history([[1, 2] * 500, [3, 4]]), table_rows(7))
    batches = SequenceBatches(sequences, 4, timed=True, max_length=11, max_rows=5)
    for number in range(3):
        rows = [row for batch in batches.epoch(number) for row in batch["seconds"]]
        assert len(rows) == 6
        assert max(row.max() for row in rows if row.max() < 1000) == 999
    assert batches.largest == (4, 11)


def test_batches_of_long_rows_have_fewer_rows():
    long = Sequences.of(history([[1, 2] * 200] * 64), table_rows(7))
    short = Sequences.of(history([[1, 2] * 4] * 64), table_rows(7))
    sizes = [
        SequenceBatches(sequences, 48, timed=False, max_length=201).largest[0]
        for sequences in (long, short)
    ]
    assert sizes == [20, 48]


def test_epochs_differ_and_batches_have_little_padding():
    random = np.random.default_rng(0)
    rows = [random.integers(0, 7, random.integers(2, 40)).tolist() for _ in range(2000)]
    sequences = Sequences.of(history(rows), table_rows(7), 40)
    batches = SequenceBatches(sequences, 16, timed=False)
    first, second = ([batch["items"] for batch in batches.epoch(number)] for number in (0, 1))
    assert any(
        left.shape != right.shape or (left != right).any()
        for left, right in zip(first, second, strict=True)
    )
    assert sum(items.size for items in first) < 1.1 * len(sequences.items)
    lengths = [items.shape[1] for items in first]
    assert lengths != sorted(lengths)  # long and short batches take turns


def test_mapped_sequences_equal_those_in_memory(tmp_path):
    sequences = Sequences.of(history([[1, 2, 3], [4, 1]]), table_rows(), 9)
    mapped = sequences.mapped(tmp_path / "deep" / "rows.safetensors")
    np.testing.assert_array_equal(mapped.take(np.array([1, 0]))[0], [[5, 2, 0], [2, 3, 4]])
    assert not mapped.items.flags.writeable


def test_padded_rows_are_padded_at_the_end():
    matrix = padded(np.array([7, 8, 9]), np.array([0, 1, 3]), np.array([1, 2, 0]))
    assert matrix.tolist() == [[7, 0], [8, 9], [0, 0]]
