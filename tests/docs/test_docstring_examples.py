"""The examples in docstrings of the most used functions run."""

import doctest

import pytest

import plait
from plait import datasets, models
from plait.experiments.data.dataset import Dataset

FUNCTIONS = {
    "Dataset": Dataset,
    "Dataset.of": Dataset.of,
    "Dataset.from_arrays": Dataset.from_arrays,
    "Dataset.filter": Dataset.filter,
    "Dataset.kcore": Dataset.kcore,
    "Dataset.sample": Dataset.sample,
    "Dataset.split_last": Dataset.split_last,
    "Dataset.split_time": Dataset.split_time,
    "Dataset.split_random": Dataset.split_random,
    "Dataset.to_frame": Dataset.to_frame,
    "score": plait.score,
    "open": plait.open,
    "datasets.load": datasets.load,
    "Curve": plait.Curve,
    **{f"models.{name}": getattr(models, name) for name in models.__all__},
}

EXTRAS = {
    "implicit": ("IALS", "BPR"),
    "torch": ("SASRec", "GRU4Rec", "BERT4Rec", "HSTU", "LightGCN"),
}
"""The package that the example of a model needs."""


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
