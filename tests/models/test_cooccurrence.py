"""Tests of co-occurrence counts against plain loops, whole and block by block."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plait.models.item_item.cooccurrence_counts import (
    CooccurrenceCounts,
    PairConfig,
    cooccurrence_matrix,
)
from plait.testing.synthetic_data import make_dataset

settings = st.builds(
    PairConfig,
    window=st.integers(0, 4),
    discount=st.floats(0.1, 1.0),
    backward=st.floats(0.0, 1.0),
    basket_norm=st.floats(0.0, 1.0),
    damp_long_histories=st.booleans(),
)
logs = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=40
)


def by_hand(dataset, config):
    """Every pair of baskets of every user, one after another."""
    interactions = dataset.interactions
    counts = np.zeros((dataset.n_items, dataset.n_items))
    events = zip(
        interactions.users.tolist(),
        interactions.times.tolist(),
        interactions.items.tolist(),
        strict=True,
    )
    for _, group in groupby(events, key=lambda event: event[0]):
        user_events = list(group)
        share = 1 / np.log1p(len(user_events)) if config.damp_long_histories else 1.0
        baskets = [
            sorted({item for *_, item in basket})
            for _, basket in groupby(user_events, lambda event: event[1])
        ]
        for position, early in enumerate(baskets):
            for distance, late in enumerate(baskets[position : position + config.window + 1]):
                weight = share * (len(early) * len(late)) ** -config.basket_norm
                for source in early:
                    for target in late:
                        if distance:
                            discounted = weight * config.discount ** (distance - 1)
                            counts[source, target] += discounted
                            counts[target, source] += config.backward * discounted
                        elif source != target:
                            counts[source, target] += weight
    return counts


@given(logs, settings)
def test_counts_equal_plain_loops_whole_and_in_blocks(log, config):
    dataset = make_dataset([(f"user-{user}", f"item-{item}", day) for user, item, day in log])
    expected = by_hand(dataset, config)
    assert cooccurrence_matrix(dataset, config).toarray() == pytest.approx(expected, abs=1e-5)
    counts = CooccurrenceCounts.of(dataset, config)
    blocks = [slice(start, start + 2) for start in range(0, dataset.n_items, 2)]
    for blockwise, matrix in ((counts, expected), (counts.transposed, expected.T)):
        rows = sparse.vstack([blockwise.rows(block) for block in blocks]).toarray()
        assert rows == pytest.approx(matrix, abs=1e-5)
