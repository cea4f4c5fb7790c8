"""Names say what they hold: the fillers of `benchmarks/structure.py` name nothing."""

import ast

import pytest
from benchmarks.structure import FILLERS, bindings, python_files

from tests.architecture.source_tree import ROOT

FOLDERS = ("src", "tests", "benchmarks", "examples")


def test_no_file_binds_a_filler():
    paths = python_files([ROOT / name for name in FOLDERS])
    assert {path.relative_to(ROOT).parts[0] for path in paths} == set(FOLDERS)
    assert not [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in paths
        for line, name in bindings(ast.parse(path.read_text(encoding="utf-8")))
        if name in FILLERS
    ]


@pytest.mark.parametrize(
    "source",
    [
        "one = 1",
        "def f(given): pass",
        "[found for found in x]",
        "import a as kept",
        "with a as there: pass",
        "def told(): pass",
        "match x:\n    case wanted: pass",
        "try:\n    pass\nexcept E as mine:\n    pass",
    ],
)
def test_checker_detects_a_filler(source):
    assert any(name in FILLERS for _, name in bindings(ast.parse(source)))
