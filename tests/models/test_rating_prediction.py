"""Predicted ratings: planted structure, the sampler, and unknown users and items."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from plait.data.types import QueryBatch
from plait.errors import InputError
from plait.eventlog.dataset_builder import from_arrays
from plait.features.side_information import SideFeatures, co_occurrence_features, triple_words
from plait.models.factorization.bayesian_mf import latest_ratings
from plait.models.factorization.gibbs import (
    CenteredRatings,
    Sample,
    block_rows,
    gibbs_samples,
    row_moments,
    sample_wishart,
    solve_ridge,
)
from plait.models.factorization.matrix_factorization import Factors, FactorsConfig
from plait.models.factorization.posterior_mean import CompressedMean
from plait.models.factorization.rating_prediction import Ratings, RatingsConfig
from plait.testing.catalogue_changes import changed, state_with
from plait.testing.queries import ask, scores
from plait.testing.synthetic_data import make_dataset, market

SHORT = {"iterations": 80, "burn_in": 30, "factors": 4}


def planted(seed=0, users=40, items=30, share=0.6):
    """Users and items of two tastes: 5 stars for the same, 1 for the other, biases and noise.

    Returns the data, all true ratings [users, items] and which of them are in the log.
    """
    random = np.random.default_rng(seed)
    user_taste, item_taste = np.arange(users) % 2, np.arange(items) % 2
    bias = random.normal(0, 0.3, users)[:, None] + random.normal(0, 0.3, items)
    truth = 3 + 1.5 * np.where(user_taste[:, None] == item_taste, 1, -1) + bias
    stars = truth + random.normal(0, 0.2, truth.shape)
    is_logged = random.random(truth.shape) < share
    is_logged[:, items - 1] = False
    is_logged[users - 1] = False
    rows, columns = np.nonzero(is_logged)
    return (
        make_dataset(
            [(f"user-{u}", f"item-{i}", i) for u, i in zip(rows, columns, strict=True)],
            items={f"item-{i}": {"genre": ["noir", "musical"][i % 2]} for i in range(items)},
            users={f"user-{u}": {"club": ["north", "south"][u % 2]} for u in range(users)},
            values=stars[rows, columns].tolist(),
        ),
        truth,
        is_logged,
    )


def queries_of(dataset, *users):
    """A query of each user with the items of the log as history."""
    histories = dataset.histories()
    numbers = dataset.users.numbers(users)
    ids = [[dataset.catalogue.id(i) for i in histories[u]] if u >= 0 else [] for u in numbers]
    return replace(ask(dataset.catalogue, *ids), users=numbers)


@pytest.mark.parametrize("method", ["mf", "svdpp"])
def test_held_out_ratings_are_predicted(method):
    dataset, truth, is_logged = planted()
    stage = Factors(FactorsConfig(method=method, **SHORT), name="factors").fit(dataset)
    ids = [f"item-{n}" for n in range(29)]
    result = stage.predict(
        queries_of(dataset, *[f"user-{n}" for n in range(39)]),
        np.tile(dataset.catalogue.numbers(ids), (39, 1)),
    )
    is_held_out = ~is_logged[:39, :29]
    rmse = np.sqrt(np.mean((result - truth[:39, :29])[is_held_out] ** 2))
    assert rmse < 0.3
    assert np.std(truth[:39, :29][is_held_out]) > 1.4


def test_mf_does_not_know_users_and_items_without_ratings():
    dataset, _, _ = planted()
    stage = Factors(FactorsConfig(method="mf", **SHORT), name="factors").fit(dataset)
    result = scores(
        stage, queries_of(dataset, "user-0", "user-39"), dataset.catalogue, "item-0", "item-29"
    )
    assert np.isnan(result).tolist() == [[False, True], [True, True]]


def test_svdpp_predicts_for_unknown_users_from_their_history():
    """Two clubs that rate only their own half, the one with 5 stars and the other with 2."""
    events = [(f"user-{u}", f"item-{i}", i) for u in range(20) for i in range(10) if u % 2 == i % 2]
    shared = [(f"user-{u}", f"both-{i}", i) for u in range(20) for i in range(4)]
    stars = [3.0] * len(events) + [[5.0, 2.0][int(u[5:]) % 2] for u, _, _ in shared]
    dataset = make_dataset([*events, *shared], values=stars)
    stage = Factors(FactorsConfig(method="svdpp", **SHORT), name="factors").fit(dataset)
    unseen = ask(dataset.catalogue, ["item-2", "item-4"], ["item-1", "item-3"], [])
    unseen = replace(unseen, users=np.full(3, -1, np.int32))
    result = scores(stage, unseen, dataset.catalogue, "both-1")[:, 0]
    assert result[0] > result[1] + 1
    assert np.isnan(result[2])


@pytest.mark.parametrize("unit", [0.01, 20.0, 1e6])
def test_predictions_scale_with_the_unit_of_ratings(unit):
    dataset, truth, is_logged = planted()
    events = dataset.interactions
    scaled = replace(events, values=events.values * np.float32(unit))
    stage = Factors(FactorsConfig(method="svdpp", **SHORT), name="factors")
    stage = stage.fit(replace(dataset, interactions=scaled))
    queries = queries_of(dataset, *[f"user-{n}" for n in range(39)])
    ids = [f"item-{n}" for n in range(29)]
    numbers = np.tile(dataset.catalogue.numbers(ids), (39, 1))
    errors = stage.predict(queries, numbers) / unit - truth[:39, :29]
    assert np.sqrt(np.mean(errors[~is_logged[:39, :29]] ** 2)) < 0.3


def test_predictions_for_unknown_users_and_items_scale_with_the_unit_of_ratings():
    dataset, _, _ = planted()
    events = dataset.interactions
    large = replace(dataset, interactions=replace(events, values=16 * events.values))
    stage = Ratings(RatingsConfig(**SHORT), name="ratings")
    known = queries_of(dataset, "user-0", "user-1", "user-39")
    unknown = replace(
        queries_of(dataset, "user-0", "user-1", "user-39"),
        users=np.full(3, -1, np.int32),
        contexts=({}, {"user": {"club": "south"}}, {"user": {"club": "north"}}),
    )
    numbers = np.tile(dataset.catalogue.numbers(["item-0", "item-1", "item-29"]), (3, 1))
    for queries in (known, unknown):
        small = stage.fit(dataset).predict(replace(queries, cache={}), numbers)
        assert np.isfinite(small[:2]).all()
        scaled = stage.fit(large).predict(replace(queries, cache={}), numbers)
        assert scaled == pytest.approx(16 * small, rel=1e-4, nan_ok=True)


def test_items_without_ratings_in_a_history_are_ignored():
    dataset, _, _ = planted()
    for stage in (
        Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset),
        Factors(FactorsConfig(method="svdpp", **SHORT), name="factors").fit(dataset),
    ):
        unseen = ask(dataset.catalogue, ["item-29"], ["item-2", "item-29"], ["item-2"])
        unseen = replace(unseen, users=np.full(3, -1, np.int32))
        result = scores(stage, unseen, dataset.catalogue, "item-0", "item-1")
        assert np.isnan(result[0]).all()
        assert result[1] == pytest.approx(result[2])


def test_ratings_predict_from_fields_where_there_are_no_ratings():
    dataset, truth, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    result = scores(
        stage, queries_of(dataset, "user-0", "user-1"), dataset.catalogue, "item-28", "item-29"
    )
    assert result[0, 1] < 2.5 < 3.5 < result[1, 1]  # item 29 has no rating, only a genre
    assert result[0, 0] == pytest.approx(truth[0, 28], abs=0.5)
    unknown = replace(
        ask(dataset.catalogue, [], []),
        users=np.array([-1, -1], np.int32),
        contexts=({"user": {"club": "north"}}, {"user": "nobody"}),
    )
    result = scores(stage, unknown, dataset.catalogue, "item-0", "item-1")
    assert result[0, 0] > result[0, 1] + 1
    assert np.isnan(result[1]).all()


def test_an_item_added_after_the_fit_is_predicted_from_its_fields():
    dataset, _, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    new = {"new": {"genre": "noir"}, "bare": {}}
    catalogue = changed(dataset.catalogue, dataset.version, new)
    live = state_with(stage, dataset, catalogue)
    queries = replace(queries_of(dataset, "user-0", "user-1"), live=live)
    result = scores(stage, queries, catalogue, "new", "bare")
    assert result[0, 0] > 3.5 > 2.5 > result[1, 0]
    assert np.isnan(result[:, 1]).all()
    plain = Ratings(RatingsConfig(use_side_information=False, **SHORT), name="ratings").fit(dataset)
    assert plain.update(catalogue, dataset.version, None) is None


def test_without_ratings_nothing_is_predicted():
    dataset = make_dataset([("a", "x", 0), ("b", "y", 1)])
    for stage in (
        Ratings(RatingsConfig(**SHORT), name="ratings"),
        Factors(FactorsConfig(method="mf", **SHORT), name="factors"),
    ):
        fitted = stage.fit(dataset)
        assert np.isnan(scores(fitted, queries_of(dataset, "a"), dataset.catalogue, "x", "y")).all()


def test_latest_ratings_holds_the_newest_value_of_the_event_types():
    dataset = make_dataset(
        [("a", "x", 0), ("a", "x", 1), ("a", "y", 2), ("b", "x", 3)],
        kinds=["rating", "rating", "purchase", "rating"],
        values=[1.0, 4.0, 99.0, np.nan],
    )
    result = latest_ratings(dataset, ("rating",))
    assert result.values.tolist() == [4.0]
    assert dataset.catalogue.id(result.items[0]) == "x"
    assert sorted(latest_ratings(dataset, ()).values.tolist()) == [4.0, 99.0]
    assert not len(latest_ratings(dataset, ("like",)).values)


def test_predictions_stay_in_the_range_of_the_ratings():
    dataset = market()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    result = scores(
        stage, queries_of(dataset, *dataset.users.ids), dataset.catalogue, *dataset.catalogue.ids
    )
    values = dataset.interactions.values
    assert np.nanmin(result) >= values.min()
    assert np.nanmax(result) <= values.max()


def test_solve_ridge_solves_the_normal_equations():
    random = np.random.default_rng(0)
    features = sparse.random_array((30, 12), density=0.3, rng=random, format="csr")
    right = random.normal(size=(12, 3))
    weights = solve_ridge(features, features.T.tocsr(), right, np.zeros((12, 3)))
    dense = features.toarray()
    expected = np.linalg.solve(dense.T @ dense + 5.0 * np.eye(12), right)
    assert weights == pytest.approx(expected, abs=1e-4)


def test_row_moments_sum_over_the_ratings_of_each_row():
    random = np.random.default_rng(0)
    design, targets = random.normal(size=(7, 3)), random.normal(size=7)
    counts = np.array([2, 0, 4, 1])
    squares, products = row_moments(design, targets, counts)
    for row, chosen in enumerate(np.split(np.arange(7), np.cumsum(counts)[:-1])):
        assert squares[row] == pytest.approx(design[chosen].T @ design[chosen])
        assert products[row] == pytest.approx(design[chosen].T @ targets[chosen])


def test_wishart_draws_have_the_mean_of_the_distribution():
    random = np.random.default_rng(0)
    scale = np.array([[2.0, 0.5], [0.5, 1.0]])
    mean = np.mean([sample_wishart(scale, 9, random) for _ in range(4000)], axis=0)
    assert mean == pytest.approx(9 * scale, rel=0.08)


def test_the_mean_of_gibbs_samples_predicts_the_ratings():
    random = np.random.default_rng(0)
    users, items = (indices.ravel() for indices in np.indices((30, 20)))
    values = random.normal(0, 1, 30)[users] + random.normal(0, 1, 20)[items]
    values += random.normal(0, 0.1, len(values))
    samples = list(
        gibbs_samples(
            CenteredRatings(users, items, values),
            sparse.csr_matrix((30, 0)),
            sparse.csr_matrix((20, 0)),
            factors=2,
            iterations=60,
            burn_in=30,
            random=np.random.default_rng(1),
        )
    )
    assert len(samples) == 30
    mean = np.mean([products_of(sample) for sample in samples], axis=0)
    assert np.sqrt(np.mean((mean[users, items] - values) ** 2)) < 0.12


def test_the_compressed_mean_at_full_rank_is_the_mean():
    random = np.random.default_rng(0)
    shapes = [(9, 3), (8, 3), (3,), (3,), (4, 3), (0, 3)]
    samples = [Sample(*(random.normal(size=shape) for shape in shapes)) for _ in range(3)]
    full = CompressedMean(samples, 100)
    expected = np.mean([products_of(sample) for sample in samples], axis=0)
    products = full.users[:, 1:] @ full.items[:, 1:].T + full.users[:, :1] + full.items[:, 0]
    assert products == pytest.approx(expected, abs=1e-3)
    # A user who is the prior mean in every sample has the compressed vector of the prior mean.
    features = random.normal(size=4)
    at_prior_mean = [
        replace(sample, users=(sample.user_mean + features @ sample.user_weights)[None])
        for sample in samples
    ]
    expected = np.mean([products_of(sample) for sample in at_prior_mean], axis=0)[0]
    user = full.user_base + features @ full.user_weights
    products = user[1:] @ full.items[:, 1:].T + user[0] + full.items[:, 0]
    assert products == pytest.approx(expected, abs=1e-3)
    assert CompressedMean(samples, 2).users.shape == (9, 3)


def products_of(sample):
    users, items = sample.users, sample.items
    return users[:, 1:] @ items[:, 1:].T + users[:, :1] + items[:, 0]


def test_side_features_of_a_field_have_length_one():
    dataset = make_dataset(
        [("a", "x", 0)],
        items={
            "x": {"genre": ["noir", "war"], "year": 1940.0, "maker": "one", "title": "a b"},
            "y": {"genre": ["noir"], "year": 1990.0, "maker": "one", "title": "a b"},
            "z": {"genre": ["war", "noir"], "year": 1991.0, "maker": "two", "title": "a b"},
        },
    )
    catalogue = dataset.catalogue
    numbers = catalogue.numbers(["x", "y", "z"]).tolist()
    common = SideFeatures.fit(catalogue, [], min_count=1, max_share=0.9, numeric_bins=2)
    names = ["".join(word) for word in common.words]
    assert names == ["genre=war", "maker=one", "maker=two", "year#0", "year#1"]
    matrix = common.matrix(catalogue, numbers, []).toarray()
    assert matrix.tolist() == [[1, 1, 0, 1, 0], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]
    without_numbers = common.matrix(catalogue, numbers, [], ranged=False).toarray()
    assert not without_numbers[:, 3:].any()
    every = SideFeatures.fit(catalogue, [], min_count=1, max_share=1.0, numeric_bins=0)
    row = every.matrix(catalogue, numbers[:1], []).toarray()[0]
    relations = np.array([relation for relation, _ in every.words])
    assert row[relations == "genre="] == pytest.approx([0.5**0.5, 0.5**0.5])
    assert "year#" not in relations


def test_side_features_ignore_values_of_another_type():
    dataset = make_dataset([("a", "x", 0)], items={"x": {"year": 1990.0, "maker": "one"}})
    features = SideFeatures.fit(dataset.catalogue, [], min_count=1, max_share=1.0, numeric_bins=2)
    fields = [{"year": "long ago", "maker": 7, "else": [1]}, {"maker": "one", "year": True}]
    assert features.of_fields(fields).toarray().sum(axis=1).tolist() == [0, 1]


def test_triple_words_name_heads_and_tails():
    dataset = from_arrays(
        ["a", "a"],
        ["x", "y"],
        facts=[("x", "by", "ann"), ("y", "follows", "x"), ("q", "by", "ann")],
    )
    words = triple_words(dataset.triples, dataset.n_items)
    number = dataset.catalogue.number
    assert words[number("x")] == (("by>", "ann"), ("follows<", "y"))
    assert words[number("y")] == (("follows>", "x"),)


def test_co_occurrence_features_count_each_pair_once():
    rows, columns = np.array([0, 0, 0, 2]), np.array([1, 1, 0, 1])
    expected = np.array([[0.5**0.5, 0.5**0.5], [0, 0], [0, 1]])
    assert co_occurrence_features(rows, columns, (3, 2)).toarray() == pytest.approx(expected)


def test_queries_without_user_and_history_have_no_predictions():
    dataset, _, _ = planted()
    stage = Ratings(RatingsConfig(**SHORT), name="ratings").fit(dataset)
    empty = QueryBatch.of_histories(ask(dataset.catalogue, []).history)
    assert np.isnan(scores(stage, empty, dataset.catalogue, "item-1")).all()


def test_samples_beyond_memory_are_rejected_before_the_fit():
    dataset, _, _ = planted()
    with pytest.raises(InputError) as error:
        Factors(FactorsConfig(method="mf", factors=50_000)).fit(dataset)
    assert error.value.field == "factors"


def test_an_unknown_event_type_is_rejected():
    dataset, _, _ = planted()
    with pytest.raises(InputError) as error:
        Ratings(RatingsConfig(event_types=("stars",))).fit(dataset)
    assert error.value.field == "event_types"


@pytest.mark.parametrize("use_side_information", [True, False])
def test_a_loaded_stage_has_the_same_predictions(use_side_information, tmp_path):
    dataset, _, _ = planted()
    config = RatingsConfig(use_side_information=use_side_information, **SHORT)
    stage = Ratings(config, name="ratings").fit(dataset)
    stage.save(tmp_path)
    loaded = Ratings.load(config, "ratings", tmp_path)
    unknown = replace(
        ask(dataset.catalogue, ["item-1"]),
        users=np.full(1, -1, np.int32),
        contexts=({"user": {"club": "south"}},),
    )
    results = [
        scores(model, replace(unknown, cache={}), dataset.catalogue, *dataset.catalogue.ids)
        for model in (stage, loaded)
    ]
    np.testing.assert_array_equal(*results)


def test_row_moments_of_wide_and_narrow_rows_agree():
    random = np.random.default_rng(0)
    design, targets = random.normal(size=(9, 40)), random.normal(size=9)
    counts = np.array([4, 0, 5])
    squares, products = row_moments(design, targets, counts)
    for row, chosen in ((0, slice(0, 4)), (2, slice(4, 9))):
        assert squares[row] == pytest.approx(design[chosen].T @ design[chosen])
        assert products[row] == pytest.approx(targets[chosen] @ design[chosen])
    assert not squares[1].any()
    narrow, _ = row_moments(design[:, :8], targets, counts)
    assert narrow == pytest.approx(squares[:, :8, :8])


def test_block_rows_shrink_with_the_width():
    assert block_rows(11) == 4096
    assert block_rows(1001) == 8
    assert block_rows(100_000) == 1
