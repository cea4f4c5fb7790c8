"""Finds stages by the name that a recipe uses.

Entry points of the group `plait.stages` name packages; a stage called `popular` is the one Stage
class that the module `popular` of such a package exports. Built-ins come through the same door, so
adding a model is adding a file. `package.module:Class` names a class anywhere else.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

from plait.core.stage import Stage
from plait.errors import RecipeError

__all__ = ["available", "stage_class", "stage_names"]

GROUP = "plait.stages"


@cache
def stage_names() -> dict[str, str]:
    """Every module of the named packages that may hold a stage: its name and its import path."""
    found: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.value):
        package = importlib.import_module(point.value)
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                found.setdefault(module.name, f"{point.value}.{module.name}")
    return found


def stage_class(name: str) -> type[Stage]:
    """The class of stage `name`; RecipeError lists those there are, or says what it lacks."""
    if ":" in name:
        return _named(name)
    path = stage_names().get(name)
    found = list(_stages_of(_imported(path, name))) if path else []
    if not found:
        raise RecipeError(
            f"no stage is called {name!r}",
            hint=f"there are {', '.join(sorted(available()))}; others: package.module:Class",
            field="stage",
        )
    return found[0]


def available() -> dict[str, type[Stage]]:
    """All stages that entry points lead to, by name."""
    modules = ((name, importlib.import_module(path)) for name, path in stage_names().items())
    return {name: one for name, module in modules for one in _stages_of(module)}


def _stages_of(module: ModuleType) -> Iterator[type[Stage]]:
    for name in getattr(module, "__all__", ()):
        one = getattr(module, name)
        own = isinstance(one, type) and one.__module__ == module.__name__
        if own and issubclass(one, Stage) and not inspect.isabstract(one):
            yield one


def _imported(path: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(path)
    except ImportError as problem:
        raise RecipeError(
            f"cannot load the stage {name!r}: {problem}",
            hint=f"{path} imports what is not installed",
            field="stage",
        ) from problem


def _named(path: str) -> type[Stage]:
    module_name, _, class_name = path.partition(":")
    try:
        one = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, TypeError, ValueError) as problem:
        raise RecipeError(
            f"cannot load the stage {path!r}: {problem}",
            hint="package.module:Class, found on Python's path: PYTHONPATH=FOLDER adds a folder",
            field="stage",
        ) from problem
    if not (isinstance(one, type) and issubclass(one, Stage)):
        raise RecipeError(f"{path!r} is no Stage", hint="subclass plait.core.stage.Stage")
    return one
