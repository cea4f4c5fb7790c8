"""The sparse variant of linear against the dense one and against the pairs it is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plait.errors import PlaitError
from plait.features.blockwise import blocks, gram_top_entries, row_topk_mask
from plait.features.interactions import interaction_matrix
from plait.models.item_item.cooccurrence import PairConfig, pairs
from plait.models.item_item.linear import Linear, LinearConfig
from plait.models.item_item.sparse_ridge import sparse_ridge
from plait.testing.queries import ask, scores
from plait.testing.synthetic_data import clock, make_dataset, market


def weights(stage, dataset):
    """What every item alone gives to every item, NaN as 0."""
    ids = dataset.catalogue.ids
    queries = ask(dataset.catalogue, *[[one] for one in ids])
    return np.nan_to_num(scores(stage, queries, dataset.catalogue, *ids))


def linear(dataset, **settings):
    return Linear(LinearConfig(**{"l2": 5.0, **settings}), name="linear").fit(dataset)


def test_where_all_items_meet_both_variants_are_one():
    random = np.random.default_rng(0)
    events = [
        (f"user-{user}", f"item-{item}", day)
        for user in range(60)
        for day, item in enumerate(random.permutation(6)[:4])
    ]
    dataset = make_dataset(events)
    for order in (True, False):
        dense = weights(linear(dataset, order_aware=order, method="dense", backward=1.0), dataset)
        found = weights(linear(dataset, order_aware=order, method="sparse", backward=1.0), dataset)
        assert found == pytest.approx(dense, abs=1e-4)
        assert (dense > 0).sum() > 20


def crowd(items=1100, users=900, longest=12):
    """Users who take what they like, some things more than others: more than a block of items."""
    random = np.random.default_rng(1)
    events = [
        (f"user-{user}", f"item-{int(random.random() ** 2 * items)}", day)
        for user in range(users)
        for day in range(random.integers(1, longest))
    ]
    return make_dataset([*events, *[("hoarder", f"item-{item}", 0) for item in range(items)]])


@pytest.mark.parametrize("order", [True, False])
def test_every_item_is_the_ridge_regression_on_those_that_come_with_it_most(order):
    dataset, config, among = crowd(), PairConfig(), 4
    found = sparse_ridge(dataset, config, l2=5.0, among=among, order=order).toarray()
    gram = gram_top_entries(interaction_matrix(dataset), 400).toarray().astype(np.float64)
    wanted = pairs(dataset, config).toarray().T if order else gram
    for item in range(dataset.n_items):
        rank = wanted[item] / np.sqrt(np.diag(gram))
        rank[item] = 0
        beside = np.setdiff1d(np.flatnonzero(found[:, item]), [item])
        chosen = np.sort([*beside, item]) if order else beside
        assert len(beside) == min(among, np.count_nonzero(rank))
        assert order or not found[item, item]
        assert rank[beside].min(initial=np.inf) >= np.delete(rank, beside).max() - 1e-6
        exact = np.linalg.solve(
            gram[np.ix_(chosen, chosen)] + 5 * np.eye(len(chosen)), wanted[item, chosen]
        )
        assert found[chosen, item] == pytest.approx(exact, rel=1e-4, abs=1e-5)


def test_threads_change_nothing():
    dataset = crowd()
    assert len(blocks(np.bincount(dataset.interactions.items))) > 2
    alone, many = (
        sparse_ridge(dataset, PairConfig(), l2=5.0, among=4, order=True, threads=threads)
        for threads in (1, 3)
    )
    assert (alone != many).nnz == 0
    assert alone.nnz > dataset.n_items


@given(st.lists(st.sampled_from([0, 1, 100, 60_000, 500_000]), max_size=40), st.integers(0, 1500))
def test_blocks_hold_every_item_once_and_not_too_much(counts, quiet):
    events = np.array([*counts, *[1] * quiet], np.int64)
    found = blocks(events)
    ranges = [np.arange(one.start, one.stop) for one in found]
    assert np.concatenate([[], *ranges]).tolist() == list(range(len(events)))
    for one in found:
        assert one.stop - one.start == 1 or events[one].sum() <= 1 << 17
        assert one.stop - one.start <= 512


@given(st.permutations(range(9)), st.integers(0, 9))
def test_who_is_foremost_among_equals_does_not_go_by_numbers(order, count):
    values = np.array([[3, 1, 2, 2, 2, 2, 2, 1, 3]], np.float32)
    lot = np.array([5, 2, 9, 4, 8, 1, 7, 3, 6], np.uint64)
    plain = row_topk_mask(sparse.csr_matrix(values), count, lot)
    mixed = row_topk_mask(sparse.csr_matrix(values[:, order]), count, lot[order])
    assert plain.sum() == count
    assert (plain[order] == mixed).all()
    assert values[0, plain].min(initial=np.inf) >= values[0, ~plain].max(initial=0)
    assert count != 4 or set(np.flatnonzero(plain)) == {0, 8, 5, 3}


def test_the_gram_matrix_keeps_the_largest_and_stays_symmetric():
    taken = interaction_matrix(market())
    whole = (taken.T @ taken).toarray()
    few = gram_top_entries(taken, 4).toarray()
    assert (few != whole).any()
    assert (few == few.T).all()
    assert ((few == whole) | (few == 0)).all()
    assert ((few > 0) >= (whole > np.sort(whole, axis=1)[:, -4:-3])).all()
    assert (np.diag(few) == np.diag(whole)).all()
    assert (gram_top_entries(taken, 1000).toarray() == whole).all()


def test_above_the_limit_auto_is_sparse_and_knows_every_item():
    events = [(f"user-{one}", item, day) for one in range(4) for day, item in enumerate("abc")]
    dataset = make_dataset([*events, ("user-0", "rare", 9)])
    found = scores(
        linear(dataset, max_dense_items=3),
        ask(dataset.catalogue, ["a"]),
        dataset.catalogue,
        "b",
        "rare",
    )
    assert (found > 0).all()
    small = linear(dataset, max_dense_items=4)
    assert weights(small, dataset) == pytest.approx(
        weights(linear(dataset, method="dense"), dataset)
    )


def test_an_item_is_announced_by_so_many_at_most():
    dataset = market()
    found = sparse_ridge(dataset, PairConfig(), l2=5.0, among=3, order=False)
    assert np.diff(found.T.tocsr().indptr).max() == 3
    assert found.diagonal().max() == 0
    ordered = sparse_ridge(dataset, PairConfig(), l2=5.0, among=3, order=True)
    assert np.diff(ordered.T.tocsr().indptr).max() == 4


def test_regressors_are_those_that_come_with_it_most_for_how_popular_they_are():
    pairs = [(f"user-{one}", item, day) for one in range(6) for day, item in enumerate("ab")]
    crowd = [(f"crowd-{one}", "c", 0) for one in range(30)]
    dataset = make_dataset([*pairs, *crowd, *[(f"user-{one}", "c", 2) for one in range(6)]])
    found = sparse_ridge(dataset, PairConfig(), l2=5.0, among=1, order=False).toarray()
    number = dataset.catalogue.number
    assert found[number("a"), number("b")] == pytest.approx(6 / (6 + 5))
    assert found[number("c"), number("b")] == 0


def test_order_tells_the_direction_of_the_clock():
    dataset = clock()
    stage = linear(dataset, method="sparse")
    found = scores(stage, ask(dataset.catalogue, ["hour-3"]), dataset.catalogue, "hour-4", "hour-2")
    assert found[0, 0] > found[0, 1]


def test_a_matrix_that_cannot_be_inverted_is_refused_with_a_hint():
    dataset = make_dataset([(f"user-{one}", item, 0) for one in range(4) for item in "ab"])
    with pytest.raises(PlaitError, match="raise l2"):
        sparse_ridge(dataset, PairConfig(), l2=-4.0, among=1, order=False)
