"""What a fit of linear takes is said before it starts, and is about what it takes."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from plait.errors import InputError
from plait.eventlog.snapshot import from_arrays
from plait.features.interactions import interaction_matrix
from plait.models.item_item.linear import Linear, LinearConfig, dense_needs, sparse_needs
from plait.training.memory_budget import available_bytes, require_memory, total_bytes


def crowd(items, each, users):
    """Every item once, and `each` events more of every user."""
    random = np.random.default_rng(0)
    taken = np.concatenate([np.arange(items), random.integers(0, items, users * each)])
    whose = np.concatenate([np.arange(items) % users, np.repeat(np.arange(users), each)])
    return from_arrays(
        [f"user-{one}" for one in whose.tolist()],
        [f"item-{one}" for one in taken.tolist()],
        times=np.arange(len(taken), dtype=np.int64) * 1_000_000,
    )


def peak_of(config, dataset):
    """The most bytes that a fit holds."""
    tracemalloc.start()
    try:
        Linear(config, name="linear").fit(dataset)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_squares_that_cannot_fit_into_memory_are_refused_before_the_start():
    dataset = crowd(400_000, 0, 200_000)
    config = LinearConfig(method="dense", max_dense_items=10**6)
    with pytest.raises(InputError, match=r"about .* GB of memory.* max_dense_items alone") as it:
        Linear(config, name="linear").fit(dataset)
    assert it.value.field == "max_dense_items"
    said, _, fits = it.value.hint.rpartition(" ")
    assert said == 'set method = "sparse", or max_dense_items below'
    assert 0 < 3 * 4 * int(fits) ** 2 < available_bytes()


@pytest.mark.parametrize("each", [5, 200])
@pytest.mark.parametrize(
    ("order", "content_smoothing", "most"), [(True, 0.0, 1.5), (False, 0.0, 2.2), (False, 1.0, 1.8)]
)
def test_the_estimate_is_near_what_a_dense_fit_takes(each, order, lend, most):
    dataset = crowd(1500, each, 250)
    config = LinearConfig(order_aware=order, content_smoothing=lend)
    told = sum(dense_needs(interaction_matrix(dataset), config).values())
    peak = peak_of(config, dataset)
    assert 0.9 * peak < told < most * peak


def test_auto_is_sparse_where_half_of_the_memory_is_not_enough(monkeypatch):
    dataset = crowd(4000, 5, 250)
    needed = sum(dense_needs(interaction_matrix(dataset), LinearConfig()).values())

    def is_sparse(method):
        return sparse.issparse(Linear(LinearConfig(method=method))._matrix(dataset))

    assert (is_sparse("dense"), is_sparse("sparse"), is_sparse("auto")) == (False, True, False)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(total_bytes() // (2 * needed) + 1))
    assert is_sparse("auto")


@pytest.mark.parametrize(("each", "users"), [(3, 400), (8, 12_000)])
def test_the_estimate_is_near_what_a_sparse_fit_takes(each, users):
    """In the second world most items meet, most of them once: such ties are all held."""
    dataset = crowd(1200, each, users)
    config = LinearConfig(method="sparse")
    told = sum(sparse_needs(interaction_matrix(dataset), config).values())
    peak = peak_of(config, dataset)
    assert peak < told < 3 * peak + 2**26


def test_sparse_grows_with_what_meets_and_names_what_can_be_done():
    few, many = (interaction_matrix(crowd(2000, each, 250)) for each in (2, 40))
    config = LinearConfig(method="sparse", content_smoothing=1.0)
    loose, dense = (sparse_needs(one, config) for one in (few, many))
    assert loose["method"] < dense["method"] <= 5 * 8 * 800 * 2000 + 2**26
    assert loose["max_predictors"] == dense["max_predictors"] == 24 * 100 * 2000
    assert loose["content_smoothing"] > dense["content_smoothing"] > 0
    assert sparse_needs(few, LinearConfig(method="sparse"))["content_smoothing"] == 0
    with pytest.raises(InputError) as it:
        require_memory(
            {**loose, "method": 0},
            "fitting",
            available=1000,
            hints={"content_smoothing": "set content_smoothing to 0"},
        )
    assert (it.value.field, it.value.hint) == ("content_smoothing", "set content_smoothing to 0")
