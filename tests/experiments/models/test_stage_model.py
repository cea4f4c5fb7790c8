"""`models.FromStage`: stages of one's own as models, without another class."""

from dataclasses import dataclass

import numpy as np
import pytest

import plait
from plait import models
from plait.errors import InputError, RecipeError
from plait.pipeline.full_catalogue_scorer import DenseScorer
from tests.experiments.toy_models import NextStage, circle


@pytest.fixture(scope="module")
def parts():
    return circle(users=60).split_last(2)


def test_a_class_is_a_model_with_the_settings_of_its_config(parts):
    model = models.FromStage(NextStage, step=2)
    assert model.get_params() == {"source": "tests.experiments.toy_models:NextStage", "step": 2}
    assert repr(model) == "FromStage('tests.experiments.toy_models:NextStage', step=2)"
    assert model.clone().get_params() == model.get_params()
    last = parts[0].to_frame().filter(user="u3")["item"][-1]
    place = int(last.removeprefix("i"))
    first = model.fit(parts[0]).recommend(["u3"], k=1)["item"][0]
    assert first == f"i{(place + 2) % 30}"


def test_its_settings_are_searched_and_it_is_fused(parts):
    train, validation, _test = parts
    result = plait.grid(models.FromStage(NextStage), {"step": [3, 1]}, train, validation)
    assert result.best.get_params()["step"] == 1
    fitted = {"next": result.best_fitted, "popular": models.Popular().fit(train)}
    fusion = plait.fuse(fitted, validation=validation)
    assert fusion.weights["next"][0] > fusion.weights["popular"][0]
    assert fusion.recipe().models["next"]["step"] == 1


def test_a_stage_of_recipes_is_saved_and_loaded(parts, tmp_path):
    fitted = models.FromStage("neighbours", window=2).fit(parts[0])
    fitted.save(tmp_path / "model")
    loaded = models.load(tmp_path / "model")
    assert repr(loaded.model) == repr(fitted.model)
    assert loaded.recommend(k=3).equals(fitted.recommend(k=3))


class Forgetful(DenseScorer):
    """Scores items by a number that its files do not hold."""

    factor = np.float32(1)

    def fit(self, dataset, *, seed=0):
        fitted = self.clone()
        fitted.factor, fitted.n_items = np.float32(-1), dataset.n_items
        return fitted

    def score_all(self, queries):
        row = self.factor * np.arange(30, dtype=np.float32)
        return np.tile(row, (len(queries), 1))


@pytest.mark.parametrize("source", [NextStage, Forgetful])
def test_a_stage_that_does_not_declare_what_it_learned_is_not_saved(source, parts, tmp_path):
    fitted = models.FromStage(source).fit(parts[0])
    with pytest.raises(InputError) as caught:
        fitted.save(tmp_path / "model")
    assert caught.value.field == "fitted_state"
    assert not (tmp_path / "model").exists()


def test_what_is_no_stage_or_setting_is_refused():
    @dataclass(frozen=True)
    class Local(DenseScorer):
        pass

    for source in (int, 3, None, Local):
        with pytest.raises(InputError):
            models.FromStage(source)
    with pytest.raises(RecipeError):
        models.FromStage("no such stage")
    with pytest.raises(RecipeError):
        models.FromStage(NextStage, stride=2)
    with pytest.raises(RecipeError):
        models.FromStage(NextStage).set_params(stride=2)
