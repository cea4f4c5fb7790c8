"""What a stage that trains is told, by a pipeline and by the fit of a recipe."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.catalogue import Column
from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch
from plait.evaluation.ranking.inference import state_view_of
from plait.pipeline.fit_context import FitContext
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.splitting.splits import leave_one_out
from plait.training.recipe_fit import allowed_targets, fit_recipe
from tests.dataset_fixtures import random_rows, world
from tests.training import fake_stage

DATA = world(random_rows())
RECIPE = Recipe.of(
    {
        "name": "trains",
        "models": {"mine": {"stage": "tests.training.fake_stage:Trainee"}},
        "steps": {"rules": {"seen": "once"}},
    }
)


@pytest.fixture(autouse=True)
def _forget():
    fake_stage.told.clear()


def test_a_pipeline_prefers_train_and_names_folder_and_progress(tmp_path):
    heard = []
    context = FitContext(7, folder=tmp_path, progress=lambda *one: heard.append(one))
    Pipeline.build(RECIPE).fit(DATA, context=context)
    ((events, mine),) = fake_stage.told
    assert events == len(DATA.interactions)
    assert (mine.seed, mine.held, mine.name) == (7, None, "mine")
    assert mine.folder == tmp_path / "mine"
    assert heard == [("mine · loss 1 · 5/s", 1, 1)]


def test_without_a_context_there_is_only_a_seed():
    Pipeline.build(RECIPE).fit(DATA, seed=3)
    ((_, mine),) = fake_stage.told
    assert (mine.seed, mine.held, mine.folder) == (3, None, None)


def test_the_first_fit_has_something_held_out_and_the_second_nothing(tmp_path):
    split = leave_one_out(DATA, "validation", None)
    fit_recipe(RECIPE, DATA, split, refit=True, seed=5, context=FitContext(folder=tmp_path))
    (first_events, first), (second_events, second) = fake_stage.told
    assert (first_events, second_events) == (
        len(split.train.interactions),
        len(DATA.interactions),
    )
    assert len(first.held.queries) == len(first.held.targets) == len(split)
    blocked = first.held.queries.blocked  # what the rules take out cannot be ranked
    wanted = [
        [one for one in split.targets[row] if one not in blocked[row]] for row in range(len(split))
    ]
    assert [first.held.targets[row].tolist() for row in range(len(split))] == wanted
    assert 0 < len(first.held.targets.values) < len(split.targets.values)
    assert second.held is None
    assert (first.seed, second.seed) == (5, 5)
    assert (first.folder, second.folder) == (
        tmp_path / "first" / "mine",
        tmp_path / "again" / "mine",
    )
    assert (first.name, second.name) == ("first-mine", "again-mine")


def test_targets_that_nothing_could_bring_are_none():
    catalogue = DATA.catalogue.with_columns({"stock": "number"})
    low = np.arange(len(catalogue)) < len(catalogue) // 2
    column = Column("number", np.where(low, 0.0, 1.0))
    catalogue = replace(catalogue, columns={**catalogue.columns, "stock": column})
    data = replace(DATA, catalogue=catalogue)
    split = leave_one_out(data, "validation", "keep")
    filtered = Recipe.of({**RECIPE.to_dict(), "steps": {"rules": {"available": "stock > 0"}}})
    fit_recipe(filtered, data, split, refit=False, live=state_view_of)
    ((_, mine),) = fake_stage.told
    wanted = split.targets.values[~low[split.targets.values]]
    assert 0 < len(wanted) < len(split.targets.values)
    assert mine.held.targets.values.tolist() == wanted.tolist()
    assert len(mine.held.targets) == len(mine.held.queries) == len(split)


def test_where_everything_was_seen_nothing_is_held_out():
    rows = [(f"u{user}", f"i{step % 2}", float(step)) for user in range(30) for step in range(8)]
    data = world(rows)
    fit_recipe(RECIPE, data, leave_one_out(data, "validation", None), refit=False)
    ((_, mine),) = fake_stage.told
    assert mine.held is None


@given(st.data())
def test_reachable_is_what_is_neither_blocked_nor_masked(data):
    drawn = st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=3, max_size=3)
    targets, blocked = data.draw(drawn), data.draw(st.none() | drawn)
    width = data.draw(st.integers(0, 7))
    masks = st.lists(st.lists(st.booleans(), min_size=width, max_size=width), max_size=3)
    mask = data.draw(masks.filter(lambda one: len(one) != 2))
    queries = replace(
        QueryBatch.of_histories(History.empty(3)),
        blocked=None if blocked is None else Ragged.from_rows(blocked),
        mask=np.array(mask, np.bool_).reshape(len(mask), width) if mask else None,
    )
    found = allowed_targets(queries, Ragged.from_rows(targets))
    for row in range(3):
        allowed = mask[row % len(mask)] if mask else [True] * 7
        barred = [] if blocked is None else blocked[row]
        expected = [
            one for one in targets[row] if one not in barred and one < len(allowed) and allowed[one]
        ]
        assert found[row].tolist() == expected


def test_too_few_questions_are_not_held_out():
    tiny = world(random_rows(users=5, events=40))
    fit_recipe(RECIPE, tiny, leave_one_out(tiny, "validation", None), refit=False)
    ((_, mine),) = fake_stage.told
    assert mine.held is None
