"""Tests of co-occurrence counts against plain loops, whole and block by block."""

from collections import Counter
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
        times = Counter(item for basket in baskets for item in basket)
        repeated = {item: np.log2(1 + count) / count for item, count in times.items()}
        for position, early in enumerate(baskets):
            for distance, late in enumerate(baskets[position : position + config.window + 1]):
                weight = share * (len(early) * len(late)) ** -config.basket_norm
                for source in early:
                    for target in late:
                        pair_weight = weight * repeated[source] * repeated[target]
                        if distance:
                            discounted = pair_weight * config.discount ** (distance - 1)
                            counts[source, target] += discounted
                            counts[target, source] += config.backward * discounted
                        elif source != target:
                            counts[source, target] += pair_weight
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


def test_what_one_user_repeats_counts_by_its_logarithm_and_ends_below_ten_users():
    """An account that buys two items in turn, ever more often, and ten that buy them once."""
    config = PairConfig(damp_long_histories=False)
    pairs = []
    for turns in (1, 10, 100, 1000):
        log = [("fan", item, turn + step / 2) for turn in range(turns) for step, item in steps()]
        pairs.append(cooccurrence_matrix(make_dataset(log), config)[0, 1])
    many = [(f"u{user}", item, step) for user in range(10) for step, item in steps()]
    assert max(pairs) < cooccurrence_matrix(make_dataset(many), config)[0, 1]
    assert pairs[3] < pairs[2]


def steps():
    """Two items one after another."""
    return enumerate(("first", "second"))
