"""No answer is short while enough items pass: a small version of benchmarks/cold_answers.py."""

import importlib
import sys

import pytest

from tests.architecture.source_tree import ROOT


@pytest.fixture
def cold_answers():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("cold_answers")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        sys.modules.pop("cold_answers", None)


def test_no_answer_is_short_empty_or_wrong(cold_answers, tmp_path):
    results = cold_answers.measure(700, tmp_path)
    assert len(results) == 10
    for name, outcomes in results.items():
        assert (name, outcomes) == (name, {"right": 70, "short": 0, "empty": 0, "wrong": 0})
