"""Predicted ratings: planted worlds, the sampler's parts, and what stands for the unknown."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from plait.data.types import QueryBatch
from plait.errors import InputError
from plait.eventlog.snapshot import from_arrays
from plait.features.side_information import SideFeatures, co_occurrence_features, triple_words
from plait.models.factorization.bayesian_mf import _Compressed, rated
from plait.models.factorization.factors import Factors, FactorsConfig
from plait.models.factorization.gibbs import Draw, _ridge, _sums, _wishart, block_rows, draws
from plait.models.factorization.gibbs import Ratings as Rated
from plait.models.factorization.ratings import Ratings, RatingsConfig
from plait.testing.queries import ask, changed, scores, state_with
from plait.testing.synthetic_data import make_dataset, market

SHORT = {"iterations": 80, "burn_in": 30, "factors": 4}


def planted(seed=0, users=40, items=30, share=0.6):
    """Users and items of two tastes: 5 stars for the own one, 1 for the other, biases and noise.

    Returns the world, all true ratings [users, items] and which of them are in the log.
    """
    random = np.random.default_rng(seed)
    taste, kind = np.arange(users) % 2, np.arange(items) % 2
    bias = random.normal(0, 0.3, users)[:, None] + random.normal(0, 0.3, items)
    right = 3 + 1.5 * np.where(taste[:, None] == kind, 1, -1) + bias
    stars = right + random.normal(0, 0.2, right.shape)
    told = random.random(right.shape) < share
    told[:, items - 1] = False
    told[users - 1] = False
    rows, columns = np.nonzero(told)
    return (
        make_dataset(
            [(f"user-{u}", f"item-{i}", i) for u, i in zip(rows, columns, strict=True)],
            items={f"item-{i}": {"genre": ["noir", "musical"][i % 2]} for i in range(items)},
            users={f"user-{u}": {"club": ["north", "south"][u % 2]} for u in range(users)},
            values=stars[rows, columns].tolist(),
        ),
        right,
        told,
    )


def asked(dataset, *users):
    """A question of each user with the items of the log as history."""
    histories = dataset.histories()
    numbers = dataset.users.numbers(users)
    ids = [[dataset.catalogue.id(i) for i in histories[u]] if u >= 0 else [] for u in numbers]
    return replace(ask(dataset.catalogue, *ids), users=numbers)


@pytest.mark.parametrize("method", ["mf", "svdpp"])
def test_held_out_ratings_are_found(method):
    dataset, right, told = planted()
    stage = Factors(FactorsConfig(method=method, **SHORT), name="factors").fit(dataset)
    ids = [f"item-{one}" for one in range(29)]
    found = stage.predict(
        asked(dataset, *[f"user-{one}" for one in range(39)]),
        np.tile(dataset.catalogue.numbers(ids), (39, 1)),
    )
    hidden = ~told[:39, :29]
    error = np.sqrt(np.mean((found - right[:39, :29])[hidden] ** 2))
    assert error < 0.3
    assert np.std(right[:39, :29][hidden]) > 1.4


def test_without_a_rating_mf_knows_neither_user_nor_item():
    dataset, _, _ = planted()
    stage = Factors(FactorsConfig(method="mf", **SHORT), name="factors").fit(dataset)
    found = scores(
        stage, asked(dataset, "user-0", "user-39"), dataset.catalogue, "item-0", "item-29"
    )
    assert np.isnan(found).tolist() == [[False, True], [True, True]]


def test_svdpp_folds_an_unseen_user_in_from_what_was_taken():
    """Two clubs that rate only their own half, the one with 5 stars and the other with 2."""
    events = [(f"user-{u}", f"item-{i}", i) for u in range(20) for i in range(10) if u % 2 == i % 2]
    shared = [(f"user-{u}", f"both-{i}", i) for u in range(20) for i in range(4)]
    stars = [3.0] * len(events) + [[5.0, 2.0][int(u[5:]) % 2] for u, _, _ in shared]
    dataset = make_dataset([*events, *shared], values=stars)
    stage = Factors(FactorsConfig(method="svdpp", **SHORT), name="factors").fit(dataset)
    unseen = ask(dataset.catalogue, ["item-2", "item-4"], ["item-1", "item-3"], [])
    unseen = replace(unseen, users=np.full(3, -1, np.int32))
    found = scores(stage, unseen, dataset.catalogue, "both-1")[:, 0]
    assert found[0] > found[1] + 1
    assert np.isnan(found[2])


@pytest.mark.parametrize("unit", [0.01, 20.0, 1e6])
def test_the_unit_of_ratings_does_not_matter(unit):
    dataset, right, told = planted()
    found = replace(dataset.interactions, values=dataset.interactions.values * np.float32(unit))
    stage = Factors(FactorsConfig(method="svdpp", **SHORT), name="factors")
    stage = stage.fit(replace(dataset, interactions=found))
    queries = asked(dataset, *[f"user-{one}" for one in range(39)])
    ids = [f"item-{one}" for one in range(29)]
    numbers = np.tile(dataset.catalogue.numbers(ids), (39, 1))
    wrong = stage.predict(queries, numbers) / unit - right[:39, :29]
    assert np.sqrt(np.mean(wrong[~told[:39, :29]] ** 2)) < 0.3


def test_ratings_in_a_larger_unit_are_foretold_in_it_for_strangers_and_new_items_too():
    dataset, _, _ = planted()
    found = dataset.interactions
    large = replace(dataset, interactions=replace(found, values=16 * found.values))
    stage = Ratings(RatingsConfig(**SHORT), name="ratings")
    queries = asked(dataset, "user-0", "user-1", "user-39")
    stranger = replace(
        asked(dataset, "user-0", "user-1", "user-39"),
        users=np.full(3, -1, np.int32),
        contexts=({}, {"user": {"club": "south"}}, {"user": {"club": "north"}}),
    )
    numbers = np.tile(dataset.catalogue.numbers(["item-0", "item-1", "item-29"]), (3, 1))
    for one in (queries, stranger):
        small = stage.fit(dataset).predict(replace(one, cache={}), numbers)
        assert np.isfinite(small[:2]).all()
        wide = stage.fit(large).predict(replace(one, cache={}), numbers)
        assert wide == pytest.approx(16 * small, rel=1e-4, nan_ok=True)


def test_a_history_without_a_rated_item_says_nothing():
    dataset, _, _ = planted()
    for stage in (
        Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset),
        Factors(FactorsConfig(method="svdpp", **SHORT), name="factors").fit(dataset),
    ):
        unseen = ask(dataset.catalogue, ["item-29"], ["item-2", "item-29"], ["item-2"])
        unseen = replace(unseen, users=np.full(3, -1, np.int32))
        found = scores(stage, unseen, dataset.catalogue, "item-0", "item-1")
        assert np.isnan(found[0]).all()
        assert found[1] == pytest.approx(found[2])


def test_ratings_know_everybody_of_whom_something_is_known():
    dataset, right, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    found = scores(
        stage, asked(dataset, "user-0", "user-1"), dataset.catalogue, "item-28", "item-29"
    )
    assert found[0, 1] < 2.5 < 3.5 < found[1, 1]  # item 29 has no rating, only a genre
    assert found[0, 0] == pytest.approx(right[0, 28], abs=0.5)
    stranger = replace(
        ask(dataset.catalogue, [], []),
        users=np.array([-1, -1], np.int32),
        contexts=({"user": {"club": "north"}}, {"user": "nobody"}),
    )
    found = scores(stage, stranger, dataset.catalogue, "item-0", "item-1")
    assert found[0, 0] > found[0, 1] + 1
    assert np.isnan(found[1]).all()


def test_an_item_that_came_after_the_fit_is_known_by_its_fields():
    dataset, _, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    new = {"new": {"genre": "noir"}, "bare": {}}
    catalogue = changed(dataset.catalogue, dataset.version, new)
    live = state_with(stage, dataset, catalogue)
    queries = replace(asked(dataset, "user-0", "user-1"), live=live)
    found = scores(stage, queries, catalogue, "new", "bare")
    assert found[0, 0] > 3.5 > 2.5 > found[1, 0]
    assert np.isnan(found[:, 1]).all()
    plain = Ratings(RatingsConfig(use_side_information=False, **SHORT), name="ratings").fit(dataset)
    assert plain.update(catalogue, dataset.version, None) is None


def test_nothing_is_foretold_without_ratings():
    dataset = make_dataset([("a", "x", 0), ("b", "y", 1)])
    for stage in (
        Ratings(RatingsConfig(**SHORT), name="ratings"),
        Factors(FactorsConfig(method="mf", **SHORT), name="factors"),
    ):
        fitted = stage.fit(dataset)
        assert np.isnan(scores(fitted, asked(dataset, "a"), dataset.catalogue, "x", "y")).all()


def test_the_newest_rating_of_the_right_kind_counts():
    dataset = make_dataset(
        [("a", "x", 0), ("a", "x", 1), ("a", "y", 2), ("b", "x", 3)],
        kinds=["rating", "rating", "purchase", "rating"],
        values=[1.0, 4.0, 99.0, np.nan],
    )
    found = rated(dataset, ("rating",))
    assert found.values.tolist() == [4.0]
    assert dataset.catalogue.id(found.items[0]) == "x"
    assert sorted(rated(dataset, ()).values.tolist()) == [4.0, 99.0]
    assert not len(rated(dataset, ("like",)).values)


def test_ratings_never_leave_their_range():
    dataset = market()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    found = scores(
        stage, asked(dataset, *dataset.users.ids), dataset.catalogue, *dataset.catalogue.ids
    )
    values = dataset.interactions.values
    assert np.nanmin(found) >= values.min()
    assert np.nanmax(found) <= values.max()


def test_the_weights_of_features_solve_their_ridge_regression():
    random = np.random.default_rng(0)
    about = sparse.random_array((30, 12), density=0.3, rng=random, format="csr")
    right = random.normal(size=(12, 3))
    found = _ridge(about, about.T.tocsr(), right, np.zeros((12, 3)))
    whole = about.toarray()
    expected = np.linalg.solve(whole.T @ whole + 5.0 * np.eye(12), right)
    assert found == pytest.approx(expected, abs=1e-4)


def test_sums_are_taken_row_by_row():
    random = np.random.default_rng(0)
    design, wanted = random.normal(size=(7, 3)), random.normal(size=7)
    counts = np.array([2, 0, 4, 1])
    squares, products = _sums(design, wanted, counts)
    for row, part in enumerate(np.split(np.arange(7), np.cumsum(counts)[:-1])):
        assert squares[row] == pytest.approx(design[part].T @ design[part])
        assert products[row] == pytest.approx(design[part].T @ wanted[part])


def test_wishart_draws_have_their_mean():
    random = np.random.default_rng(0)
    scale = np.array([[2.0, 0.5], [0.5, 1.0]])
    mean = np.mean([_wishart(scale, 9, random) for _ in range(4000)], axis=0)
    assert mean == pytest.approx(9 * scale, rel=0.08)


def test_the_noise_of_the_sampler_is_that_of_the_data():
    random = np.random.default_rng(0)
    users, items = (one.ravel() for one in np.indices((30, 20)))
    values = random.normal(0, 1, 30)[users] + random.normal(0, 1, 20)[items]
    values += random.normal(0, 0.1, len(values))
    none = sparse.csr_matrix((30, 0)), sparse.csr_matrix((20, 0))
    found = list(
        draws(
            Rated(users, items, values),
            *none,
            factors=2,
            iterations=60,
            burn_in=30,
            random=np.random.default_rng(1),
        )
    )
    assert len(found) == 30
    mean = np.mean([_product(one) for one in found], axis=0)
    assert np.sqrt(np.mean((mean[users, items] - values) ** 2)) < 0.12


def test_at_full_rank_the_compressed_mean_is_the_mean():
    random = np.random.default_rng(0)
    kept = [
        Draw(*(random.normal(size=shape) for shape in [(9, 3), (8, 3), (3,), (3,), (4, 3), (0, 3)]))
        for _ in range(3)
    ]
    found = _Compressed(kept, 100)
    mean = np.mean([_product(one) for one in kept], axis=0)
    assert found.users[:, 1:] @ found.items[:, 1:].T + found.users[:, :1] + found.items[
        :, 0
    ] == pytest.approx(mean, abs=1e-3)
    # Somebody who is what the prior says, in every draw, stands where the maps put the prior.
    about = random.normal(size=4)
    alone = [replace(one, users=(one.user_mean + about @ one.user_weights)[None]) for one in kept]
    expected = np.mean([_product(one) for one in alone], axis=0)[0]
    vector = found.user_base + about @ found.user_weights
    assert vector[1:] @ found.items[:, 1:].T + vector[0] + found.items[:, 0] == pytest.approx(
        expected, abs=1e-3
    )
    small = _Compressed(kept, 2)
    assert small.users.shape == (9, 3)


def _product(one):
    return one.users[:, 1:] @ one.items[:, 1:].T + one.users[:, :1] + one.items[:, 0]


def test_fields_become_features_of_length_one():
    dataset = make_dataset(
        [("a", "x", 0)],
        items={
            "x": {"genre": ["noir", "war"], "year": 1940.0, "maker": "one", "title": "a b"},
            "y": {"genre": ["noir"], "year": 1990.0, "maker": "one", "title": "a b"},
            "z": {"genre": ["war", "noir"], "year": 1991.0, "maker": "two", "title": "a b"},
        },
    )
    sides = SideFeatures.fit(dataset.catalogue, [], min_count=1, max_share=0.9, numeric_bins=2)
    assert sides.words == ["genre=war", "maker=one", "maker=two", "year#0", "year#1"]
    numbers = dataset.catalogue.numbers(["x", "y", "z"])
    found = sides.matrix(dataset.catalogue, numbers.tolist(), []).toarray()
    assert found.tolist() == [[1, 1, 0, 1, 0], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]
    still = sides.matrix(dataset.catalogue, numbers.tolist(), [], ranged=False).toarray()
    assert not still[:, 3:].any()
    whole = SideFeatures.fit(dataset.catalogue, [], min_count=1, max_share=1.0, numeric_bins=0)
    found = whole.matrix(dataset.catalogue, numbers[:1].tolist(), []).toarray()[0]
    genres = [place for place, word in enumerate(whole.words) if word.startswith("genre")]
    assert found[genres] == pytest.approx([0.5**0.5, 0.5**0.5])
    assert not any(word.startswith("year") for word in whole.words)


def test_fields_of_another_type_say_nothing():
    dataset = make_dataset([("a", "x", 0)], items={"x": {"year": 1990.0, "maker": "one"}})
    sides = SideFeatures.fit(dataset.catalogue, [], min_count=1, max_share=1.0, numeric_bins=2)
    odd = [{"year": "long ago", "maker": 7, "else": [1]}, {"maker": "one", "year": True}]
    assert sides.of_fields(odd).toarray().sum(axis=1).tolist() == [0, 1]


def test_facts_speak_of_both_ends():
    dataset = from_arrays(
        ["a", "a"],
        ["x", "y"],
        facts=[("x", "by", "ann"), ("y", "follows", "x"), ("q", "by", "ann")],
    )
    told = triple_words(dataset.triples, dataset.n_items)
    number = dataset.catalogue.number
    assert told[number("x")] == ("by>ann", "follows<y")
    assert told[number("y")] == ("follows>x",)


def test_who_met_whom_counts_once():
    found = co_occurrence_features(np.array([0, 0, 0, 2]), np.array([1, 1, 0, 1]), (3, 2)).toarray()
    assert found == pytest.approx(np.array([[0.5**0.5, 0.5**0.5], [0, 0], [0, 1]]))


def test_questions_without_users_are_answered_by_nan():
    dataset, _, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    empty = QueryBatch.of_histories(ask(dataset.catalogue, []).history)
    assert np.isnan(scores(stage, empty, dataset.catalogue, "item-1")).all()


def test_what_cannot_fit_into_memory_is_refused_before_the_start():
    dataset, _, _ = planted()
    with pytest.raises(InputError, match=r"would need about .* GB of memory") as caught:
        Factors(FactorsConfig(method="mf", factors=50_000)).fit(dataset)
    assert caught.value.field == "factors"


def test_a_kind_that_there_is_not_is_named():
    dataset, _, _ = planted()
    with pytest.raises(InputError, match="no interaction of the kind 'stars'"):
        Ratings(RatingsConfig(event_types=("stars",))).fit(dataset)


def test_the_sums_of_wide_rows_are_those_of_narrow_ones():
    random = np.random.default_rng(0)
    design, wanted = random.normal(size=(9, 40)), random.normal(size=9)
    counts = np.array([4, 0, 5])
    squares, products = _sums(design, wanted, counts)
    for row, part in ((0, slice(0, 4)), (2, slice(4, 9))):
        assert squares[row] == pytest.approx(design[part].T @ design[part])
        assert products[row] == pytest.approx(wanted[part] @ design[part])
    assert not squares[1].any()
    few, _ = _sums(design[:, :8], wanted, counts)
    assert few == pytest.approx(squares[:, :8, :8])


def test_blocks_of_wide_rows_are_smaller():
    assert block_rows(11) == 4096
    assert block_rows(1001) == 8
    assert block_rows(100_000) == 1
