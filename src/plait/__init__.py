"""Plait: one recommender and search engine over an event log and a catalogue.

Importing the package is quick: each name below is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.data.types import Event, Query
    from plait.experiments.data.dataset import Dataset
    from plait.experiments.fusion.fusion import fuse
    from plait.experiments.models.learning_curve import Curve
    from plait.experiments.scores.score import score
    from plait.experiments.search.search import grid, search
    from plait.pipeline.search_space import Range
    from plait.workspace import open

__all__ = [
    "Curve",
    "Dataset",
    "Event",
    "Query",
    "Range",
    "__version__",
    "fuse",
    "grid",
    "open",
    "score",
    "search",
]

__version__ = "0.1.0"

_MODULES = {
    "Curve": "plait.experiments.models.learning_curve",
    "Dataset": "plait.experiments.data.dataset",
    "Event": "plait.data.types",
    "Query": "plait.data.types",
    "fuse": "plait.experiments.fusion.fusion",
    "Range": "plait.pipeline.search_space",
    "grid": "plait.experiments.search.search",
    "search": "plait.experiments.search.search",
    "open": "plait.workspace",
    "score": "plait.experiments.scores.score",
}


_SUBMODULES = ("datasets", "models")
"""Packages that need no import of their own: `plait.datasets.load`."""


def __getattr__(name: str) -> object:
    if name in _SUBMODULES:
        return import_module(f"plait.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'plait' has no attribute {name!r}; expected one of {__all__}")
    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
