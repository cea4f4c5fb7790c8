"""A model that fails, or takes too long, leaves the answer to the others."""

import numpy as np
import pytest

import plait
from plait.errors import InputError, RecipeError
from plait.pipeline.model_failures import ModelFailures
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from tests.pipeline.fake_stages import HERE, asked, dataset, listed, recipe
from tests.workspace.workspace_fixtures import RECIPE, fill

ROWS = [[1, 2, 3], [3, 4], [3, 9], [2, 3]]
FRAIL = {"stage": f"{HERE}:Frail"}


def fitted(**models):
    models = {"shelf": {"stage": f"{HERE}:Shelf"}, **models}
    return Pipeline.build(recipe(models=models)).fit(dataset(ROWS))


def test_the_others_answer_as_if_a_failed_model_were_not_there():
    failures = ModelFailures()
    items = fitted(frail=FRAIL).run(asked([[5]], k=7), failures=failures)
    assert list(failures.errors) == ["frail"]
    assert listed(items) == listed(fitted().run(asked([[5]], k=7)))
    assert not [name for name in items.columns if name.startswith("frail")]


def test_a_failure_is_raised_where_nobody_collects_it_or_no_model_is_left():
    with pytest.raises(ZeroDivisionError):
        fitted(frail=FRAIL).run(asked([[5]], k=7))
    alone = Pipeline.build(recipe(models={"frail": FRAIL})).fit(dataset(ROWS))
    with pytest.raises(ZeroDivisionError):
        alone.run(asked([[5]], k=7), failures=ModelFailures())


def test_a_model_over_its_budget_is_left_out():
    pipeline = fitted(frail=FRAIL)
    late, patient = ModelFailures(10), ModelFailures()
    items = pipeline.run(asked([[5]], k=8), failures=late)
    assert list(late.errors) == ["frail"]
    assert listed(items) == listed(fitted().run(asked([[5]], k=8)))
    pipeline.run(asked([[5]], k=8), failures=patient)
    assert not patient.errors


def test_what_a_model_says_of_the_query_is_raised():
    failures = ModelFailures()
    with pytest.raises(InputError):
        failures.collect("model", InputError("no", field="k"))
    assert not failures.errors


@pytest.mark.parametrize("budget", [-1, True, "5", float("inf"), float("nan")])
def test_a_budget_that_is_no_number_of_milliseconds_is_refused(budget):
    with pytest.raises(RecipeError) as failure:
        recipe(model_budget_ms=budget)
    assert failure.value.field == "model_budget_ms"


def test_a_recipe_without_a_budget_is_as_before_and_one_with_it_survives():
    assert "model_budget_ms" not in recipe().to_dict()
    assert Recipe.of(recipe(model_budget_ms=5).to_dict()).model_budget_ms == 5


def test_an_answer_names_the_models_that_failed(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path, stage_modules=(HERE,)) as shop:
        shop.fit({**RECIPE.to_dict(), "models": {**RECIPE.models, "frail": FRAIL}})
        assert shop.recommend("user1", k=5).degraded == []
        answer = shop.recommend("user1", k=7)
        assert (answer.degraded, len(answer)) == (["frail"], 7)
        assert {reason["model"] for item in answer.items for reason in item.reasons} != {"frail"}
        assert shop.recommend("user1", k=9).degraded == ["frail"]
        assert np.isfinite([item.score for item in answer.items if not item.filled]).all()
