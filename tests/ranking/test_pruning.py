"""Models that add nothing may be left out of a bundle."""

import numpy as np

import plait
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.fusion.pruning import Pruning
from plait.splitting.splits import leave_one_out
from plait.training.pipeline_fit import fit_recipe
from tests.dataset_fixtures import random_rows, world
from tests.pipeline.fake_stages import HERE

DATA = world(random_rows())
STEPS = {"fuse": {}, "rules": {}, "policy": {}}
CONSTANT = {"stage": f"{HERE}:Level"}


def fitted(models, pruning=None, steps=STEPS):
    recipe = Recipe.of({"name": "toy", "models": models, "steps": steps})
    split = leave_one_out(DATA, "validation", None)
    return fit_recipe(recipe, DATA, split, refit=True, reduce=pruning)


def test_a_model_that_says_nothing_is_left_out_and_the_useful_ones_stay():
    pruning = Pruning()
    models = {"popular": {}, "neighbours": {}, "level": CONSTANT}
    pipeline = fitted(models, pruning)
    assert "level" in [model.name for model in pruning.pruned]
    names = [model.name for model in pipeline.models]
    assert "popular" in names  # it answers strangers
    assert "neighbours" in names
    assert list(pipeline.recipe.models) == names
    gone = {model.name: model for model in pruning.pruned}
    assert abs(gone["level"].gain) < 1e-3
    assert gone["level"].megabytes > 0


def test_models_of_words_and_the_last_that_answers_strangers_stay():
    pruning = Pruning()
    pipeline = fitted({"popular": {}, "lexical": {}, "content": {}, "level": CONSTANT}, pruning)
    assert {"popular", "lexical", "content"} <= {model.name for model in pipeline.models}
    assert not fitted({"popular": {}}, Pruning()).recipe.models.keys() - {"popular"}


def test_without_the_option_every_model_stays():
    assert [model.name for model in fitted({"popular": {}, "level": CONSTANT}).models] == [
        "popular",
        "level",
    ]


def test_a_pruned_bundle_answers_and_says_what_it_lacks(tmp_path):
    rows = random_rows()
    events = {
        "user": [row[0] for row in rows],
        "item": [row[1] for row in rows],
        "time": [1_600_000_000 + int(row[2] * 86_400) for row in rows],
    }
    recipe = {"name": "toy", "models": {"popular": {}, "neighbours": {}, "level": CONSTANT}}
    with plait.open(tmp_path, stage_modules=(HERE,)) as shop:
        shop.ingest(events=events)
        shop.fit({**recipe, "steps": STEPS}, prune=True)
        (pruned,) = shop.info()["bundle"]["pruned"]
        assert pruned["model"] == "level"
        assert pruned.keys() == {"model", "gain", "megabytes", "seconds"}
        assert len(shop.recommend("u1", k=5)) == 5
    with plait.open(tmp_path, stage_modules=(HERE,)) as shop:
        assert len(shop.recommend("u1", k=5)) == 5
        assert np.isfinite([item.score for item in shop.recommend("u1", k=3).items]).all()


def test_settings_that_name_a_pruned_model_go_with_it(tmp_path):
    rows = random_rows()
    events = {
        "user": [row[0] for row in rows],
        "item": [row[1] for row in rows],
        "time": [1_600_000_000 + int(row[2] * 86_400) for row in rows],
    }
    fuse = {
        "require_gain": ["level"],
        "weights": {"*": 1.0, "level": 0.5},
        "transforms": {"level": "rank", "popular": "log"},
        "match": ["level"],
    }
    explain = {"templates": {"level": "A level", "popular": "Popular"}}
    recipe = {
        "name": "toy",
        "models": {"popular": {}, "neighbours": {}, "level": CONSTANT},
        "steps": {"fuse": fuse, "rules": {}, "policy": {}, "explain": explain},
    }
    with plait.open(tmp_path, stage_modules=(HERE,)) as shop:
        shop.ingest(events=events)
        shop.fit(recipe, prune=True)
        assert "level" in [model["model"] for model in shop.info()["bundle"]["pruned"]]
        shop.fit()
        assert len(shop.recommend("u1", k=5)) == 5
    pipeline = fitted(recipe["models"], Pruning(), steps=recipe["steps"])
    assert pipeline.recipe.steps["fuse"] == {
        "require_gain": [],
        "weights": {"*": 1.0},
        "transforms": {"popular": "log"},
        "match": [],
    }
    assert pipeline.recipe.steps["explain"] == {"templates": {"popular": "Popular"}}


def test_fixed_weights_of_a_pruned_model_go_with_it():
    fixed = {"fixed": {"weights": {"popular": [1.0], "neighbours": [1.0], "level": [0.1]}}}
    steps = {"fuse": {"method": "mixer", **fixed}, "rules": {}, "policy": {}}
    pruning = Pruning()
    pipeline = fitted({"popular": {}, "neighbours": {}, "level": CONSTANT}, pruning, steps=steps)
    left = pipeline.recipe.steps["fuse"]["fixed"]["weights"]
    assert "level" in [model.name for model in pruning.pruned]
    assert list(left) == list(pipeline.recipe.models)
    Pipeline.build(pipeline.recipe)


def test_an_unlearned_fusion_is_not_pruned():
    recipe = Recipe.of(
        {"name": "toy", "models": {"popular": {}, "level": CONSTANT}, "steps": STEPS}
    )
    pruning = Pruning()
    few = world(random_rows(users=2, events=6))
    split = leave_one_out(few, "validation", None)
    pipeline = fit_recipe(recipe, few, split, refit=True, reduce=pruning)
    assert isinstance(pipeline, Pipeline)
    assert not pruning.pruned
