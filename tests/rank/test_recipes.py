"""The shipped recipes build, and their settings are those that are meant."""

import numpy as np
import pytest

from plait.core.pipeline import Pipeline
from plait.core.recipe import load_recipe, recipe_names
from plait.core.types import Dataset
from plait.testing.asking import ask
from plait.testing.worlds import market

LEAKING = {"also_bought", "also_viewed", "bought_together", "buy_after_viewing"}


@pytest.fixture(scope="module")
def world() -> Dataset:
    return market()


def test_the_four_are_there():
    assert {"default", "search", "cold-start", "news"} <= set(recipe_names())


def test_default_has_every_strand_of_the_core_install():
    recipe = load_recipe("default")
    strands = ["popular", "repeat", "neighbours", "linear", "content", "lexical"]
    assert list(recipe.strands) == strands
    assert list(recipe.steps) == ["fuse", "rules", "policy", "explain"]
    assert set(recipe.facts_exclude) == LEAKING
    assert recipe.kinds["hide"] < 0 == recipe.kinds["return"] < recipe.kinds["view"]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_answers(name, world):
    pipeline = Pipeline.build(load_recipe(name)).fit(world)
    ids = world.catalogue.ids
    queries = ask(
        world.catalogue, [], [ids[3]], [ids[3], ids[4]], texts=[None, None, "rose number"]
    )
    items = pipeline.answer(queries)
    order = items.column("order")
    assert (order.max(axis=1) >= 0).all()
    shown = np.nonzero(order >= 0)
    assert all(one for one in items.column("reasons")[shown])
    assert all(
        isinstance(one["text"], str) for found in items.column("reasons")[shown] for one in found
    )
