"""What a fit of linear takes is said before it starts, and is about what it takes."""

import tracemalloc

import numpy as np
import pytest

from plait.data.dataset import from_arrays
from plait.errors import InputError
from plait.learn.room import check_room
from plait.models.linear import Linear, LinearConfig, dense_needs, sparse_needs
from plait.models.profile import interaction_matrix


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


def test_squares_that_cannot_fit_into_memory_are_refused_before_the_start():
    dataset = crowd(400_000, 0, 200_000)
    config = LinearConfig(method="dense", most_items=10**6)
    with pytest.raises(InputError, match=r"about .* GB of memory.* most_items alone") as it:
        Linear(config, name="linear").fit(dataset)
    assert it.value.field == "most_items"
    assert it.value.hint == 'set method = "sparse", or most_items below 400000'


@pytest.mark.parametrize("each", [5, 200])
@pytest.mark.parametrize(
    ("order", "lend", "most"), [(True, 0.0, 1.5), (False, 0.0, 2.2), (False, 1.0, 1.8)]
)
def test_the_estimate_is_near_what_a_dense_fit_takes(each, order, lend, most):
    dataset = crowd(1500, each, 250)
    config = LinearConfig(order=order, lend=lend)
    told = sum(dense_needs(interaction_matrix(dataset), config).values())
    tracemalloc.start()
    try:
        Linear(config, name="linear").fit(dataset)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.9 * peak < told < most * peak


def test_sparse_grows_with_what_meets_and_names_what_can_be_done():
    few, many = (interaction_matrix(crowd(2000, each, 250)) for each in (2, 40))
    config = LinearConfig(method="sparse", lend=1.0)
    loose, dense = (sparse_needs(one, config) for one in (few, many))
    assert loose["method"] < dense["method"] <= 5 * 8 * 400 * 2000
    assert loose["among"] == dense["among"] == 24 * 100 * 2000
    assert loose["lend"] > dense["lend"] > 0
    assert sparse_needs(few, LinearConfig(method="sparse"))["lend"] == 0
    with pytest.raises(InputError) as it:
        check_room(loose, "fitting", room=1000, hints={"lend": "set lend to 0"})
    assert (it.value.field, it.value.hint) == ("lend", "set lend to 0")
