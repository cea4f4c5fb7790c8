"""Tests of the memory estimates of `linear` against measured peaks."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from plait.errors import InputError
from plait.eventlog.dataset_builder import from_arrays
from plait.features.interactions import interaction_matrix
from plait.models.item_item.linear import (
    Linear,
    LinearConfig,
    dense_needs,
    sparse_needs,
    step_needs,
)
from plait.training.memory_budget import available_bytes, require_memory, total_bytes


def crowd(items, each, users):
    """Every item once, and `each` more events of every user."""
    random = np.random.default_rng(0)
    item_numbers = np.concatenate([np.arange(items), random.integers(0, items, users * each)])
    user_numbers = np.concatenate([np.arange(items) % users, np.repeat(np.arange(users), each)])
    return from_arrays(
        [f"user-{number}" for number in user_numbers.tolist()],
        [f"item-{number}" for number in item_numbers.tolist()],
        times=np.arange(len(item_numbers), dtype=np.int64) * 1_000_000,
    )


def peak_of(config, dataset):
    """The peak of the memory that a fit allocates, in bytes."""
    tracemalloc.start()
    try:
        Linear(config, name="linear").fit(dataset)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_dense_fit_beyond_free_memory_is_refused_before_the_start():
    dataset = crowd(400_000, 0, 200_000)
    config = LinearConfig(method="dense", max_dense_items=10**6)
    with pytest.raises(InputError) as caught:
        Linear(config, name="linear").fit(dataset)
    assert caught.value.field == "max_dense_items"
    affordable = int(caught.value.hint.rpartition(" ")[2])
    assert 0 < 3 * 4 * affordable**2 < available_bytes()


@pytest.mark.parametrize("each", [5, 200])
@pytest.mark.parametrize(
    ("order_aware", "content_smoothing", "limit"),
    [(True, 0.0, 1.5), (False, 0.0, 2.2), (False, 1.0, 1.8)],
)
def test_estimate_of_a_dense_fit_is_near_its_peak(each, order_aware, content_smoothing, limit):
    dataset = crowd(1500, each, 250)
    config = LinearConfig(order_aware=order_aware, content_smoothing=content_smoothing)
    needs = dense_needs(interaction_matrix(dataset), config) | step_needs(dataset, config)
    peak = peak_of(config, dataset)
    assert 0.9 * peak < sum(needs.values()) < limit * peak


def test_auto_is_sparse_if_half_of_the_memory_is_not_enough(monkeypatch):
    dataset = crowd(4000, 5, 250)
    needed = sum(dense_needs(interaction_matrix(dataset), LinearConfig()).values())

    def is_sparse(method):
        return sparse.issparse(Linear(LinearConfig(method=method))._item_matrix(dataset))

    assert (is_sparse("dense"), is_sparse("sparse"), is_sparse("auto")) == (False, True, False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(total_bytes() // (2 * needed) + 1))
    assert is_sparse("auto")


@pytest.mark.parametrize(("each", "users"), [(3, 400), (8, 12_000)])
def test_estimate_of_a_sparse_fit_is_near_its_peak(each, users):
    """In the second case most items co-occur, most of them once: all such ties are kept."""
    dataset = crowd(1200, each, users)
    config = LinearConfig(method="sparse")
    estimate = sum(sparse_needs(interaction_matrix(dataset), config).values())
    peak = peak_of(config, dataset)
    assert peak < estimate < 3 * peak + 2**26


def test_estimate_of_a_sparse_fit_grows_with_the_co_occurring_items():
    few, many = (interaction_matrix(crowd(2000, each, 250)) for each in (2, 40))
    config = LinearConfig(method="sparse", content_smoothing=1.0)
    loose, dense = (sparse_needs(matrix, config) for matrix in (few, many))
    assert loose["method"] < dense["method"] <= 5 * 8 * 800 * 2000 + 2**26
    assert loose["max_predictors"] == dense["max_predictors"] == 24 * 100 * 2000
    assert loose["content_smoothing"] > dense["content_smoothing"] > 0
    assert sparse_needs(few, LinearConfig(method="sparse"))["content_smoothing"] == 0
    with pytest.raises(InputError) as caught:
        require_memory(
            {**loose, "method": 0},
            "fitting",
            available=1000,
            hints={"content_smoothing": "set content_smoothing to 0"},
        )
    assert (caught.value.field, caught.value.hint) == (
        "content_smoothing",
        "set content_smoothing to 0",
    )
