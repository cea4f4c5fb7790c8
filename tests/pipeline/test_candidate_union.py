"""The union: every candidate once, by number, with its place in what each strand brought."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.pipeline.candidate_union import unite


@st.composite
def brought(draw):
    batch = draw(st.integers(0, 4))
    lists = {}
    for name in ("a", "b", "c")[: draw(st.integers(1, 3))]:
        width = draw(st.integers(0, 5))
        rows = np.full((batch, width), -1, np.int32)
        for row in range(batch):
            numbers = draw(st.lists(st.integers(0, 8), max_size=width, unique=True))
            rows[row, : len(numbers)] = numbers
        lists[name] = rows
    return lists, batch


@given(brought())
def test_union_against_sets(case):
    lists, batch = case
    items = unite(lists, batch)
    for row in range(batch):
        expected = sorted(
            {number for rows in lists.values() for number in rows[row].tolist()} - {-1}
        )
        numbers = items.item_numbers[row].tolist()
        assert numbers == expected + [-1] * (len(numbers) - len(expected))
        for name, rows in lists.items():
            ranks = items.column(f"{name}.rank")[row].tolist()
            candidates = rows[row].tolist()
            assert ranks == [
                candidates.index(number) if number in candidates and number >= 0 else -1
                for number in numbers
            ]


def test_nothing_brought():
    assert unite({}, 3).shape == (3, 0)
    empty = unite({"a": np.zeros((2, 0), np.int32)}, 2)
    assert empty.column("a.rank").shape == (2, 0)


def test_large_numbers_keep_apart():
    far = np.array([[2**31 - 1, 0]], np.int32)
    assert unite({"a": far, "b": far[:, ::-1].copy()}, 1).item_numbers.tolist() == [[0, 2**31 - 1]]
