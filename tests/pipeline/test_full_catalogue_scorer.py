"""Models that score all items at once retrieve the best that a query allows."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.errors import StageError
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.registry import load_all_stages
from tests.pipeline.fake_stages import asked

SCORES = np.array([0.5, 0.0, np.nan, 2.0, -1.0], np.float32)


class Fixed(DenseScorer):
    """Scores five items, the same for every query."""

    def score_all(self, queries):
        return np.tile(SCORES, (len(queries), 1))


class Positive(Fixed):
    min_score = 0.0


def retrieved(stage, queries, k=5):
    return stage.retrieve(queries, k).item_numbers.tolist()


def test_retrieves_known_items_best_first():
    assert retrieved(Fixed(), asked([[]])) == [[3, 0, 1, 4, -1]]


def test_retrieves_only_scores_above_the_minimum():
    assert retrieved(Positive(), asked([[]])) == [[3, 0, -1, -1, -1]]


@pytest.mark.parametrize("name", ["content", "factors", "linear", "neighbours", "repeat"])
def test_models_of_evidence_retrieve_no_item_of_score_zero(name):
    assert load_all_stages()[name].min_score == 0.0
    assert issubclass(load_all_stages()[name], DenseScorer)
    assert DenseScorer.min_score == -np.inf


def test_retrieves_nothing_blocked_or_masked():
    queries = replace(
        asked([[], []]),
        blocked=Ragged.from_rows([[3], []]),
        mask=np.array([[True, True, True, True, False]]),
    )
    assert retrieved(Fixed(), queries, 3) == [[0, 1, -1], [3, 0, 1]]


@pytest.mark.parametrize(
    "scores", [None, [0.5], SCORES, np.ones((2, 5), np.float32), np.ones((1, 5), int)], ids=type
)
def test_what_are_no_scores_is_told_with_the_name_of_the_stage(scores):
    class Wrong(DenseScorer):
        def score_all(self, queries):
            return scores

    stage, queries = Wrong(name="mine"), asked([[]])
    for call in (
        lambda: stage.retrieve(queries, 3),
        lambda: stage.score(queries, np.zeros((1, 1), np.int32)),
    ):
        with pytest.raises(StageError) as caught:
            call()
        assert caught.value.field == "mine"
        assert "score_all" in str(caught.value)


def test_scores_are_nan_for_padding_unknown_and_later_items():
    scores = Fixed().score(asked([[]]), np.array([[3, -1, 2, 5]], np.int32))
    np.testing.assert_array_equal(scores, np.array([[2.0, np.nan, np.nan, np.nan]], np.float32))
