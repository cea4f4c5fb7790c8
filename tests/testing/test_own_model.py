"""The example of docs/adding-a-model.md works as it is written there."""

import sys
from pathlib import Path

import numpy as np
import pytest

from plait.pipeline.bundle import BundleStore
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.testing import conformance
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import START, weekly_repeats

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400_000_000
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


def test_it_is_found_by_its_path_and_takes_part(examples, tmp_path):
    dataset = weekly_repeats()
    pipeline = Pipeline.build(Recipe.of(RECIPE)).fit(dataset)
    stage = pipeline.models[1]
    assert (stage.name, stage.config.smoothing) == ("weekday", 1.0)
    # users 0 and 3 buy on day 0, users 1 and 4 on day 1, the day on which 0 and 3 buy extras
    best = listed(stage.retrieve(on_day(dataset.catalogue, 7), 4), dataset.catalogue)[0]
    assert set(best) == {"milk-0", "bread-0", "milk-3", "bread-3"}
    queries = on_day(dataset.catalogue, 8)
    expected = pipeline.retrieve_and_score(queries)
    store = BundleStore(tmp_path)
    found = store.load(store.save(pipeline)).retrieve_and_score(on_day(dataset.catalogue, 8))
    assert np.array_equal(found.item_numbers, expected.item_numbers)
    for name, column in expected.columns.items():
        assert np.array_equal(found.column(name), column, equal_nan=column.dtype.kind == "f")


@pytest.mark.parametrize("check", sorted(conformance.CHECKS))
def test_it_conforms(examples, check):
    (subject,) = conformance.subjects("own_model:Weekday")
    conformance.run(subject, check)


def test_the_documentation_shows_it_as_it_is():
    text = (ROOT / "docs" / "adding-a-model.md").read_text(encoding="utf-8")
    source = (ROOT / "examples" / "own_model.py").read_text(encoding="utf-8")
    assert source in text
    assert len([line for line in source.splitlines() if line.strip()]) <= 60
