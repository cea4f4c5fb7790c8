"""The methods of the fusion: votes, and rankers that are learned on top of the weighted sum."""

from dataclasses import replace

import numpy as np
import pytest

from plait.pipeline.recipe import build_stage
from plait.ranking.fusion.candidate_columns import without_model
from plait.ranking.fusion.candidate_features import candidate_features, feature_names
from plait.ranking.fusion.config import FUSION_METHODS, FuseConfig
from plait.ranking.fusion.fuse import Fuse
from plait.ranking.fusion.item_statistics import item_statistics
from plait.ranking.fusion.learned_ranker import RankingExamples, surest_gain
from plait.ranking.fusion.ranker_training import best_candidates
from plait.testing.synthetic_data import make_dataset
from plait.utils.timestamps import DAY
from tests.ranking.candidate_fixtures import ask, candidates, ragged
from tests.ranking.planted_signal import fuse, weights_of, world

NAN = float("nan")
LEARNED = ("lambdarank", "mixer")


def fused(method, items, queries=None, **settings):
    stage = Fuse(FuseConfig(method=method, **settings), name="fuse")
    queries = ask(*[()] * items.shape[0]) if queries is None else queries
    return stage.apply(queries, items).column("score")[0]


def test_borda_counts_the_candidates_that_come_behind():
    items = candidates(
        [0, 1, 2, 3],
        a__score=[[4, 3, 2, 1]],
        b__score=[[1, 2, 3, 9]],
        a__rank=[[0, 1, 2, -1]],
        b__rank=[[-1, 2, 1, 0]],
    )
    # Points of a: 4, 3, 2, 0; of b: 0, 2, 3, 4, each out of four, and both weigh a half.
    assert fused("borda", items) == pytest.approx(np.array([4, 5, 5, 4]) / 8)


def test_a_majority_outweighs_any_ranks():
    items = candidates(
        [0, 1, 2],
        a__score=[[9, 5, 1]],
        b__score=[[1, 5, 9]],
        c__score=[[1, 9, 5]],
        a__rank=[[0, 1, 2]],
        b__rank=[[2, 1, 0]],
        c__rank=[[2, 0, 1]],
    )
    score = fused("majority", items, majority_ranks=2)
    assert np.floor(score * 3 + 1e-6).tolist() == [1, 3, 2]
    assert fused("majority", items, majority_ranks=1).argmax() == 1


@pytest.mark.parametrize("method", ["rrf", "borda", "majority"])
def test_votes_of_equal_missing_and_infinite_scores_are_finite(method):
    items = candidates([0, 1, 2], a__score=[[1, 1, 1]], b__score=[[NAN, np.inf, -np.inf]])
    assert np.isfinite(fused(method, items)).all()
    alone = candidates([7], a__score=[[3.0]])
    assert np.isfinite(fused(method, alone)).all()


def crossed(queries=400, width=20, seed=0):
    """Candidates with three scores; `switch` says whether `left` or `right` is to be believed.

    No weighted sum can express that; the fourth score is noise.
    """
    random = np.random.default_rng(seed)
    left, right, noise = random.normal(size=(3, queries, width)).astype(np.float32)
    switch = np.where(random.random((queries, width)) < 0.5, 1, -1).astype(np.float32)
    believed = np.where(switch > 0, left, right)
    targets = (4 * believed + random.gumbel(size=believed.shape)).argmax(axis=1)
    items = candidates(
        *[range(width)] * queries,
        left__score=left,
        right__score=right,
        switch__score=switch,
        noise__score=noise,
    )
    asked = ask(*[[0, 1, 2]] * queries)
    return asked, items, ragged(*[[target] for target in targets])


def learner(method, **settings):
    events = [(f"u{user}", f"i{item}", user + item) for user in range(9) for item in range(20)]
    stage = Fuse(FuseConfig(method=method, **settings), name="fuse")
    return stage.fit(make_dataset(events))


def learned(method, lesson):
    return learner(method).learn_weights(*lesson).learn_ranker(*lesson)


def ndcg(stage, asked, items, targets):
    scores = stage.apply(asked, items).column("score")
    is_target = targets.isin(items.item_numbers)
    examples = RankingExamples(
        np.zeros((*scores.shape, 0)), scores, is_target, np.ones(len(scores))
    )
    return examples.ndcgs(np.zeros(scores.shape)).mean()


@pytest.fixture(scope="module")
def taught():
    lesson = crossed()
    return {
        name: learner(name).learn_weights(*lesson).learn_ranker(*lesson)
        for name in ("weighted", *LEARNED)
    }


