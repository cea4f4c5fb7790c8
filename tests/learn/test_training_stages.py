"""What a stage that trains is told, by a pipeline and by the fit of a recipe."""

import numpy as np
import pytest

from plait.core.context import FitContext
from plait.core.pipeline import Pipeline
from plait.core.recipe import Recipe
from plait.learn.fitting import fit_recipe
from plait.measure.splits import leave_one_out
from tests.learn import trainee
from tests.measure.worlds import random_rows, world

DATA = world(random_rows())
RECIPE = Recipe.of(
    {
        "name": "trains",
        "strands": {"mine": {"stage": "tests.learn.trainee:Trainee"}},
        "steps": {"rules": {"seen": "once"}},
    }
)


@pytest.fixture(autouse=True)
def _forget():
    trainee.told.clear()


def test_a_pipeline_prefers_train_and_names_folder_and_progress(tmp_path):
    heard = []
    context = FitContext(7, folder=tmp_path, progress=lambda *one: heard.append(one))
    Pipeline.build(RECIPE).fit(DATA, context=context)
    ((events, mine),) = trainee.told
    assert events == len(DATA.interactions)
    assert (mine.seed, mine.held, mine.name) == (7, None, "mine")
    assert mine.folder == tmp_path / "mine"
    assert heard == [("mine · loss 1 · 5/s", 1, 1)]


def test_without_a_context_there_is_only_a_seed():
    Pipeline.build(RECIPE).fit(DATA, seed=3)
    ((_, mine),) = trainee.told
    assert (mine.seed, mine.held, mine.folder) == (3, None, None)


def test_the_first_fit_has_something_held_out_and_the_second_nothing(tmp_path):
    split = leave_one_out(DATA, "validation", None)
    fit_recipe(RECIPE, DATA, split, refit=True, seed=5, context=FitContext(folder=tmp_path))
    (first_events, first), (second_events, second) = trainee.told
    assert (first_events, second_events) == (
        len(split.train.interactions),
        len(DATA.interactions),
    )
    assert len(first.held.queries) == len(first.held.targets) == len(split)
    np.testing.assert_array_equal(first.held.targets.values, split.targets.values)
    assert first.held.queries.blocked is not None  # what the rules take out cannot be ranked
    assert second.held is None
    assert (first.seed, second.seed) == (5, 5)
    assert (first.folder, second.folder) == (
        tmp_path / "first" / "mine",
        tmp_path / "again" / "mine",
    )
    assert (first.name, second.name) == ("first-mine", "again-mine")


def test_too_few_questions_are_not_held_out():
    tiny = world(random_rows(users=5, events=40))
    fit_recipe(RECIPE, tiny, leave_one_out(tiny, "validation", None), refit=False)
    ((_, mine),) = trainee.told
    assert mine.held is None
