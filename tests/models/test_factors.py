"""Matrix factorisation and its kin: worlds with a right answer, and the equations they solve."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import InputError, RecipeError
from plait.features.interactions import interaction_matrix
from plait.features.sparse_rows import decayed_history
from plait.models.factorization.factors import Factors, FactorsConfig
from plait.models.factorization.implicit_mf import folded, ials, ordered
from plait.models.factorization.neumf import PairBatches
from plait.models.factorization.ratings import Ratings, RatingsConfig
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


def factors(dataset, method, **settings):
    told = {**SMALL.get(method, {}), **settings}
    return Factors(FactorsConfig(method=method, **told), name="factors").fit(dataset)


@pytest.mark.parametrize("method", list(SMALL))
def test_vectors_that_cannot_fit_into_memory_are_refused_before_the_start(method):
    with pytest.raises(InputError, match=r"would need about .* GB of memory") as it:
        factors(checkerboard(), method, factors=10**12)
    assert (it.value.field, it.value.hint) == ("factors", "make factors smaller")


@pytest.fixture(scope="module", params=list(SMALL))
def stage(request):
    return factors(checkerboard(), request.param)


def test_users_are_given_what_they_lack_of_their_colour(stage):
    dataset = checkerboard()
    histories = dataset.histories()
    for user in range(dataset.n_users):
        ids = [dataset.catalogue.id(one) for one in histories[user]]
        colour = ids[0].partition("-")[0]
        found = scores(
            stage, ask(dataset.catalogue, ids), dataset.catalogue, *dataset.catalogue.ids
        )
        mine = [one.startswith(colour) for one in dataset.catalogue.ids]
        others = [not one for one in mine]
        assert found[0][mine].min() > found[0][others].max()


def test_a_history_that_changes_changes_the_answer(stage):
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1", "black-2"], ["white-1", "white-2"], [])
    found = scores(stage, queries, dataset.catalogue, "black-4", "white-4")
    assert found[0, 0] > found[0, 1]
    assert found[1, 1] > found[1, 0]
    assert np.isnan(found[2]).all()
    known = replace(queries, users=np.array([0, 1, 2], np.int32), cache={})
    assert scores(stage, known, dataset.catalogue, "black-4", "white-4")[:2] == pytest.approx(
        found[:2]
    )


def test_more_like_this_goes_by_the_anchors(stage):
    dataset = checkerboard()
    queries = ask(dataset.catalogue, ["black-1"], anchors=[["white-2"]])
    found = scores(stage, queries, dataset.catalogue, "black-4", "white-4")
    assert found[0, 1] > found[0, 0]


@pytest.mark.parametrize("method", list(SMALL))
def test_what_nobody_took_is_unknown(method):
    dataset = late_arrivals()
    stage = factors(dataset, method)
    queries = ask(dataset.catalogue, ["black-1"], ["black-late"])
    found = scores(stage, queries, dataset.catalogue, "black-late", "black-2")
    assert np.isnan(found).tolist() == [[True, False], [True, True]]


def test_the_fold_in_solves_the_normal_equations():
    dataset = market()
    space = ials(dataset, factors=5, iterations=4, l2=0.3, alpha=7.0, seed=0)
    long = [f"item-{one}" for one in range(1, 20)]
    queries = ask(dataset.catalogue, ["item-1", "item-3", "item-1"], ["item-2", "item-22"], long)
    taken = decayed_history(queries.history, 0.5, dataset.n_items)
    found = folded(space, taken, alpha=7.0)
    known = ~np.isnan(space.items[:, 0])
    for row, history in enumerate(taken.toarray()):
        sure = np.where(history > 0, 7.0 * history, 1.0)[known]
        items = space.items[known].astype(np.float64)
        left = items.T @ (sure[:, None] * items) + 0.3 * np.eye(5)
        right = items.T @ (sure * (history[known] > 0))
        assert found[row] == pytest.approx(np.linalg.solve(left, right), abs=1e-4)


def test_an_als_user_who_is_folded_in_is_the_user_of_the_fit():
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    dataset = market()
    matrix, rows = ordered(dataset)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=4, regularization=0.5, alpha=3.0, iterations=5, random_state=1
        )
        model.fit(matrix, show_progress=False)
        theirs = model.recalculate_user(np.arange(3), matrix[:3])
    mine = ials(dataset, factors=4, iterations=5, l2=0.5, alpha=3.0, seed=1)
    assert mine.items[rows] == pytest.approx(model.item_factors)
    queries = ask(
        dataset.catalogue,
        *[[dataset.catalogue.id(rows[one]) for one in matrix[user].indices] for user in range(3)],
    )
    found = folded(mine, decayed_history(queries.history, 1.0, dataset.n_items), alpha=3.0)
    assert found == pytest.approx(theirs, abs=1e-3)


def test_only_who_took_something_and_what_was_taken_is_given_to_the_library():
    dataset = market()
    matrix, rows = ordered(dataset)
    assert (np.diff(matrix.indptr) > 0).all()
    assert (np.diff(matrix.tocsc().indptr) > 0).all()
    tiebreak = dataset.catalogue.tiebreak[rows]
    assert (tiebreak[1:] > tiebreak[:-1]).all()
    assert matrix.nnz == interaction_matrix(dataset).nnz


def test_methods_without_ratings_foretell_none():
    dataset = checkerboard()
    stage = factors(dataset, "ials")
    assert isinstance(stage, RatingPredictor)
    assert not stage.can_predict_ratings
    assert factors(market(), "mf", iterations=4, burn_in=1).can_predict_ratings
    assert np.isnan(stage.predict(ask(dataset.catalogue, ["black-1"]), np.zeros((1, 3), int))).all()


def test_neumf_that_was_never_trained_knows_nothing():
    dataset = make_dataset([(f"user-{one}", f"item-{one}", one) for one in range(4)])
    stage = factors(dataset, "neumf")
    found = scores(stage, ask(dataset.catalogue, ["item-1"]), dataset.catalogue, "item-1", "item-2")
    assert np.isnan(found).all()
    assert listed(stage.retrieve(ask(dataset.catalogue, ["item-1"]), 1), dataset.catalogue) == [[]]


def test_neumf_is_shown_no_item_as_wrong_that_the_user_took():
    taken = [[0, 1, 2], [3, 4], [0, 1, 2, 3, 4]]
    pairs = PairBatches(Ragged.from_rows(taken), 5, size=4, negatives=50, longest=10, seed=0)
    others = {(1, 2, 3): {4, 5}, (4, 5): {1, 2, 3}, (1, 2, 3, 4, 5): set()}
    shown = {}
    for batch in pairs.epoch(0):
        for history, wrong in zip(batch["history"], batch["wrong"], strict=True):
            mine = tuple(history[history > 0].tolist())
            shown.setdefault(mine, set()).update(wrong.tolist())
    assert {mine: wrong - {0} for mine, wrong in shown.items()} == others


@pytest.mark.parametrize("method", ["mf", "svdpp"])
def test_ratings_below_zero_are_ranked_too(method):
    events = [(f"user-{u}", f"item-{i}", i) for u in range(10) for i in range(6) if (u + i) % 3]
    marks = [-1.0 - int(item[5:]) for _, item, _ in events]
    dataset = make_dataset(events, values=marks)
    stage = factors(dataset, method, iterations=60, burn_in=20)
    queries = replace(ask(dataset.catalogue, ["item-1"]), users=dataset.users.numbers(["user-0"]))
    assert listed(stage.retrieve(queries, 2), dataset.catalogue) == [["item-0", "item-1"]]


def test_bpr_brings_items_whatever_the_sign_of_their_score():
    dataset = make_dataset([("user", one, day) for day, one in enumerate("abc")])
    stage = factors(dataset, "bpr", factors=4, iterations=3)
    queries = ask(dataset.catalogue, ["a"])
    found = scores(stage, queries, dataset.catalogue, *"abc")[0]
    assert found.min() <= 0
    ranked = ["abc"[one] for one in np.argsort(-found)]
    assert listed(stage.retrieve(queries, 3), dataset.catalogue) == [ranked]


def test_histories_of_neumf_that_cannot_fit_into_memory_are_refused():
    count = 100_000
    dataset = make_dataset([("user", f"item-{one}", one) for one in range(count)])
    training = TrainingConfig(epochs=1, batch_size=count)
    with pytest.raises(InputError, match="max_baskets alone takes") as it:
        factors(dataset, "neumf", factors=32, max_baskets=0, training=training)
    assert it.value.field == "max_baskets"
    assert it.value.hint == f"set max_baskets below {count}, or make training.batch_size smaller"


def test_a_method_that_is_none_is_refused_by_name():
    with pytest.raises(RecipeError, match="method"):
        build_stage("factors", {"method": "svd"})


def test_a_burn_in_of_everything_is_refused():
    with pytest.raises(InputError, match=r"factors\.burn_in is 50, not below"):
        factors(market(), "mf", iterations=50, burn_in=50)
    with pytest.raises(InputError, match=r"ratings\.burn_in is 200, not below"):
        Ratings(RatingsConfig(burn_in=200))
    assert Factors(FactorsConfig(burn_in=50, iterations=50)).config.method == "ials"


def test_a_network_without_a_second_layer_is_refused():
    with pytest.raises(InputError, match=r"factors\.factors is 1, not 2 or more"):
        Factors(FactorsConfig(method="neumf", factors=1))
    assert Factors(FactorsConfig(method="mf", factors=1)).config.factors == 1
