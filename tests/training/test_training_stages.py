"""The context that a trainable stage receives from a pipeline and from the fit of a recipe."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.catalogue import Column
from plait.data.ragged import Ragged
from plait.data.types import History, QueryBatch
from plait.evaluation.ranking.rank_queries import state_view_of
from plait.pipeline.fit_context import FitContext
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.splitting.splits import leave_one_out
from plait.training.item_eligibility import allowed_targets
from plait.training.pipeline_fit import fit_recipe
from tests.dataset_fixtures import random_rows, world
from tests.training import fake_stage

DATA = world(random_rows())
RECIPE = Recipe.of(
    {
        "name": "trains",
        "models": {"trainee": {"stage": "tests.training.fake_stage:Trainee"}},
        "steps": {"rules": {"seen": "once"}},
    }
)


@pytest.fixture(autouse=True)
def _forget():
    fake_stage.calls.clear()


def test_a_pipeline_prefers_train_and_names_folder_and_progress(tmp_path):
    reports = []
    context = FitContext(7, folder=tmp_path, progress=lambda *report: reports.append(report))
    Pipeline.build(RECIPE).fit(DATA, context=context)
    ((events, received),) = fake_stage.calls
    assert events == len(DATA.interactions)
    assert (received.seed, received.held, received.name) == (7, None, "trainee")
    assert received.folder == tmp_path / "trainee"
    assert reports == [("trainee · loss 1 · 5/s", 1, 1)]


def test_without_a_context_a_stage_receives_only_the_seed():
    Pipeline.build(RECIPE).fit(DATA, seed=3)
    ((_, received),) = fake_stage.calls
    assert (received.seed, received.held, received.folder) == (3, None, None)


def test_the_first_fit_has_a_validation_set_and_the_second_none(tmp_path):
    split = leave_one_out(DATA, "validation", None)
    fit_recipe(RECIPE, DATA, split, refit=True, seed=5, context=FitContext(folder=tmp_path))
    (first_events, first), (second_events, second) = fake_stage.calls
    assert first_events == len(split.train.interactions)
    assert second_events == len(DATA.interactions)
    assert len(first.held.queries) == len(first.held.targets) == len(split)
    blocked = first.held.queries.blocked  # blocked items are no targets
    expected = [
        [item for item in split.targets[row] if item not in blocked[row]]
        for row in range(len(split))
    ]
    assert [first.held.targets[row].tolist() for row in range(len(split))] == expected
    assert 0 < len(first.held.targets.values) < len(split.targets.values)
    assert second.held is None
    assert (first.seed, second.seed) == (5, 5)
    assert first.folder == tmp_path / "first" / "trainee"
    assert second.folder == tmp_path / "again" / "trainee"
    assert (first.name, second.name) == ("first-trainee", "again-trainee")


def test_targets_that_the_rules_exclude_are_left_out():
    catalogue = DATA.catalogue.with_columns({"stock": "number"})
    sold_out = np.arange(len(catalogue)) < len(catalogue) // 2
    column = Column("number", np.where(sold_out, 0.0, 1.0))
    catalogue = replace(catalogue, columns={**catalogue.columns, "stock": column})
    dataset = replace(DATA, catalogue=catalogue)
    split = leave_one_out(dataset, "validation", "keep")
    recipe = Recipe.of({**RECIPE.to_dict(), "steps": {"rules": {"available": "stock > 0"}}})
    fit_recipe(recipe, dataset, split, refit=False, live=state_view_of)
    ((_, received),) = fake_stage.calls
    expected = split.targets.values[~sold_out[split.targets.values]]
    assert 0 < len(expected) < len(split.targets.values)
    assert received.held.targets.values.tolist() == expected.tolist()
    assert len(received.held.targets) == len(received.held.queries) == len(split)


def test_without_allowed_targets_there_is_no_validation_set():
    rows = [(f"u{user}", f"i{step % 2}", float(step)) for user in range(30) for step in range(8)]
    dataset = world(rows)
    fit_recipe(RECIPE, dataset, leave_one_out(dataset, "validation", None), refit=False)
    ((_, received),) = fake_stage.calls
    assert received.held is None


def test_with_too_few_queries_there_is_no_validation_set():
    tiny = world(random_rows(users=5, events=40))
    fit_recipe(RECIPE, tiny, leave_one_out(tiny, "validation", None), refit=False)
    ((_, received),) = fake_stage.calls
    assert received.held is None


@given(st.data())
def test_allowed_targets_are_neither_blocked_nor_masked(data):
    item_lists = st.lists(st.lists(st.integers(0, 6), max_size=4), min_size=3, max_size=3)
    targets, blocked = data.draw(item_lists), data.draw(st.none() | item_lists)
    width = data.draw(st.integers(0, 7))
    masks = st.lists(st.lists(st.booleans(), min_size=width, max_size=width), max_size=3)
    mask = data.draw(masks.filter(lambda rows: len(rows) != 2))
    queries = replace(
        QueryBatch.of_histories(History.empty(3)),
        blocked=None if blocked is None else Ragged.from_rows(blocked),
        mask=np.array(mask, np.bool_).reshape(len(mask), width) if mask else None,
    )
    result = allowed_targets(queries, Ragged.from_rows(targets))
    for row in range(3):
        allowed = mask[row % len(mask)] if mask else [True] * 7
        row_blocked = [] if blocked is None else blocked[row]
        expected = [
            item
            for item in targets[row]
            if item not in row_blocked and item < len(allowed) and allowed[item]
        ]
        assert result[row].tolist() == expected
