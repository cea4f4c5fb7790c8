"""The example of docs/adding-a-model.md works as written."""

import sys
from pathlib import Path

import numpy as np
import pytest

from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.testing import conformance
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import START, weekly_repeats
from plait.utils.timestamps import DAY

ROOT = Path(__file__).resolve().parents[2]
RECIPE = {"models": {"popular": {}, "weekday": {"stage": "own_model:Weekday", "smoothing": 1.0}}}


@pytest.fixture
def examples(monkeypatch):
    """The folder on Python's path, as that of an installed package is."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    yield
    sys.modules.pop("own_model", None)


def on_day(catalogue, day):
    queries = ask(catalogue, [])
    queries.times[:] = START + day * DAY
    return queries


def test_model_is_found_by_its_path_and_survives_save_and_load(examples, tmp_path):
    dataset = weekly_repeats()
    pipeline = Pipeline.build(Recipe.of(RECIPE)).fit(dataset)
    stage = pipeline.models[1]
    assert (stage.name, stage.config.smoothing) == ("weekday", 1.0)
    # users 0 and 3 buy on day 0, users 1 and 4 on day 1, the day on which 0 and 3 buy extras
    best = listed(stage.retrieve(on_day(dataset.catalogue, 7), 4), dataset.catalogue)[0]
    assert set(best) == {"milk-0", "bread-0", "milk-3", "bread-3"}
    expected = pipeline.retrieve_and_score(on_day(dataset.catalogue, 8))
    store = BundleStore(tmp_path, stage_modules=("own_model",))
    loaded = store.load(store.save(pipeline))
    items = loaded.retrieve_and_score(on_day(dataset.catalogue, 8))
    np.testing.assert_array_equal(items.item_numbers, expected.item_numbers)
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(items.column(name), column)


@pytest.mark.parametrize("check", sorted(conformance.CHECKS))
def test_model_conforms(examples, check):
    (case,) = conformance.stage_cases("own_model:Weekday")
    conformance.run(case, check)


def test_documentation_shows_the_example_as_it_is():
    text = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    source = (ROOT / "examples" / "own_model.py").read_text(encoding="utf-8")
    assert source in text
    assert len([line for line in source.splitlines() if line.strip()]) <= 60
