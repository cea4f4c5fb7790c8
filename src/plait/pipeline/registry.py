"""Finds the class of a stage by the name that a recipe uses.

`BUILT_IN` lists the stages that ship with Plait. Other distributions add theirs by an entry point
of the group `plait.stages`: the entry point's name is the stage's, its value
`package.module:Class`. A recipe can also name any class directly, as `package.module:Class`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points

from plait.errors import RecipeError
from plait.pipeline.stage import Stage

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "load_all_stages", "stage_class", "stage_paths"]

ENTRY_POINT_GROUP = "plait.stages"
"""The group of the entry points that name the stages of other distributions."""

BUILT_IN: Mapping[str, str] = {
    "content": "plait.models.content:Content",
    "ease": "plait.models.item_item.ease:Ease",
    "explain": "plait.ranking.explanation.explain:Explain",
    "factors": "plait.models.factorization.matrix_factorization:Factors",
    "fuse": "plait.ranking.fusion.fuse:Fuse",
    "given": "plait.models.external.listed_scores:Given",
    "graph": "plait.models.graph.graph_recommender:Graph",
    "image": "plait.models.image_vectors:ImageVectors",
    "lexical": "plait.retrieval.lexical:Lexical",
    "linear": "plait.models.item_item.linear:Linear",
    "neighbours": "plait.models.item_item.neighbours:Neighbours",
    "policy": "plait.ranking.final_order:Policy",
    "popular": "plait.models.popularity.popular:Popular",
    "ratings": "plait.models.factorization.rating_prediction:Ratings",
    "relevance": "plait.ranking.relevance.relevance:Relevance",
    "repeat": "plait.models.tifu_knn:Repeat",
    "rules": "plait.ranking.exclusion_rules:Rules",
    "sequence": "plait.models.sequential.sequential_recommender:Sequence",
    "text": "plait.models.text_vectors:TextVectors",
    "unified": "plait.models.multimodal.unified_recommender:Unified",
    "vectors": "plait.models.external.listed_vectors:Vectors",
}
"""The stages that ship with Plait: name to `module:Class`.

Nothing is imported before it is used.
"""


@cache
def stage_paths() -> dict[str, str]:
    """Name to `module:Class` of every registered stage; a built-in one cannot be replaced.

    Returns:
        A new mapping: the built-in stages, then those of entry points, sorted by distribution.
    """
    plugins = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.value)
    return {**{point.name: point.value for point in reversed(plugins)}, **BUILT_IN}


def stage_class(name: str) -> type[Stage]:
    """The class of a stage.

    Args:
        name: A registered name, or `package.module:Class`.

    Raises:
        RecipeError: No such stage exists, or it cannot be imported. The error lists the registered
            names, or says what is missing.
    """
    path = name if ":" in name else stage_paths().get(name)
    if path is None:
        raise RecipeError(
            f"unknown stage {name!r}",
            hint=f"there are {', '.join(sorted(stage_paths()))}; others: package.module:Class",
            field="stage",
        )
    return _import_stage(path, name)


def load_all_stages() -> dict[str, type[Stage]]:
    """The class of every registered stage by name; this imports all of them.

    Raises:
        RecipeError: A stage cannot be imported.
    """
    return {name: stage_class(name) for name in sorted(stage_paths())}


def _import_stage(path: str, name: str) -> type[Stage]:
    module_name, _, class_name = path.partition(":")
    try:
        stage = getattr(importlib.import_module(module_name), class_name)
    except Exception as problem:  # a module may raise anything
        is_usual = isinstance(problem, ImportError | AttributeError)
        kind = "" if is_usual else f"{type(problem).__name__}: "
        raise RecipeError(
            f"cannot load the stage {name!r}: {kind}{problem}",
            hint="package.module:Class, found on Python's path: PYTHONPATH=FOLDER adds a folder",
            field="stage",
        ) from problem
    if not (isinstance(stage, type) and issubclass(stage, Stage)):
        raise RecipeError(
            f"{path!r} is not a subclass of Stage",
            hint="derive it from plait.pipeline.stage.Stage",
            field="stage",
        )
    return stage
