"""No code that executes data: no pickle, no eval, no exec."""

import ast

import pytest

from tests.architecture.source_tree import modules

PICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
SWITCHES = {"allow_pickle"}


def unsafe_lines(tree):
    """Lines that could execute data."""
    lines = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                bad = any(alias.name.partition(".")[0] in PICKLERS for alias in names)
            case ast.ImportFrom(module=str(name), level=0):
                bad = name.partition(".")[0] in PICKLERS
            case ast.Call(func=ast.Name(id=name)) if name in RUNNERS:
                bad = True
            case ast.Call(keywords=keywords):
                bad = any(word.arg in SWITCHES and may_be_true(word.value) for word in keywords)
            case _:
                bad = False
        if bad:
            lines.append(node.lineno)
    return lines


def may_be_true(node):
    return not (isinstance(node, ast.Constant) and node.value is False)


def test_no_module_executes_data():
    lines = {module.name: unsafe_lines(module.tree) for module in modules()}
    assert not {name: unsafe for name, unsafe in lines.items() if unsafe}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "exec('a = 1')",
        "import numpy\nnumpy.load('a', allow_pickle=True)",
    ],
)
def test_checker_detects_unsafe_code(source):
    assert unsafe_lines(ast.parse(source))


@pytest.mark.parametrize(
    "source", ["import re\nre.compile('a')", "import numpy\nnumpy.load('a', allow_pickle=False)"]
)
def test_checker_accepts_safe_code(source):
    assert not unsafe_lines(ast.parse(source))
