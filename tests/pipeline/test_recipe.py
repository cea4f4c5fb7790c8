"""A recipe is checked key by key before anything runs."""

import dataclasses
import json

import pytest

from plait.errors import RecipeError
from plait.pipeline.recipe import Recipe, build_stage, load_recipe, recipe_names

STRANDS = {"strands": {"popular": {}}}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({}, "no strand"),
        ({**STRANDS, "strnds": {}}, "'strnds'"),
        ({"strands": 3}, "strands is 3"),
        ({"strands": {"popular": 3}}, "strands.popular is 3"),
        ({"strands": {"../popular": {}}}, "no name"),
        ({"strands": {"a.b": {}}}, "no name"),
        ({**STRANDS, "steps": []}, "steps is"),
        ({**STRANDS, "retrieve": 0}, "retrieve is 0"),
        ({**STRANDS, "retrieve": True}, "retrieve is True"),
        ({**STRANDS, "retrieve": "9"}, "retrieve is '9'"),
        ({**STRANDS, "kinds": {"view": "much"}}, "kinds.view"),
        ({**STRANDS, "kinds": {"view": float("nan")}}, "kinds.view"),
        ({**STRANDS, "kinds": ["view"]}, "kinds is"),
        ({**STRANDS, "goal": "purchase"}, "goal is"),
        ({**STRANDS, "facts": {"excluded": []}}, "'excluded'"),
        ({**STRANDS, "facts": {"exclude": [1]}}, "facts.exclude"),
        ({**STRANDS, "facts": 1}, "facts is 1"),
        ([], "the recipe is"),
    ],
)
def test_what_is_wrong_is_named(data, named):
    with pytest.raises(RecipeError, match=named):
        Recipe.of(data)


def test_round_trip_through_json():
    recipe = Recipe.of(
        {
            "name": "mine",
            "description": "all of it",
            "retrieve": 7,
            "kinds": {"view": 1, "hide": -1},
            "goal": ["purchase"],
            "facts": {"exclude": ["also_bought"]},
            "strands": {"a": {"stage": "popular"}, "b": {}},
            "steps": {"fuse": {"bands": [0, 1]}},
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
    path.write_text("[strands.popular]\n")
    assert load_recipe(path).name == "mine"
    path.write_text("[strands.popular\n")
    with pytest.raises(RecipeError, match="not TOML"):
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
    found = build_stage("graph", {"training": {"epochs": 3}}).config.training
    assert found == dataclasses.replace(usual, epochs=3)
    assert found.batch != type(usual)().batch
    with pytest.raises(RecipeError, match=r"\[graph.training\] has no setting 'epoch'"):
        build_stage("graph", {"training": {"epoch": 3}})
    with pytest.raises(RecipeError, match=r"graph\.training\.epochs is 'many'"):
        build_stage("graph", {"training": {"epochs": "many"}})
