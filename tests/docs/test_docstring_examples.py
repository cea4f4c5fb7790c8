"""The examples in docstrings of the most used functions run."""

import doctest

import pytest

import plait
from plait import datasets, models
from plait.experiments.data.dataset import Dataset
from plait.experiments.fusion.fusion import Fusion
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.scores.score_table import ScoreTable

METHODS = ("of", "from_arrays", "filter", "matching", "kcore", "sample")
SPLITS = ("split_last", "split_time", "split_random")

FUNCTIONS = {
    **{f"Dataset.{name}": getattr(Dataset, name) for name in (*METHODS, *SPLITS, "to_frame")},
    "datasets.load": datasets.load,
    "FittedModel": FittedModel,
    "Fusion": Fusion,
    "ScoreTable": ScoreTable,
    **{name: getattr(plait, name) for name in plait.__all__ if name != "__version__"},
    **{f"models.{name}": getattr(models, name) for name in models.__all__},
}
"""The most used functions and every class that `import plait` and `plait.models` offer."""

EXTRAS = {
    "implicit": ("IALS", "BPR"),
    "optuna": ("search",),
    "torch": ("SASRec", "GRU4Rec", "BERT4Rec", "HSTU", "LightGCN"),
}
"""The package that an example needs."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_example_of_a_function_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for package, names in EXTRAS.items():
        if name.removeprefix("models.") in names:
            pytest.importorskip(package)
    examples = doctest.DocTestFinder(recurse=False).find(FUNCTIONS[name], name, globs={})
    assert any(example.examples for example in examples)
    runner = doctest.DocTestRunner()
    for example in examples:
        assert runner.run(example).failed == 0
