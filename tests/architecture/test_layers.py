"""An import never points to a higher layer, and packages do not import each other in a cycle."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

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
    "encoders",
    "training",
    "retrieval",
    "models",
    "ranking",
    "state",
    "evaluation",
    "experiments",
    "workspace",
    "server",
    "testing",
    "cli",
)
TOP = "plait"
FRONT_DOORS = {TOP, "plait.models"}
"""Modules that only list names for users, each imported when it is first used."""
FREE_NAMES = {"__version__"}  # of `plait` itself: any layer may read them


def resolve(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module that `from ... import` names, seen from `package`."""
    if not node.level:
        return node.module or ""
    base = package.split(".")
    parents = base[: len(base) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def names_of(node: ast.AST, package: str) -> Iterator[str]:
    """The modules, or members of modules, that one node imports."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(names=names):
            yield from (f"{resolve(node, package)}.{alias.name}" for alias in names)
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
    """`data` for `plait.data.types.Event`; "" for plait itself, which lies above all layers."""
    layer = name.split(".")[1] if "." in name else ""
    return "cli" if layer == "__main__" else layer


def wrong_imports(tree: ast.AST, module: str, *, is_package: bool = False) -> list[str]:
    """What one module imports from above its own layer."""
    package = module if is_package else module.rpartition(".")[0]
    own = LAYERS.index(layer_of(module))
    wrong = []
    for line, name in imports_of(tree, package):
        layer = layer_of(name)
        if layer in FREE_NAMES:
            continue
        if layer not in LAYERS or LAYERS.index(layer) > own:
            wrong.append(f"{module}:{line} imports {name}, which lies above {layer_of(module)}")
    return wrong


def test_every_module_lies_in_a_layer():
    names = [module.name for module in modules() if module.name != TOP]
    strays = [name for name in names if layer_of(name) not in LAYERS]
    assert not strays, f"not in a layer: {strays}; the layers are {LAYERS}"


def test_modules_import_only_their_own_and_lower_layers():
    assert not [
        wrong
        for module in modules()
        if module.name not in FRONT_DOORS
        if layer_of(module.name) in LAYERS  # the test above reports the others
        for wrong in wrong_imports(module.tree, module.name, is_package=module.is_package)
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import plait.server",
        "from plait import server",
        "from plait import open",
        "import plait",
        "from plait.state.live_state import LiveState",
        "def f():\n    from plait.models import content",
        "if TYPE_CHECKING:\n    from plait.eventlog import EventLog",
        "from ..ranking import fusion",
        "from .. import workspace",
        "import importlib\nimportlib.import_module('plait.cli.main')",
    ],
)
def test_checker_detects_an_import_of_a_higher_layer(source):
    assert wrong_imports(ast.parse(source), "plait.data.event")


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
def test_checker_accepts_imports_of_lower_and_equal_layers(source):
    assert not wrong_imports(ast.parse(source), "plait.data.event")


def test_checker_resolves_relative_imports_of_a_package():
    upward, inner = ast.parse("from ..server import http"), ast.parse("from .types import Event")
    assert wrong_imports(upward, "plait.data", is_package=True)
    assert not wrong_imports(inner, "plait.data", is_package=True)


def package_of(name: str) -> str:
    """`plait.data` for `plait.data.types.Event`."""
    return ".".join(name.split(".")[:2])


def package_imports(trees: list[tuple[str, bool, ast.AST]]) -> dict[str, set[str]]:
    """The packages that each package imports, from `(name, is_package, tree)` of all modules."""
    graph: dict[str, set[str]] = {}
    for name, is_package, tree in trees:
        package = package_of(name)
        members = imports_of(tree, name if is_package else name.rpartition(".")[0])
        targets = {package_of(member) for _, member in members}
        graph.setdefault(package, set()).update(targets - {package, TOP})
    return graph


def test_packages_do_not_import_each_other_in_a_cycle():
    inner = [module for module in modules() if module.name not in FRONT_DOORS]
    graph = package_imports([(module.name, module.is_package, module.tree) for module in inner])
    assert {f"{TOP}.{layer}" for layer in LAYERS} <= graph.keys()
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_cycle_checker_detects_a_cycle():
    sources = [
        ("plait.data.a", False, "import plait.state.b"),
        ("plait.state.b", False, "def f():\n    from plait.models.c import d"),
        ("plait.models.c", False, "from plait.data.a import e"),
    ]
    trees = [(name, is_package, ast.parse(source)) for name, is_package, source in sources]
    with pytest.raises(CycleError):
        TopologicalSorter(package_imports(trees)).prepare()
    assert TopologicalSorter(package_imports(trees[:2])).prepare() is None
