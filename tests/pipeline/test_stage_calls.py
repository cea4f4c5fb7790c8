"""A stage that breaks the contract is named, with what it returned and what was expected."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from plait import models
from plait.data.ragged import Ragged
from plait.data.types import CandidateLists
from plait.errors import RecipeError, StageError
from plait.models.popularity.popular import Popular
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.pipeline.registry import stage_class
from plait.pipeline.stage import Stage
from plait.pipeline.stage_calls import changed_stage, predict_ratings
from plait.ranking.fusion.fuse import Fuse
from plait.testing.queries import ask
from plait.testing.synthetic_data import clock

DATASET = clock()


class NoFit(Popular):
    def fit(self, dataset, *, seed=0):
        super().fit(dataset, seed=seed)


class FlatScores(Popular):
    def score(self, queries, numbers):
        return super().score(queries, numbers)[:, 0]


class WideScores(Popular):
    def score(self, queries, numbers):
        return super().score(queries, numbers).astype(np.float64)


class ListedScores(Popular):
    def score(self, queries, numbers):
        return super().score(queries, numbers).tolist()


class BareCandidates(Popular):
    def retrieve(self, queries, k):
        return super().retrieve(queries, k).item_numbers


class ManyCandidates(Popular):
    def retrieve(self, queries, k):
        return CandidateLists(np.zeros((len(queries), k + 1), np.int32))


class Fails(Popular):
    def score(self, queries, numbers):
        raise ZeroDivisionError("own words")


class NoStep(Stage):
    writes = ("order",)

    def apply(self, queries, items):
        return None


class ShortColumn(Stage):
    writes = ("order",)

    def apply(self, queries, items):
        return items.with_columns(order=np.zeros(1, np.int32))


class ChoosesNothing(Popular):
    def select_setting(self, dataset, queries, targets):
        return None


class LearnsNothing(Fuse):
    def learn_weights(self, queries, items, targets):
        return {"own": 1.0}


class FlatRatings(Popular):
    def predict(self, queries, numbers):
        return np.zeros(len(queries), np.float32)


def test_a_stage_that_makes_no_other_stage_is_named():
    queries, targets = ask(DATASET.catalogue, ["hour-3"]), Ragged.from_rows([[1]])
    items = CandidateLists(np.zeros((1, 1), np.int32))
    with pytest.raises(StageError) as refusal:
        changed_stage(ChoosesNothing(name="own"), "select_setting", DATASET, queries, targets)
    assert refusal.value.field == "own"
    with pytest.raises(StageError):
        changed_stage(LearnsNothing(name="own"), "learn_weights", queries, items, targets)
    own = {"own": {"stage": f"{__name__}:ChoosesNothing"}}
    pipeline = Pipeline.build(Recipe.of({"models": own, "steps": {}})).fit(DATASET)
    with pytest.raises(StageError):
        pipeline.tune(DATASET, queries, targets)


def test_predicted_ratings_have_the_shape_of_the_items():
    queries = ask(DATASET.catalogue, ["hour-3"])
    with pytest.raises(StageError) as refusal:
        predict_ratings(FlatRatings(name="own"), queries, np.zeros((1, 3), np.int32))
    assert refusal.value.field == "own"


def answer(name, step="policy"):
    """Fit and run a recipe with a class of this module as its model `own`."""
    steps = {"order": {"stage": f"{__name__}:{step}"}} if step != "policy" else {}
    recipe = Recipe.of({"models": {"own": {"stage": f"{__name__}:{name}"}}, "steps": steps})
    queries = ask(DATASET.catalogue, ["hour-3"])
    return Pipeline.build(recipe).fit(DATASET).run(queries)


@pytest.mark.parametrize(
    ("model", "actual", "expected"),
    [
        ("NoFit", "None", "a fitted stage"),
        ("FlatScores", "float32 [1]", "float32 [1, "),
        ("WideScores", "float64 [1, ", "float32 [1, "),
        ("ListedScores", "type list", "float32 [1, "),
        ("BareCandidates", "int32 [1, ", "CandidateLists"),
        ("ManyCandidates", "int32 [1, ", "int32 [1, at most "),
    ],
)
def test_a_model_that_returns_something_else_is_named(model, actual, expected):
    with pytest.raises(StageError) as problem:
        answer(model)
    assert problem.value.field == "own"
    assert f"{__name__}:{model}" in problem.value.message
    assert f"returned {actual}" in problem.value.message or actual in problem.value.message
    assert f"expected {expected}" in problem.value.message


@pytest.mark.parametrize("step", ["NoStep", "ShortColumn"])
def test_a_step_that_returns_something_else_is_named(step):
    with pytest.raises(StageError) as problem:
        answer("Popular", step)
    assert problem.value.field == "order"


def test_an_exception_of_a_stage_keeps_its_type_and_names_the_stage():
    with pytest.raises(ZeroDivisionError, match="own words") as problem:
        answer("Fails")
    assert problem.value.__notes__ == [f"in score of the stage 'own' ({__name__}:Fails)"]


def test_an_exception_of_a_built_in_stage_names_the_stage_once():
    recipe = Recipe.of({"models": {"own": {"stage": "popular"}}, "steps": {}})
    pipeline = Pipeline.build(recipe).fit(DATASET)
    narrow = replace(ask(DATASET.catalogue, ["hour-3"]), mask=np.ones((1, 2), np.bool_))
    with pytest.raises(IndexError) as problem:
        pipeline.retrieve_and_score(narrow)
    popular = "plait.models.popularity.popular:Popular"
    assert problem.value.__notes__ == [f"in retrieve of the stage 'own' ({popular})"]


def test_a_fitted_model_checks_what_its_stage_returns():
    fitted = models.Popular().fit(DATASET)
    fitted.stage.__class__ = FlatScores
    with pytest.raises(StageError):
        fitted.recommend(k=3)


@pytest.mark.parametrize("text", ["def f(:\n", "raise RuntimeError('no')\n"])
def test_a_module_that_cannot_be_imported_is_a_recipe_error(tmp_path, monkeypatch, text):
    (tmp_path / "broken_stage.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RecipeError) as problem:
        stage_class("broken_stage:Model")
    assert problem.value.field == "stage"
    sys.modules.pop("broken_stage", None)
