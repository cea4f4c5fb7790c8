"""Fusion of scores: normalization, missing scores, reciprocal ranks, queries of each kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.data.types import CandidateLists
from plait.errors import RecipeError
from plait.pipeline.recipe import build_stage
from plait.ranking.fusion.score_normalization import ScoreShape, normalize_scores, reciprocal_ranks
from tests.ranking.candidate_fixtures import ask, candidates, ragged, scored
from tests.ranking.planted_signal import fuse, text_items

NAN = float("nan")


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


def test_a_model_that_knows_nothing_takes_no_part():
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
    """Item 4 is unknown to a model that rates 4, 3, 2, 1."""
    items = candidates([0, 1, 2, 3, 4], a__score=[[4, 3, 2, 1, NAN]])
    score = scored(fuse(missing_score={"*": missing}, missing_margin=margin), items).column(
        "score"
    )[0]
    assert (score[:4] > score[4]).sum() == place


def test_no_history_is_answered_by_what_is_popular():
    """What a user without a history gets: the only model that speaks decides alone."""
    items = candidates(
        [0, 1, 2],
        popular__score=[[0.1, 0.5, 0.2]],
        linear__score=[[NAN] * 3],
        repeat__score=[[NAN] * 3],
    )
    assert scored(fuse(), items).column("score")[0].argsort().tolist() == [0, 2, 1]


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


def test_reciprocal_of_nothing():
    signals = reciprocal_ranks(np.full((1, 2), np.nan, np.float32), np.ones((1, 2), bool), 60)
    assert not signals.active.any()


@pytest.mark.parametrize(
    "settings_",
    [{"method": "sum"}, {"missing": {"*": "gone"}}, {"curve": "x"}, {"bands": 3}, {"x": 1}],
)
def test_wrong_settings_are_refused(settings_):
    with pytest.raises(RecipeError):
        build_stage("fuse", settings_)
