"""The shipped recipes build, and their settings are those that are meant."""

from dataclasses import replace

import numpy as np
import pytest

from plait.data.types import Dataset
from plait.errors import RecipeError
from plait.pipeline.bundle import BundleStore
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import load_recipe, recipe_names
from plait.testing.queries import ask
from plait.testing.synthetic_data import market

LEAKING = {"also_bought", "also_viewed", "bought_together", "buy_after_viewing"}


@pytest.fixture(scope="module")
def world() -> Dataset:
    return market()


def test_the_four_are_there():
    assert {"default", "search", "cold-start", "news"} <= set(recipe_names())


def test_default_has_every_strand_of_the_core_install():
    recipe = load_recipe("default")
    strands = ["popular", "repeat", "neighbours", "linear", "content", "lexical"]
    assert list(recipe.models) == strands
    assert list(recipe.steps) == ["fuse", "rules", "policy", "explain"]
    assert set(recipe.excluded_relations) == LEAKING
    assert (
        recipe.event_weights["hide"]
        < 0
        == recipe.event_weights["return"]
        < recipe.event_weights["view"]
    )


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_answers(name, world):
    pipeline = Pipeline.build(load_recipe(name)).fit(world)
    ids = world.catalogue.ids
    queries = ask(
        world.catalogue, [], [ids[3]], [ids[3], ids[4]], texts=[None, None, "rose number"]
    )
    items = pipeline.run(queries)
    order = items.column("order")
    assert (order.max(axis=1) >= 0).all()
    shown = np.nonzero(order >= 0)
    assert all(one for one in items.column("reasons")[shown])
    assert all(
        isinstance(one["text"], str) for found in items.column("reasons")[shown] for one in found
    )


@pytest.mark.parametrize(
    ("step", "setting", "said"),
    [
        ("fuse", "require_gain", ("sequnce",)),
        ("fuse", "weights", {"*": 1.0, "sequnce": 2.0}),
        ("fuse", "match", ("sequnce",)),
        ("explain", "templates", {"sequnce": "after {because}"}),
    ],
)
def test_a_name_that_is_no_strand_is_refused(step, setting, said):
    recipe = load_recipe("default")
    steps = {**recipe.steps, step: {**recipe.steps[step], setting: said}}
    with pytest.raises(RecipeError, match=rf"{setting} of step {step} names 'sequnce'") as caught:
        Pipeline.build(replace(recipe, steps=steps))
    assert "neighbours" in str(caught.value.hint)


def test_a_bundle_that_was_made_before_names_were_checked_still_loads(world, tmp_path):
    recipe = load_recipe("default")
    steps = {**recipe.steps, "fuse": {**recipe.steps["fuse"], "require_gain": ("sequnce",)}}
    store = BundleStore(tmp_path / "bundles")
    fitted = Pipeline.build(replace(recipe, steps=steps), stored=True).fit(world)
    store.use(store.save(fitted, {}))
    assert store.load().steps[0].config.require_gain == ("sequnce",)


def test_what_the_defaults_name_may_be_missing():
    recipe = load_recipe("default")
    strands = {name: one for name, one in recipe.models.items() if name != "repeat"}
    missing = {"*": "learned", "repeat": "zero"}
    steps = {**recipe.steps, "fuse": {"missing_score": missing}}
    assert Pipeline.build(replace(recipe, models=strands, steps=steps))
