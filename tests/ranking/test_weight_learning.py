"""Weights of fusion: learned from held-out targets by band, saved, or fixed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plait.errors import BundleError, RecipeError
from plait.pipeline.fitted_state import STATE_FILE
from plait.pipeline.recipe import build_stage
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fixed_weights import FixedWeights
from plait.ranking.fusion.fuse import Fuse
from plait.ranking.fusion.weight_optimization import (
    FusionExamples,
    coordinate_ascent,
    maximize_likelihood,
    ndcgs,
)
from tests.ranking.candidate_fixtures import ask, candidates, ragged, scored
from tests.ranking.planted_signal import fuse, weights_of, world

NAN = float("nan")


def test_the_planted_weights_are_learned_by_band():
    asked, items, targets = world()
    learned = fuse(history_length_bands=(0, 10)).learn_weights(asked, items, targets)
    few, many = weights_of(learned)
    assert few["short"] > 5 * max(few["long"], few["dice"])
    assert many["long"] > 5 * max(many["short"], many["dice"])
    described = learned.describe()
    assert described["scalars"] == 6
    assert [band["history_from"] for band in described["bands"]] == [0, 10]
    json.dumps(described)


def test_learning_is_deterministic_and_changes_nothing_in_place():
    asked, items, targets = world(queries=300)
    stage = fuse()
    first, second = (
        stage.learn_weights(asked, items, targets),
        stage.learn_weights(asked, items, targets),
    )
    assert first.describe() == second.describe()
    assert not stage.describe()["learned"]


def test_never_more_scalars_than_allowed():
    asked, items, targets = world()
    for scalars, bands in ((10, 2), (6, 2), (5, 2), (4, 1), (3, 1)):
        learned = fuse(
            max_weights=scalars, history_length_bands=(0, 2, 20), min_band_queries=10
        ).learn_weights(asked, items, targets)
        assert len(weights_of(learned)) == bands
        assert learned.describe()["scalars"] <= scalars


def test_models_that_are_the_same_to_all_bands_share_a_weight_where_there_is_no_room():
    asked, items, targets = world()
    learned = fuse(history_length_bands=(0, 10), max_weights=5).learn_weights(asked, items, targets)
    few, many = weights_of(learned)
    assert few["dice"] == many["dice"]
    assert few["short"] > 5 * few["long"]
    assert many["long"] > 5 * many["short"]
    assert learned.describe()["scalars"] == 5


def test_a_model_without_room_keeps_its_settings_weight():
    asked, items, targets = world(queries=100)
    learned = fuse(max_weights=2).learn_weights(asked, items, targets)
    assert list(weights_of(learned)[0]) == ["short", "long"]
    weights = learned.weights(asked, ["short", "long", "dice"])
    assert (weights[:, 2] > 0).all()


def test_a_band_with_too_few_queries_is_joined():
    asked, items, targets = world(queries=100)
    learned = fuse(history_length_bands=(0, 10)).learn_weights(asked, items, targets)
    assert len(weights_of(learned)) == 1


def test_without_targets_nothing_is_learned():
    asked, items, _ = world(queries=10)
    for targets in (ragged(*[[]] * 10), ragged(*[[99]] * 10)):
        assert not fuse().learn_weights(asked, items, targets).describe()["learned"]


def test_targets_that_are_blocked_teach_nothing():
    asked, items, targets = world(queries=10)
    asked = replace(asked, blocked=targets)
    assert not fuse().learn_weights(asked, items, targets).describe()["learned"]


def test_what_was_learned_survives_the_disk(tmp_path):
    asked, items, targets = world(queries=300)
    learned = fuse().learn_weights(asked, items, targets)
    learned.save(tmp_path)
    loaded = Fuse.load(learned.config, "fuse", tmp_path)
    assert loaded.describe() == learned.describe()
    np.testing.assert_array_equal(
        scored(loaded, items, asked).column("score"), scored(learned, items, asked).column("score")
    )
    (tmp_path / STATE_FILE).write_text("{}")
    with pytest.raises(BundleError) as failure:
        Fuse.load(learned.config, "fuse", tmp_path)
    assert failure.value.hint == "fit again"


def test_unlearned_and_saved_is_unlearned(tmp_path):
    fuse().save(tmp_path)
    assert not Fuse.load(FuseConfig(), "fuse", tmp_path).describe()["learned"]


def test_the_price_of_a_missing_score_is_learned():
    """Unknown candidates never are targets in one world and always in the other."""
    asked, items, _ = world(queries=400)
    random = np.random.default_rng(1)
    columns = dict(items.columns)
    columns["long.score"] = np.where(
        random.random(items.shape) < 0.5, np.nan, columns["long.score"]
    )
    holed = replace(items, columns=columns)
    unknown = np.isnan(columns["long.score"])
    prices = []
    for is_candidate in (~unknown, unknown):
        best = np.where(is_candidate, columns["short.score"], -np.inf).argmax(axis=1)
        learned = fuse(min_band_queries=50).learn_weights(
            asked, holed, ragged(*[[number] for number in best])
        )
        prices.append(learned.describe()["margin"])
    assert prices[0] > 0
    assert prices[1] == 0


def test_a_stranger_is_answered_even_where_learning_silenced_what_is_popular():
    """Only users with a history teach; they may find that popular adds nothing to the others."""
    asked, items, targets = world(queries=300)
    taught = items.with_columns(**{"popular.score": -items.column("long.score")})
    learned = fuse(history_length_bands=(0,)).learn_weights(asked, taught, targets)
    assert weights_of(learned)[0]["popular"] == 0
    stranger = candidates(
        [0, 1, 2],
        popular__score=[[0.1, 0.5, 0.2]],
        short__score=[[NAN] * 3],
        long__score=[[NAN] * 3],
        dice__score=[[NAN] * 3],
    )
    assert scored(learned, stranger).column("score")[0].argsort().tolist() == [0, 2, 1]


def test_items_nobody_takes_are_not_better_than_those_that_somebody_takes():
    """popular and repeat: no score stands for the score zero."""
    items = candidates([0, 1, 2], popular__score=[[0.5, 0.1, NAN]], repeat__score=[[NAN, 0.3, 0.2]])
    fused = scored(fuse(), items)
    assert fused.column("popular.share")[0].argsort().tolist() == [2, 1, 0]
    assert fused.column("repeat.share")[0].argsort().tolist() == [0, 2, 1]


def test_learned_weights_are_for_users_only():
    asked, items, targets = world(queries=300)
    learned = fuse(item_query_weights={"*": 0.5}).learn_weights(asked, items, targets)
    mixed = ask((), (), (), (1,), texts=("mug", " ", None, None), items=ragged([], [], [3], []))
    weights = learned.weights(mixed, ["lexical", "short"])
    assert weights[0].tolist() == pytest.approx([1.0, 0.1])
    assert weights[2].tolist() == [0.5, 0.5]
    assert (
        weights[1, 1] == weights[3, 1] == pytest.approx(weights_of(learned)[0]["short"], abs=1e-4)
    )


def test_reciprocal_ranks_learn_too():
    asked, items, targets = world()
    learned = fuse(method="rrf", history_length_bands=(0, 10)).learn_weights(asked, items, targets)
    few, many = weights_of(learned)
    assert few["short"] > 2 * few["long"]
    assert many["long"] > 2 * many["short"]


def test_the_likelihood_has_the_right_slope():
    """The closed form for one model and two candidates: log odds."""
    lessons = FusionExamples(
        np.tile(np.array([[0, 1]], np.float32), (1, 4, 1)),
        np.ones((4, 2), bool),
        np.array([[0, 1]] * 3 + [[1, 0]], bool),
    )
    weights, loss = maximize_likelihood(lessons, np.zeros(1), 0.0)
    assert weights[0] == pytest.approx(np.log(3), abs=1e-3)
    assert loss == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-4)
    assert ndcgs(lessons, weights).mean() == pytest.approx((3 + 1 / np.log2(3)) / 4)


@pytest.mark.parametrize(
    ("right", "wrong", "taken"), [(3, 2, False), (4, 2, False), (12, 2, True), (3, 0, True)]
)
def test_a_step_that_gains_no_more_than_chance_is_not_taken(right, wrong, taken):
    """Of 20 queries the first model is right in 8. The second is right in `right` of the others,
    and wrong in `wrong` of those 8.
    """
    first, second = np.zeros((2, 20, 2), np.float32)
    first[:, 1] = 1
    second[:, 0] = (np.arange(20) < right) | (np.arange(20) >= 20 - wrong)
    hits = np.zeros((20, 2), np.bool_)
    hits[:, 0], hits[:, 1] = np.arange(20) < 12, np.arange(20) >= 12
    lessons = FusionExamples(np.stack([first, 3 * second]), np.ones((20, 2), np.bool_), hits)
    start = np.array([1.0, 0.0])
    improved = coordinate_ascent(lessons, start, 3)
    assert (ndcgs(lessons, improved).mean() > ndcgs(lessons, start).mean()) == taken


@pytest.mark.parametrize(
    ("fixed", "field"),
    [
        ({"history_from": [1]}, "fuse.fixed.history_from"),
        ({"history_from": [0, 5, 5]}, "fuse.fixed.history_from"),
        ({"history_from": []}, "fuse.fixed.history_from"),
        ({"history_from": [0, 5], "weights": {"short": [1.0]}}, "fuse.fixed.weights.short"),
    ],
)
def test_fixed_weights_need_ascending_bands_and_a_weight_for_each(fixed, field):
    with pytest.raises(RecipeError) as problem:
        build_stage("fuse", {"fixed": fixed})
    assert problem.value.field == field


def test_fixed_weights_score_as_the_learned_ones_that_they_are():
    asked, items, targets = world()
    learned = fuse(history_length_bands=(0, 10)).learn_weights(asked, items, targets)
    weights = learned.learned
    columns = zip(weights.models, weights.weights.T.tolist(), strict=True)
    fixed = FixedWeights(
        tuple(weights.lower.tolist()), {name: tuple(row) for name, row in columns}, weights.margin
    )
    stage = fuse(fixed=fixed)
    assert scored(stage, items, asked).column("score") == pytest.approx(
        scored(learned, items, asked).column("score"), nan_ok=True
    )
    assert stage.learn_weights(asked, items, targets).learned is stage.learned is not None
