"""Pairs of items against a count by hand, whole and block by block."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plait.models.item_item.cooccurrence import CooccurrenceCounts, PairConfig, pairs
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
    found = dataset.interactions
    counted = np.zeros((dataset.n_items, dataset.n_items))
    events = zip(found.users.tolist(), found.times.tolist(), found.items.tolist(), strict=True)
    for _, mine in groupby(events, key=lambda event: event[0]):
        taken = list(mine)
        share = 1 / np.log1p(len(taken)) if config.damp_long_histories else 1.0
        baskets = [sorted({item for *_, item in one}) for _, one in groupby(taken, lambda e: e[1])]
        for place, early in enumerate(baskets):
            for distance, late in enumerate(baskets[place : place + config.window + 1]):
                each = share * (len(early) * len(late)) ** -config.basket_norm
                for one in early:
                    for other in late:
                        if distance:
                            worth = each * config.discount ** (distance - 1)
                            counted[one, other] += worth
                            counted[other, one] += config.backward * worth
                        elif one != other:
                            counted[one, other] += each
    return counted


@given(logs, settings)
def test_pairs_are_those_of_a_count_by_hand(log, config):
    dataset = make_dataset([(f"user-{user}", f"item-{item}", day) for user, item, day in log])
    wanted = by_hand(dataset, config)
    assert pairs(dataset, config).toarray() == pytest.approx(wanted, abs=1e-5)
    counted = CooccurrenceCounts.of(dataset, config)
    blocks = [slice(start, start + 2) for start in range(0, dataset.n_items, 2)]
    for one, right in ((counted, wanted), (counted.turned, wanted.T)):
        found = sparse.vstack([one.rows(block) for block in blocks]).toarray()
        assert found == pytest.approx(right, abs=1e-5)
