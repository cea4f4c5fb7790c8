"""Tests of the sparse method of `linear` against the dense one and against plain numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from plait.errors import PlaitError
from plait.features.blockwise_matrices import blocks, gram_top_entries
from plait.features.interactions import interaction_matrix
from plait.features.sparse_topk import row_topk_mask
from plait.models.item_item.cooccurrence_counts import PairConfig, cooccurrence_matrix
from plait.models.item_item.linear import Linear, LinearConfig
from plait.models.item_item.sparse_ridge import SparseRidgeConfig, sparse_ridge
from plait.testing.queries import ask, scores
from plait.testing.synthetic_data import clock, make_dataset, market


def weights(stage, dataset):
    """The scores of all items for each history of a single item, NaN as 0."""
    ids = dataset.catalogue.ids
    queries = ask(dataset.catalogue, *[[item_id] for item_id in ids])
    return np.nan_to_num(scores(stage, queries, dataset.catalogue, *ids))


def linear(dataset, **settings):
    return Linear(LinearConfig(**{"l2": 5.0, **settings}), name="linear").fit(dataset)


def test_sparse_equals_dense_if_all_items_co_occur():
    random = np.random.default_rng(0)
    events = [
        (f"user-{user}", f"item-{item}", day)
        for user in range(60)
        for day, item in enumerate(random.permutation(6)[:4])
    ]
    dataset = make_dataset(events)
    for regression, order_aware in (("pairs", True), ("steps", True), ("pairs", False)):
        settings = {"order_aware": order_aware, "regression": regression, "backward": 1.0}
        dense = weights(linear(dataset, method="dense", **settings), dataset)
        sparse_weights = weights(linear(dataset, method="sparse", **settings), dataset)
        assert sparse_weights == pytest.approx(dense, abs=1e-4)
        assert (dense > 0).sum() > 20


def crowd(items=1100, users=900, longest=12):
    """Users with random items, some items more popular: more items than fit into a block."""
    random = np.random.default_rng(1)
    events = [
        (f"user-{user}", f"item-{int(random.random() ** 2 * items)}", day)
        for user in range(users)
        for day in range(random.integers(1, longest))
    ]
    return make_dataset([*events, *[("collector", f"item-{item}", 0) for item in range(items)]])


def ridge(dataset, max_predictors, *, order_aware, l2=5.0, threads=2):
    config = SparseRidgeConfig(l2, max_predictors, order_aware)
    return sparse_ridge(dataset, PairConfig(), config, threads=threads)


@pytest.mark.parametrize("order_aware", [True, False])
def test_weights_are_the_ridge_regression_on_the_strongest_predictors(order_aware):
    dataset, max_predictors = crowd(), 4
    fitted = ridge(dataset, max_predictors, order_aware=order_aware).toarray()
    gram = gram_top_entries(interaction_matrix(dataset), 400).toarray().astype(np.float64)
    targets = cooccurrence_matrix(dataset, PairConfig()).toarray().T if order_aware else gram
    for item in range(dataset.n_items):
        strength = targets[item] / np.sqrt(np.diag(gram))
        strength[item] = 0
        others = np.setdiff1d(np.flatnonzero(fitted[:, item]), [item])
        predictors = np.sort([*others, item]) if order_aware else others
        assert len(others) == min(max_predictors, np.count_nonzero(strength))
        assert order_aware or not fitted[item, item]
        assert strength[others].min(initial=np.inf) >= np.delete(strength, others).max() - 1e-6
        exact = np.linalg.solve(
            gram[np.ix_(predictors, predictors)] + 5 * np.eye(len(predictors)),
            targets[item, predictors],
        )
        assert fitted[predictors, item] == pytest.approx(exact, rel=1e-4, abs=1e-5)


def test_weights_do_not_depend_on_the_number_of_threads():
    dataset = crowd()
    assert len(blocks(np.bincount(dataset.interactions.items))) > 2
    single, several = (ridge(dataset, 4, order_aware=True, threads=threads) for threads in (1, 3))
    assert (single != several).nnz == 0
    assert single.nnz > dataset.n_items


@given(st.lists(st.sampled_from([0, 1, 100, 60_000, 500_000]), max_size=40), st.integers(0, 1500))
def test_blocks_cover_every_item_once_within_the_limits(counts, n_rare):
    event_counts = np.array([*counts, *[1] * n_rare], np.int64)
    ranges = blocks(event_counts)
    items = [np.arange(block.start, block.stop) for block in ranges]
    assert np.concatenate([[], *items]).tolist() == list(range(len(event_counts)))
    for block in ranges:
        assert block.stop - block.start == 1 or event_counts[block].sum() <= 1 << 17
        assert block.stop - block.start <= 512


@given(st.permutations(range(9)), st.integers(0, 9))
def test_row_topk_mask_breaks_ties_by_tiebreak_in_any_numbering(order, count):
    values = np.array([[3, 1, 2, 2, 2, 2, 2, 1, 3]], np.float32)
    tiebreak = np.array([5, 2, 9, 4, 8, 1, 7, 3, 6], np.uint64)
    mask = row_topk_mask(sparse.csr_matrix(values), count, tiebreak)
    renumbered = row_topk_mask(sparse.csr_matrix(values[:, order]), count, tiebreak[order])
    assert mask.sum() == count
    assert (mask[order] == renumbered).all()
    assert values[0, mask].min(initial=np.inf) >= values[0, ~mask].max(initial=0)
    if count == 4:
        assert set(np.flatnonzero(mask)) == {0, 8, 5, 3}


def test_gram_top_entries_are_the_largest_and_symmetric():
    interactions = interaction_matrix(market())
    gram = (interactions.T @ interactions).toarray()
    top = gram_top_entries(interactions, 4).toarray()
    assert (top != gram).any()
    assert (top == top.T).all()
    assert ((top == gram) | (top == 0)).all()
    assert ((top > 0) >= (gram > np.sort(gram, axis=1)[:, -4:-3])).all()
    assert (np.diag(top) == np.diag(gram)).all()
    assert (gram_top_entries(interactions, 1000).toarray() == gram).all()


@pytest.mark.parametrize("setting", ["auto_dense_items", "max_dense_items"])
def test_auto_is_sparse_above_either_bound_and_scores_every_item(setting):
    events = [(f"user-{user}", item, day) for user in range(4) for day, item in enumerate("abc")]
    dataset = make_dataset([*events, ("user-0", "rare", 9)])
    queries, stage = ask(dataset.catalogue, ["a"]), linear(dataset, **{setting: 3})
    assert (scores(stage, queries, dataset.catalogue, "b", "rare") > 0).all()
    small = linear(dataset, **{setting: 4})
    assert weights(small, dataset) == pytest.approx(
        weights(linear(dataset, method="dense"), dataset)
    )


def test_items_have_at_most_max_predictors_beside_themselves():
    dataset = market()
    ease = ridge(dataset, 3, order_aware=False)
    assert np.diff(ease.T.tocsr().indptr).max() == 3
    assert ease.diagonal().max() == 0
    ordered = ridge(dataset, 3, order_aware=True)
    assert np.diff(ordered.T.tocsr().indptr).max() == 4


def test_predictors_are_chosen_by_co_occurrence_relative_to_popularity():
    pairs = [(f"user-{user}", item, day) for user in range(6) for day, item in enumerate("ab")]
    others = [(f"other-{user}", "c", 0) for user in range(30)]
    dataset = make_dataset([*pairs, *others, *[(f"user-{user}", "c", 2) for user in range(6)]])
    fitted = ridge(dataset, 1, order_aware=False).toarray()
    number = dataset.catalogue.number
    assert fitted[number("a"), number("b")] == pytest.approx(6 / (6 + 5))
    assert fitted[number("c"), number("b")] == 0


def test_sparse_order_aware_model_predicts_the_next_item():
    dataset = clock()
    stage = linear(dataset, method="sparse")
    queries = ask(dataset.catalogue, ["hour-3"])
    following, previous = scores(stage, queries, dataset.catalogue, "hour-4", "hour-2")[0]
    assert following > previous


def test_singular_system_is_an_error():
    dataset = make_dataset([(f"user-{user}", item, 0) for user in range(4) for item in "ab"])
    with pytest.raises(PlaitError) as caught:
        ridge(dataset, 1, order_aware=False, l2=-4.0)
    assert caught.value.hint == "increase `l2`"