@pytest.mark.parametrize("method", LEARNED)
def test_a_ranker_learns_what_no_weighted_sum_can_express(taught, method):
    others = crossed(queries=200, seed=1)
    assert ndcg(taught[method], *others) > ndcg(taught["weighted"], *others) + 0.05


@pytest.mark.parametrize("method", LEARNED)
def test_learning_a_ranker_is_deterministic(taught, method):
    asked, items, targets = crossed()
    again = learned(method, (asked, items, targets))
    first, second = (stage.apply(asked, items).column("score") for stage in (taught[method], again))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", LEARNED)
def test_a_ranker_survives_the_disk(taught, method, tmp_path):
    asked, items, _ = crossed(queries=5, seed=2)
    stage = taught[method]
    stage.save(tmp_path)
    loaded = Fuse.load(stage.config, "fuse", tmp_path)
    assert loaded.describe() == stage.describe()
    np.testing.assert_array_equal(
        loaded.apply(asked, items).column("score"), stage.apply(asked, items).column("score")
    )


@pytest.mark.parametrize("method", LEARNED)
def test_a_ranker_that_gains_nothing_is_not_used(method):
    random = np.random.default_rng(0)
    values = random.normal(size=(200, 20)).astype(np.float32)
    targets = (4 * values + random.gumbel(size=values.shape)).argmax(axis=1)
    items = candidates(*[range(20)] * 200, only__score=values)
    asked = ask(*[[0]] * 200)
    lesson = asked, items, ragged(*[[target] for target in targets])
    ranked, weighted = (
        learner(name)
        .learn_weights(*lesson)
        .learn_ranker(*lesson)
        .apply(asked, items)
        .column("score")
        for name in (method, "weighted")
    )
    np.testing.assert_array_equal(ranked, weighted)


@pytest.mark.parametrize("method", LEARNED)
def test_a_ranker_answers_one_candidate_a_missing_model_and_damaged_scores(taught, method):
    stage = taught[method]
    alone = candidates([3], left__score=[[1.0]])
    assert np.isfinite(stage.apply(ask([0]), alone).column("score")).all()
    damaged = candidates(
        [0, 1, 2],
        left__score=[[NAN, NAN, NAN]],
        right__score=[[np.inf, 1.0, -np.inf]],
        switch__score=[[1.0, 1.0, 1.0]],
    )
    assert np.isfinite(stage.apply(ask([]), damaged).column("score")).all()
    nothing = stage.apply(ask([0]), candidates([0, 1], left__score=[[NAN, NAN]])).column("score")
    assert np.isnan(nothing).all()


@pytest.mark.parametrize("method", LEARNED)
def test_a_ranker_changes_no_answer_to_words_or_items(taught, method):
    _, items, _ = crossed(queries=1)
    words = ask([0], texts=("mug",))
    similar = ask([0], items=ragged([4]))
    for queries in (words, similar):
        np.testing.assert_allclose(
            taught[method].apply(queries, items).column("score"),
            taught["weighted"].apply(queries, items).column("score"),
        )


@pytest.mark.parametrize("method", LEARNED)
def test_without_a_fit_or_with_few_queries_the_weighted_sum_answers(method):
    asked, items, targets = lesson = crossed(queries=30)
    expected = Fuse(FuseConfig(method="weighted"), name="fuse").learn_weights(asked, items, targets)
    for stage in (Fuse(FuseConfig(method=method), name="fuse"), learner(method)):
        taught = stage.learn_weights(*lesson).learn_ranker(*lesson)
        np.testing.assert_array_equal(
            taught.apply(asked, items).column("score"),
            expected.apply(asked, items).column("score"),
        )


def test_a_model_that_failed_the_gain_test_is_no_input_of_a_ranker():
    asked, items, targets = crossed()
    gated = learner("mixer", require_gain=("noise",)).learn_weights(asked, items, targets)
    taught = gated.learn_ranker(asked, items, targets)
    others = without_model(items, "noise")
    alone = learned("mixer", (asked, others, targets))
    np.testing.assert_allclose(
        taught.apply(asked, items).column("score"),
        alone.apply(asked, others).column("score"),
        rtol=1e-5,
    )


def test_a_sure_gain_is_preferred_to_a_larger_one_by_chance():
    large = np.where(np.arange(100) % 3, 1.0, -1.0)
    gains = np.stack([np.zeros(100), np.full(100, 0.3), large])
    assert (gains.mean(axis=1).argmax(), surest_gain(gains)) == (2, 1)


