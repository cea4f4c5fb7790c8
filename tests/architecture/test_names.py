"""Names say what they hold: the fillers of `benchmarks/structure.py` name nothing."""

import ast

import pytest
from benchmarks.structure import FILLERS, bindings, python_files

from tests.architecture.source_tree import ROOT

FOLDERS = [ROOT / name for name in ("src", "tests", "benchmarks", "examples")]


@pytest.mark.parametrize(
    "path", python_files(FOLDERS), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_file_binds_no_filler(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    fillers = [f"line {line}: {name}" for line, name in bindings(tree) if name in FILLERS]
    assert not fillers


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
