"""Fusion: comparable scores, learned weights, and an honest word about not knowing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import CandidateLists
from plait.errors import BundleError, RecipeError
from plait.pipeline.fitted_state import STATE_FILE
from plait.pipeline.recipe import build_stage
from plait.ranking.fusion.config import FuseConfig
from plait.ranking.fusion.fixed_weights import FixedWeights
from plait.ranking.fusion.fuse import Fuse
from plait.ranking.fusion.score_normalization import ScoreShape, normalize_scores, reciprocal_ranks
from plait.ranking.fusion.weight_optimization import (
    FusionExamples,
    coordinate_ascent,
    maximize_likelihood,
    ndcgs,
)
from tests.ranking.candidate_fixtures import ask, candidates, ragged
from tests.ranking.planted_signal import fuse, text_items, weights_of, world

NAN = float("nan")


def scored(stage, items, queries=None):
    queries = ask(*[()] * items.shape[0]) if queries is None else queries
    return stage.apply(queries, items)


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


def test_strands_that_are_the_same_to_all_bands_share_a_weight_where_there_is_no_room():
    asked, items, targets = world()
    learned = fuse(history_length_bands=(0, 10), max_weights=5).learn_weights(asked, items, targets)
    few, many = weights_of(learned)
    assert few["dice"] == many["dice"]
    assert few["short"] > 5 * few["long"]
    assert many["long"] > 5 * many["short"]
    assert learned.describe()["scalars"] == 5


def test_a_strand_without_room_keeps_its_given_weight():
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


def test_scores_count_by_order_and_gaps_and_not_by_unit():
    first = candidates([0, 1, 2], a__score=[[1, 2, 4]], b__score=[[9, 3, 2]])
    second = candidates([0, 1, 2], a__score=[[-30, -20, 0]], b__score=[[0.9, 0.3, 0.2]])
    np.testing.assert_allclose(
        scored(fuse(), first).column("score"), scored(fuse(), second).column("score"), atol=1e-5
    )


def test_shares_add_up_to_the_score():
    items = candidates([0, 1, 2], a__score=[[1, NAN, 4]], b__score=[[9, 3, 2]])
    fused = scored(fuse(missing_score={"*": "minimum"}, missing_margin=1.0), items)
    np.testing.assert_allclose(
        fused.column("a.share") + fused.column("b.share"), fused.column("score"), atol=1e-6
    )


def test_a_strand_that_knows_nothing_takes_no_part():
    alone = candidates([0, 1, 2], b__score=[[9, 3, 2]])
    both = candidates([0, 1, 2], a__score=[[NAN] * 3], b__score=[[9, 3, 2]])
    np.testing.assert_array_equal(
        scored(fuse(), alone).column("score"), scored(fuse(), both).column("score")
    )
    nobody = candidates([0, 1], a__score=[[NAN, NAN]])
    assert np.isnan(scored(fuse(), nobody).column("score")).all()
    assert np.isnan(scored(fuse(), candidates([0, 1])).column("score")).all()


@pytest.mark.parametrize(
    ("missing", "margin", "place"),
    [
        ("mean", 0.0, 2),
        ("minimum", 0.0, 3),
        ("mean", 5.0, 4),
        ("minimum", 1.0, 4),
        ("zero", 0.0, 4),
    ],
)
def test_what_a_missing_score_is_worth_is_an_option(missing, margin, place):
    """Item 4 is unknown to a strand that rates 4, 3, 2, 1."""
    items = candidates([0, 1, 2, 3, 4], a__score=[[4, 3, 2, 1, NAN]])
    score = scored(fuse(missing_score={"*": missing}, missing_margin=margin), items).column(
        "score"
    )[0]
    assert (score[:4] > score[4]).sum() == place


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


def test_no_history_is_answered_by_what_is_popular():
    """What a user without a history gets: the only strand that speaks decides alone."""
    items = candidates(
        [0, 1, 2],
        popular__score=[[0.1, 0.5, 0.2]],
        linear__score=[[NAN] * 3],
        repeat__score=[[NAN] * 3],
    )
    assert scored(fuse(), items).column("score")[0].argsort().tolist() == [0, 2, 1]


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


def test_words_decide_a_search():
    fused = scored(fuse(), text_items(), ask(texts=("red mug",)))
    assert fused.column("score")[0].argmax() == 2
    assert fused.removal_reasons == ("unmatched",)
    assert fused.column("removed_by").tolist() == [[0, -1, -1, 0]]
    loose = scored(fuse(match=()), text_items(), ask(texts=("red mug",)))
    assert "removed_by" not in loose.columns


def test_a_callers_list_is_not_shortened_by_words():
    queries = ask(texts=("red mug",), candidates=ragged([0, 1, 2, 3]))
    assert "removed_by" not in scored(fuse(), text_items(), queries).columns


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


def test_reciprocal_ranks():
    """Cormack et al.: the sum of 1 / (k + rank); not brought counts nothing."""
    items = candidates(
        [0, 1, 2],
        a__score=[[3, 2, 1]],
        b__score=[[1, 2, 3]],
        a__rank=[[0, 1, -1]],
        b__rank=[[-1, 1, 0]],
    )
    score = scored(fuse(method="rrf", k=60), items).column("score")[0] * 2 / 61
    np.testing.assert_allclose(score, [1 / 61, 2 / 62, 1 / 61], rtol=1e-5)


def test_reciprocal_ranks_of_a_callers_list_come_from_the_scores():
    items = candidates([0, 1, 2], a__score=[[3, 9, NAN]])
    assert scored(fuse(method="rrf"), items).column("score")[0].argsort().tolist() == [2, 0, 1]


def test_reciprocal_ranks_learn_too():
    asked, items, targets = world()
    learned = fuse(method="rrf", history_length_bands=(0, 10)).learn_weights(asked, items, targets)
    few, many = weights_of(learned)
    assert few["short"] > 2 * few["long"]
    assert many["long"] > 2 * many["short"]


@pytest.mark.parametrize("curve", ["none", "log", "rank"])
@pytest.mark.parametrize("scale", ["none", "zscore", "minmax"])
def test_every_shape_keeps_the_order(curve, scale):
    scores = np.array([[1, 7, 3, NAN, 2, 2]], np.float32)
    present = np.array([[1, 1, 1, 1, 1, 0]], bool)
    values = normalize_scores(scores, present, ScoreShape(curve, scale)).values[0]
    assert values[:5][[0, 4, 2, 1]].tolist() == sorted(values[:5][[0, 4, 2, 1]].tolist())
    assert values[3] == values[5] == 0


values = st.lists(
    st.floats(-1e6, 1e6, width=32) | st.sampled_from([NAN, np.inf, -np.inf, 0.0]), max_size=8
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(values, st.integers(0, 30)), min_size=1, max_size=5),
    st.sampled_from(["none", "log", "rank"]),
    st.sampled_from(["zscore", "minmax"]),
    st.sampled_from(["weighted", "rrf"]),
)
def test_batch_equals_single(rows, curve, scale, method):
    """Other queries, and the padding that they cause, change nothing."""
    stage = fuse(
        transform=curve, normalization=scale, method=method, missing_score={"*": "minimum"}
    )
    width = max(len(row_scores) for row_scores, _ in rows)
    padded = [row_scores + [NAN] * (width - len(row_scores)) for row_scores, _ in rows]
    items = candidates(
        *[range(len(row_scores)) for row_scores, _ in rows],
        a__score=np.array(padded, np.float32).reshape(len(rows), width),
        popular__score=np.array(padded, np.float32).reshape(len(rows), width)[:, ::-1].copy(),
    )
    queries = ask(*[[0] * size for _, size in rows])
    together = stage.apply(queries, items)
    for row, (row_scores, _) in enumerate(rows):
        cut = {
            name: column[row : row + 1, : len(row_scores)] for name, column in items.columns.items()
        }
        alone = stage.apply(
            queries.slice(row, row + 1),
            CandidateLists(items.item_numbers[row : row + 1, : len(row_scores)], cut),
        )
        np.testing.assert_allclose(
            alone.column("score")[0],
            together.column("score")[row, : len(row_scores)],
            rtol=1e-4,
            atol=1e-4,
        )


def test_nothing_to_fuse():
    for items in (candidates(), candidates([], [])):
        fused = scored(fuse(), items)
        assert fused.column("score").shape == items.shape


def test_the_likelihood_has_the_right_slope():
    """The closed form for one strand and two candidates: log odds."""
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
    """Of 20 queries the first strand is right in 8. The second is right in `right` of the others,
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


def test_reciprocal_of_nothing():
    signals = reciprocal_ranks(np.full((1, 2), np.nan, np.float32), np.ones((1, 2), bool), 60)
    assert not signals.active.any()


@pytest.mark.parametrize(
    "given_",
    [{"method": "sum"}, {"missing": {"*": "gone"}}, {"curve": "x"}, {"bands": 3}, {"x": 1}],
)
def test_wrong_settings_are_refused(given_):
    with pytest.raises(RecipeError):
        build_stage("fuse", given_)


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
