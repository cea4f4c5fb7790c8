"""Nothing that runs what it reads: no pickle, no eval, no exec."""

import ast

import pytest

from tests.architecture.source_tree import modules

PICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUNNERS = {"eval", "exec", "compile", "__import__"}
SWITCHES = {"allow_pickle"}


def dangers(source):
    """Lines that could run data."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                bad = any(one.name.partition(".")[0] in PICKLERS for one in names)
            case ast.ImportFrom(module=str(name), level=0):
                bad = name.partition(".")[0] in PICKLERS
            case ast.Call(func=ast.Name(id=name)) if name in RUNNERS:
                bad = True
            case ast.Call(keywords=keywords):
                bad = any(one.arg in SWITCHES and is_true(one.value) for one in keywords)
            case _:
                bad = False
        if bad:
            lines.append(node.lineno)
    return lines


def is_true(node):
    return not (isinstance(node, ast.Constant) and node.value is False)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_data_is_never_run(module):
    assert not dangers(module.text)


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
def test_checker_sees_danger(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source", ["import re\nre.compile('a')", "import numpy\nnumpy.load('a', allow_pickle=False)"]
)
def test_checker_lets_the_rest_pass(source):
    assert not dangers(source)
