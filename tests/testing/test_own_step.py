"""The re-ranking step of docs/adding-a-model.md works as written."""

import sys
from pathlib import Path

import numpy as np
import pytest

import plait
from plait.data.types import StateView
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.state.snapshot_state import DatasetState
from plait.testing import conformance
from plait.testing.queries import ask

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def examples(monkeypatch):
    """The folder on Python's path, as that of an installed package is."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    yield
    sys.modules.pop("own_step", None)


@pytest.mark.parametrize("check", sorted(conformance.CHECKS))
def test_step_conforms(examples, check):
    (case,) = conformance.stage_cases("own_step:Margin")
    conformance.run(case, check)


def test_items_of_large_margin_come_first(examples):
    events = [{"user": f"u{number}", "item": item} for number in range(4) for item in "ab"]
    items = [{"item": "a", "margin": 1.0}, {"item": "b", "margin": 99.0}]
    dataset = plait.Dataset.of([*events, {"user": "u9", "item": "a"}], items=items)
    queries = ask(dataset.catalogue, [], live=StateView(DatasetState.of(dataset)))
    for weight, expected in ((0.0, ["a", "b"]), (5.0, ["b", "a"])):
        step = {"stage": "own_step:Margin", "weight": weight}
        steps = {"fuse": {}, "margin": step, "policy": {}}
        recipe = Recipe.of({"models": {"popular": {}}, "steps": steps})
        answer = Pipeline.build(recipe).fit(dataset).run(queries)
        order = np.argsort(answer.column("order")[0])
        assert [dataset.catalogue.id(answer.item_numbers[0, place]) for place in order] == expected


def test_documentation_shows_the_step_as_it_is():
    text = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    assert (ROOT / "examples" / "own_step.py").read_text(encoding="utf-8") in text
