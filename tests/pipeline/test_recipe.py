"""A recipe is checked key by key before anything runs."""

import dataclasses
import json

import pytest

from plait.errors import RecipeError
from plait.pipeline.recipe import Recipe, build_stage, load_recipe, recipe_names

MODELS = {"models": {"popular": {}}}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "models"),
        ({**MODELS, "modls": {}}, "modls"),
        ({"models": 3}, "models"),
        ({"models": {"popular": 3}}, "models.popular"),
        ({"models": {"../popular": {}}}, "models"),
        ({"models": {"a.b": {}}}, "models"),
        ({**MODELS, "steps": []}, "steps"),
        ({**MODELS, "candidates_per_model": 0}, "candidates_per_model"),
        ({**MODELS, "candidates_per_model": True}, "candidates_per_model"),
        ({**MODELS, "candidates_per_model": "9"}, "candidates_per_model"),
        ({**MODELS, "event_weights": {"view": "much"}}, "event_weights.view"),
        ({**MODELS, "event_weights": {"view": float("nan")}}, "event_weights.view"),
        ({**MODELS, "event_weights": ["view"]}, "event_weights"),
        ({**MODELS, "target_events": "purchase"}, "target_events"),
        ({**MODELS, "triples": {"excluded": []}}, "excluded"),
        ({**MODELS, "triples": {"exclude_relations": [1]}}, "triples.exclude_relations"),
        ({**MODELS, "triples": 1}, "triples"),
        ([], "the recipe"),
        ({"extends": 3}, "extends"),
        ({"extends": "nothing"}, "recipe"),
        ({"extends": "too-long" * 1000}, "recipe"),
        ({"extends": "nul\0"}, "recipe"),
        ({**MODELS, "without": ["popular"]}, "without"),
        ({"extends": "default", "without": ["sequence"]}, "without"),
        ({"extends": "default", "models": {"linear": 3}}, "models.linear"),
    ],
)
def test_an_error_names_the_wrong_field(data, field):
    with pytest.raises(RecipeError) as caught:
        Recipe.of(data)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("data", "old", "new"),
    [
        ({"strands": {"popular": {}}}, "strands", "models"),
        ({**MODELS, "retrieve": 9}, "retrieve", "candidates_per_model"),
        ({**MODELS, "kinds": {}}, "kinds", "event_weights"),
        ({**MODELS, "goal": []}, "goal", "target_events"),
        ({**MODELS, "facts": {}}, "facts", "triples"),
    ],
)
def test_an_old_key_is_refused_with_its_new_name(data, old, new):
    with pytest.raises(RecipeError) as caught:
        Recipe.of(data)
    assert caught.value.field == old
    assert repr(new) in caught.value.hint


@pytest.mark.parametrize(
    ("stage", "settings", "new"),
    [
        ("neighbours", {"lend": 1.0}, "content_smoothing"),
        ("repeat", {"neighbours": 3}, "n_neighbors"),
        ("linear", {"neighbours": 3}, "top_k"),
        ("fuse", {"earn": ["sequence"]}, "require_gain"),
    ],
)
def test_an_old_setting_is_refused_with_its_new_name(stage, settings, new):
    with pytest.raises(RecipeError) as caught:
        build_stage(stage, settings)
    assert caught.value.field == next(iter(settings))
    assert repr(new) in caught.value.hint


def test_extends_merges_tables_and_replaces_values():
    base = load_recipe("default")
    recipe = Recipe.of(
        {
            "extends": "default",
            "without": ["linear", "explain"],
            "candidates_per_model": 50,
            "event_weights": {"view": 0.5},
            "models": {"neighbours": {"top_k": 20}, "mine": {"stage": "popular"}},
            "steps": {"rules": {"seen": "off"}},
        }
    )
    assert recipe.candidates_per_model == 50
    assert recipe.event_weights == {**base.event_weights, "view": 0.5}
    assert list(recipe.models) == [*(name for name in base.models if name != "linear"), "mine"]
    assert recipe.models["neighbours"] == {**base.models["neighbours"], "top_k": 20}
    assert list(recipe.steps) == ["fuse", "rules", "policy"]
    assert recipe.steps["rules"]["seen"] == "off"
    assert recipe.excluded_relations == base.excluded_relations
    assert Recipe.of(recipe.to_dict()) == recipe


def test_a_file_extends_a_file_beside_it(tmp_path):
    (tmp_path / "base.toml").write_text('extends = "default"\nwithout = ["linear"]\n')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\ncandidates_per_model = 9\n')
    recipe = load_recipe(tmp_path / "mine.toml")
    assert (recipe.name, recipe.candidates_per_model) == ("mine", 9)
    assert "linear" not in recipe.models


def test_recipes_that_extend_each_other_are_refused(tmp_path):
    (tmp_path / "a.toml").write_text('extends = "b.toml"\n')
    (tmp_path / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "a.toml")
    assert caught.value.field == "extends"


def test_round_trip_through_json():
    recipe = Recipe.of(
        {
            "name": "mine",
            "description": "all of it",
            "candidates_per_model": 7,
            "event_weights": {"view": 1, "hide": -1},
            "target_events": ["purchase"],
            "triples": {"exclude_relations": ["also_bought"]},
            "models": {"a": {"stage": "popular"}, "linear": {}},
            "steps": {"fuse": {"history_length_bands": [0, 1]}},
        }
    )
    assert Recipe.of(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_read(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description


def test_a_file_is_a_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[models.popular]\n")
    assert load_recipe(path).name == "mine"
    path.write_text("[models.popular\n")
    with pytest.raises(RecipeError, match="not valid TOML"):
        load_recipe(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="cannot read"):
        load_recipe(path)


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(RecipeError, match="default"):
        load_recipe("no such recipe")


def test_stage_settings_are_typed():
    stage = build_stage("c", {"stage": "tests.pipeline.fake_stages:Counts", "by": 2})
    assert stage.name == "c"
    assert stage.config.by == 2.0
    with pytest.raises(RecipeError, match="there are by"):
        build_stage("c", {"stage": "tests.pipeline.fake_stages:Counts", "bye": 2})


def test_a_table_within_keeps_what_the_stage_has():
    usual = build_stage("graph", {}).config.training
    training = build_stage("graph", {"training": {"epochs": 3}}).config.training
    assert training == dataclasses.replace(usual, epochs=3)
    assert training.batch_size != type(usual)().batch_size
    with pytest.raises(RecipeError, match=r"\[graph.training\] has no setting 'epoch'"):
        build_stage("graph", {"training": {"epoch": 3}})
    with pytest.raises(RecipeError):
        build_stage("graph", {"training": {"epochs": "many"}})


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        ({"models": {"popula": {}}}, "stage"),
        ({"models": {"popular": {"half_live": 3}}}, "half_live"),
        ({"models": {"linear": {"l2": "200"}}}, "linear.l2"),
        ({"models": {"linear": {"order_aware": "yes"}}}, "linear.order_aware"),
        (
            {
                "models": {"popular": {}},
                "steps": {"explain": {"templates": {"popular": "Often after {becaus}"}}},
            },
            "explain.templates.popular",
        ),
    ],
)
def test_a_mapping_with_an_unknown_stage_setting_or_value_is_refused_at_once(recipe, field):
    with pytest.raises(RecipeError) as problem:
        Recipe.of(recipe)
    assert problem.value.field == field


def test_the_recipe_of_a_bundle_is_read_without_its_stages():
    assert Recipe.stored({"models": {"gone": {"old": 1}}}).models == {"gone": {"old": 1}}