@pytest.mark.parametrize("method", FUSION_METHODS)
def test_equal_missing_and_infinite_scores_are_fused_to_an_order(method):
    stage = learner(method)
    items = candidates(
        *[[0, 1, 2]] * 3,
        a__score=[[1, 1, 1], [NAN, NAN, NAN], [np.inf, 1, -np.inf]],
        b__score=[[2, 2, 2], [3, 2, 1], [NAN, NAN, 1]],
    )
    scores = stage.apply(ask((), (), ()), items).column("score")
    assert np.isfinite(scores).all()
    assert len(set(scores[0].tolist())) == 1
    assert np.argsort(-scores[1]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [25, 60, 400])
def test_two_models_are_not_behind_the_better_one(count):
    """One model knows the targets, the other ranks by chance: its weight must not cost anything."""

    def lesson(seed):
        random = np.random.default_rng(seed)
        truth, chance = random.normal(size=(2, count, 40)).astype(np.float32)
        targets = (3 * truth + random.gumbel(size=truth.shape)).argmax(axis=1)
        items = candidates(*[range(40)] * count, good__score=truth, chance__score=chance)
        return ask(*[[0]] * count), items, ragged(*[[target] for target in targets])

    stage = learner("weighted").learn_weights(*lesson(3))
    asked, items, targets = lesson(4)
    rows, targets = np.arange(count), targets.values
    gains = [
        1 / np.log2(2 + (scores > scores[rows, targets, None]).sum(axis=1))
        for scores in (stage.apply(asked, items).column("score"), items.column("good.score"))
    ]
    difference = gains[0] - gains[1]
    assert difference.mean() >= -2 * difference.std() / np.sqrt(count)


def test_an_unknown_method_is_refused():
    from plait.errors import RecipeError

    with pytest.raises(RecipeError):
        build_stage("fuse", {"method": "condorcet"})


def test_bagged_weights_lie_between_those_of_the_draws_and_find_the_planted_ones():
    asked, items, targets = world()
    settings = {"method": "bagging", "history_length_bands": (0, 10)}
    few, many = weights_of(fuse(**settings).learn_weights(asked, items, targets))
    assert few["short"] > 5 * max(few["long"], few["dice"])
    assert many["long"] > 5 * max(many["short"], many["dice"])
    single, several = (
        weights_of(fuse(**settings, bags=bags).learn_weights(asked, items, targets))
        for bags in (1, 5)
    )
    assert single != several


def test_bagging_learns_from_two_queries_and_from_none():
    asked, items, targets = world(queries=2)
    assert fuse(method="bagging").learn_weights(asked, items, targets).learned
    nothing = ragged([], [])
    assert not fuse(method="bagging").learn_weights(asked, items, nothing).learned


@pytest.mark.parametrize("method", FUSION_METHODS)
def test_weights_that_sum_to_zero_leave_finite_scores(method):
    items = candidates([0, 1], a__score=[[2.0, 1.0]], b__score=[[1.0, 5.0]])
    for weights in ({"*": 0.0}, {"a": 1.0, "b": -1.0}):
        assert np.isfinite(fused(method, items, weights=weights)).all()


def test_item_statistics_know_popularity_age_and_what_is_recent():
    rows = [(f"u{user}", "old", user) for user in range(8)] + [("u0", "new", 20), ("u1", "new", 21)]
    statistics = item_statistics(make_dataset(rows))
    items = statistics.of(np.array([[0, 1, -1, 99]], np.int32))
    assert items.popularity[0, 0] > items.popularity[0, 1]
    assert items.trend[0, 1] > items.trend[0, 0]
    assert items.last_day[0, 1] - items.first_day[0, 1] == pytest.approx(1, abs=0.01)
    assert statistics.end_day == pytest.approx(items.last_day[0, 1], abs=0.01)
    assert np.isnan(items.popularity[0, 2:]).all()


def test_time_that_passes_after_the_fit_ages_no_item():
    asked, items, _ = crossed(queries=5)
    stage = learner("lambdarank")
    best, _ = best_candidates(
        items, stage.weighted_scores(asked, items), ("left", "right", "switch", "noise"), 20
    )
    later = replace(asked, times=asked.times + 99 * DAY)
    names = feature_names(best.models)
    now, then = (
        candidate_features(best.models, best, queries, stage._statistics)[
            ..., names.index("days_since_last_event")
        ]
        for queries in (asked, later)
    )
    assert np.isfinite(now).all()
    np.testing.assert_array_equal(now, then)
    assert candidate_features(best.models, best, asked, stage._statistics).shape[2] == len(names)
