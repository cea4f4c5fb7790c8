"""An import never points up."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source_tree import modules

LAYERS = (
    "errors",
    "settings",
    "utils",
    "data",
    "datasets",
    "schema",
    "privacy",
    "eventlog",
    "ingest",
    "pipeline",
    "metrics",
    "splitting",
    "features",
    "training",
    "retrieval",
    "models",
    "ranking",
    "state",
    "evaluation",
    "workspace",
    "server",
    "testing",
    "cli",
)
TOP = "plait"
FREE_NAMES = {"__version__"}  # of `plait` itself: any layer may read them


def resolve(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module that `from ... import` names, seen from `package`."""
    if not node.level:
        return node.module or ""
    base = package.split(".")
    kept = base[: len(base) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def names_of(node: ast.AST, package: str) -> Iterator[str]:
    """The modules, or members of modules, that one node imports."""
    match node:
        case ast.Import(names=names):
            yield from (one.name for one in names)
        case ast.ImportFrom(names=names):
            yield from (f"{resolve(node, package)}.{one.name}" for one in names)
        case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
            called = function.attr if isinstance(function, ast.Attribute) else None
            called = function.id if isinstance(function, ast.Name) else called
            if called in {"import_module", "__import__"}:
                yield name


def imports_of(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import of Plait's own: in functions and for types too."""
    for node in ast.walk(tree):
        for name in names_of(node, package):
            if name == TOP or name.startswith(TOP + "."):
                yield node.lineno, name


def layer_of(name: str) -> str:
    """`plait.data.types.Event` lies in `core`; plait itself, and names it fetches, above all."""
    part = name.split(".")[1] if "." in name else ""
    return "cli" if part == "__main__" else part


def wrong_imports(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What one module imports from above its own layer."""
    package = module if is_package else module.rpartition(".")[0]
    own = LAYERS.index(layer_of(module))
    wrong = []
    for line, name in imports_of(ast.parse(source), package):
        layer = layer_of(name)
        if layer in FREE_NAMES:
            continue
        if layer not in LAYERS or LAYERS.index(layer) > own:
            wrong.append(f"{module}:{line} imports {name}, which lies above {layer_of(module)}")
    return wrong


def test_every_module_lies_in_a_layer():
    strays = [one.name for one in modules() if one.name != TOP and layer_of(one.name) not in LAYERS]
    assert not strays, f"not in a layer: {strays}; the layers are {LAYERS}"


@pytest.mark.parametrize("module", [one for one in modules() if one.name != TOP], ids=str)
def test_imports_never_point_up(module):
    if layer_of(module.name) in LAYERS:  # strays are the matter of the test above
        assert not wrong_imports(module.text, module.name, is_package=module.is_package)


@pytest.mark.parametrize(
    "source",
    [
        "import plait.server",
        "from plait import serve",
        "from plait import open",
        "import plait",
        "from plait.state.live_state import State",
        "def f():\n    from plait.models import popular",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from plait.eventlog import Log",
        "from ..rank import fuse",
        "from .. import shop",
        "import importlib\nimportlib.import_module('plait.cli.main')",
    ],
)
def test_checker_sees_an_import_that_points_up(source):
    assert wrong_imports(source, "plait.data.event")


@pytest.mark.parametrize(
    "source",
    [
        "from plait.errors import PlaitError",
        "from plait import __version__",
        "from . import types",
        "from .types import Event",
        "import numpy",
        "import plaited",
    ],
)
def test_checker_lets_imports_down_and_aside_pass(source):
    assert not wrong_imports(source, "plait.data.event")


def test_checker_resolves_relative_imports_of_a_package():
    assert wrong_imports("from ..serve import http", "plait.data", is_package=True)
    assert not wrong_imports("from .types import Event", "plait.data", is_package=True)
