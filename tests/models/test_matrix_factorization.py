"""Matrix factorisation and related models: planted structure, and the equations they solve."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import InputError, RecipeError
from plait.features.interactions import interaction_matrix
from plait.features.sparse_rows import decayed_history
from plait.models.factorization.ials_bpr import fit_ials, ordered_matrix, solve_users
from plait.models.factorization.matrix_factorization import Factors, FactorsConfig
from plait.models.factorization.neumf import NeuMFConfig, PairBatches
from plait.models.factorization.rating_prediction import Ratings, RatingsConfig
from plait.pipeline.recipe import build_stage
from plait.pipeline.stage import RatingPredictor
from plait.testing.queries import ask, listed, scores
from plait.testing.synthetic_data import checkerboard, late_arrivals, make_dataset, market
from plait.training.config import TrainingConfig

SMALL = {
    "ials": {"factors": 8},
    "bpr": {"factors": 8, "iterations": 100},
    "neumf": {
        "factors": 16,
        "training": TrainingConfig(epochs=40, batch_size=64, learning_rate=0.01),
    },
}


def factors(dataset, method, **changes):
    settings = {**SMALL.get(method, {}), **changes}
    return Factors(FactorsConfig(method=method, **settings), name="factors").fit(dataset)


@pytest.mark.parametrize("method", list(SMALL))
def test_vectors_beyond_memory_are_rejected_before_the_fit(method):
    with pytest.raises(InputError) as error:
        factors(checkerboard(), method, factors=2**31 - 1)
    assert (error.value.field, error.value.hint) == ("factors", "make factors smaller")


@pytest.fixture(scope="module", params=list(SMALL))
def stage(request):
    return factors(checkerboard(), request.param)


def test_items_of_the_users_colour_have_the_highest_scores(stage):
    dataset = checkerboard()
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(number) for number in histories[user]]
        colour = ids[0].partition("-")[0]
        queries = ask(dataset.catalogue, ids)
        result = scores(stage, queries, dataset.catalogue, *dataset.catalogue.ids)
        is_same = np.array([item_id.startswith(colour) for item_id in dataset.catalogue.ids])
        assert result[0][is_same].min() > result[0][~is_same].max()


def test_scores_depend_on_the_history_in_the_query(stage):
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1", "black-2"], ["white-1", "white-2"], [])
    result = scores(stage, queries, dataset.catalogue, "black-4", "white-4")
    assert result[0, 0] > result[0, 1]
    assert result[1, 1] > result[1, 0]
    assert np.isnan(result[2]).all()
    known = replace(queries, users=np.array([0, 1, 2], np.int32), cache={})
    assert scores(stage, known, dataset.catalogue, "black-4", "white-4")[:2] == pytest.approx(
        result[:2]
    )


def test_seed_items_of_a_query_replace_the_history(stage):
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1"], anchors=[["white-2"]])
    result = scores(stage, queries, dataset.catalogue, "black-4", "white-4")
    assert result[0, 1] > result[0, 0]


@pytest.mark.parametrize("method", list(SMALL))
def test_items_without_interactions_are_unknown(method):
    dataset = late_arrivals()
    stage = factors(dataset, method)
    queries = ask(dataset.catalogue, ["black-1"], ["black-late"])
    result = scores(stage, queries, dataset.catalogue, "black-late", "black-2")
    assert np.isnan(result).tolist() == [[True, False], [True, True]]


def test_solve_users_solves_the_normal_equations():
    dataset = market()
    space = fit_ials(dataset, factors=5, iterations=4, l2=0.3, alpha=7.0, seed=0)
    long = [f"item-{n}" for n in range(1, 20)]
    queries = ask(dataset.catalogue, ["item-1", "item-3", "item-1"], ["item-2", "item-22"], long)
    histories = decayed_history(queries.history, 0.5, dataset.n_items)
    users = solve_users(space, histories, alpha=7.0)
    known = ~np.isnan(space.items[:, 0])
    for row, history in enumerate(histories.toarray()):
        confidence = np.where(history > 0, 7.0 * history, 1.0)[known]
        items = space.items[known].astype(np.float64)
        left = items.T @ (confidence[:, None] * items) + 0.3 * np.eye(5)
        right = items.T @ (confidence * (history[known] > 0))
        assert users[row] == pytest.approx(np.linalg.solve(left, right), abs=1e-4)


def test_solve_users_equals_the_users_that_implicit_recalculates():
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    dataset = market()
    matrix, rows = ordered_matrix(dataset)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=4, regularization=0.5, alpha=3.0, iterations=5, random_state=1
        )
        model.fit(matrix, show_progress=False)
        expected = model.recalculate_user(np.arange(3), matrix[:3])
    space = fit_ials(dataset, factors=4, iterations=5, l2=0.5, alpha=3.0, seed=1)
    assert space.items[rows] == pytest.approx(model.item_factors)
    ids = [
        [dataset.catalogue.id(rows[column]) for column in matrix[user].indices] for user in range(3)
    ]
    histories = decayed_history(ask(dataset.catalogue, *ids).history, 1.0, dataset.n_items)
    assert solve_users(space, histories, alpha=3.0) == pytest.approx(expected, abs=1e-3)


def test_ordered_matrix_holds_only_users_and_items_with_interactions():
    dataset = market()
    matrix, rows = ordered_matrix(dataset)
    assert (np.diff(matrix.indptr) > 0).all()
    assert (np.diff(matrix.tocsc().indptr) > 0).all()
    tiebreak = dataset.catalogue.tiebreak[rows]
    assert (tiebreak[1:] > tiebreak[:-1]).all()
    assert matrix.nnz == interaction_matrix(dataset).nnz


def test_methods_without_ratings_predict_none():
    dataset = checkerboard()
    stage = factors(dataset, "ials")
    assert isinstance(stage, RatingPredictor)
    assert not stage.can_predict_ratings
    assert factors(market(), "mf", iterations=4, burn_in=1).can_predict_ratings
    assert np.isnan(stage.predict(ask(dataset.catalogue, ["black-1"]), np.zeros((1, 3), int))).all()


def test_neumf_without_training_data_knows_no_item():
    dataset = make_dataset([(f"user-{n}", f"item-{n}", n) for n in range(4)])
    stage = factors(dataset, "neumf")
    result = scores(
        stage, ask(dataset.catalogue, ["item-1"]), dataset.catalogue, "item-1", "item-2"
    )
    assert np.isnan(result).all()
    assert listed(stage.retrieve(ask(dataset.catalogue, ["item-1"]), 1), dataset.catalogue) == [[]]


def test_negatives_of_neumf_are_items_without_an_interaction_of_the_user():
    histories = Ragged.from_rows([[0, 1, 2], [3, 4], [0, 1, 2, 3, 4]])
    config = NeuMFConfig(dim=4, dropout=0.0, num_negatives=50, max_length=10)
    batches = PairBatches(histories, 5, size=4, config=config, seed=0)
    expected = {(1, 2, 3): {4, 5}, (4, 5): {1, 2, 3}, (1, 2, 3, 4, 5): set()}
    negatives_of = {}
    for batch in batches.epoch(0):
        for history, negatives in zip(batch["history"], batch["negatives"], strict=True):
            user_items = tuple(history[history > 0].tolist())
            negatives_of.setdefault(user_items, set()).update(negatives.tolist())
    assert {items: negatives - {0} for items, negatives in negatives_of.items()} == expected


@pytest.mark.parametrize("method", ["mf", "svdpp"])
def test_items_with_negative_ratings_are_retrieved(method):
    events = [(f"user-{u}", f"item-{i}", i) for u in range(10) for i in range(6) if (u + i) % 3]
    marks = [-1.0 - int(item[5:]) for _, item, _ in events]
    dataset = make_dataset(events, values=marks)
    stage = factors(dataset, method, iterations=60, burn_in=20)
    queries = replace(ask(dataset.catalogue, ["item-1"]), users=dataset.users.numbers(["user-0"]))
    assert listed(stage.retrieve(queries, 2), dataset.catalogue) == [["item-0", "item-1"]]


def test_bpr_retrieves_items_whatever_the_sign_of_their_score():
    dataset = make_dataset([("user", item, day) for day, item in enumerate("abc")])
    stage = factors(dataset, "bpr", factors=4, iterations=3)
    queries = ask(dataset.catalogue, ["a"])
    result = scores(stage, queries, dataset.catalogue, *"abc")[0]
    assert result.min() <= 0
    ranked = ["abc"[index] for index in np.argsort(-result)]
    assert listed(stage.retrieve(queries, 3), dataset.catalogue) == [ranked]


def test_histories_of_neumf_beyond_memory_are_rejected():
    count = 100_000
    dataset = make_dataset([("user", f"item-{n}", n) for n in range(count)])
    training = TrainingConfig(epochs=1, batch_size=count)
    with pytest.raises(InputError) as error:
        factors(dataset, "neumf", factors=32, max_baskets=0, training=training)
    assert error.value.field == "max_baskets"
    assert error.value.hint == f"set max_baskets below {count}, or make training.batch_size smaller"


def test_an_unknown_method_is_rejected():
    with pytest.raises(RecipeError) as error:
        build_stage("factors", {"method": "svd"})
    assert "method" in error.value.field


def test_a_burn_in_of_all_iterations_is_rejected():
    with pytest.raises(InputError) as error:
        factors(market(), "mf", iterations=50, burn_in=50)
    assert error.value.field == "factors.burn_in"
    with pytest.raises(InputError) as error:
        Ratings(RatingsConfig(burn_in=200))
    assert error.value.field == "ratings.burn_in"
    assert Factors(FactorsConfig(burn_in=50, iterations=50)).config.method == "ials"


def test_neumf_with_one_factor_is_rejected():
    with pytest.raises(InputError) as error:
        Factors(FactorsConfig(method="neumf", factors=1))
    assert error.value.field == "factors.factors"
    assert Factors(FactorsConfig(method="mf", factors=1)).config.factors == 1
