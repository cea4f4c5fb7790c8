"""Metrics equal those of other libraries' own code on the same lists.

The values were measured by benchmarks/metric_equality.py, which renews them (`--write`).
"""

import importlib
import json
import sys

import numpy as np
import pytest

from tests.architecture.source_tree import ROOT

VALUES = ROOT / "tests" / "experiments" / "scores" / "metric_values.json"
FIXTURE = json.loads(VALUES.read_text("utf-8"))
RECORDS = {f"{record['library']}-{record['world']}": record for record in FIXTURE["records"]}


@pytest.fixture(scope="module")
def metric_equality():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("metric_equality")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        sys.modules.pop("metric_equality", None)


def test_the_worlds_are_those_that_the_libraries_measured(metric_equality):
    assert FIXTURE["worlds"] == metric_equality.WORLDS
    assert {record["library"] for record in RECORDS.values()} == {"rectools", "recbole", "lenskit"}


@pytest.mark.parametrize("name", RECORDS)
def test_every_metric_equals_that_of_the_library(metric_equality, name):
    record = RECORDS[name]
    assert all(np.isfinite(values).all() for values in record["values"].values())
    lists = FIXTURE["worlds"][record["world"]]
    differences = metric_equality.differences(lists, record["values"])
    assert {metric: gap for metric, gap in differences.items() if gap > 1e-12} == {}
