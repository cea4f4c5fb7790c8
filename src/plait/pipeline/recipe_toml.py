"""Writes a recipe as TOML that loads again as the same recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

from plait.pipeline.recipe import Recipe

__all__ = ["recipe_toml"]


def recipe_toml(recipe: Recipe, comments: Sequence[str] = ()) -> str:
    """Write a recipe as TOML.

    Args:
        recipe: The recipe. Settings that are None are left out, as None is their default.
        comments: Lines of comment above it.

    Returns:
        The text of a recipe file.
    """
    document = {
        "name": recipe.name,
        "description": recipe.description,
        "candidates_per_model": recipe.candidates_per_model,
        "target_events": list(recipe.target_events),
        "event_weights": recipe.event_weights,
        "triples": {"exclude_relations": list(recipe.excluded_relations)},
        "models": recipe.models,
        "steps": recipe.steps,
    }
    heading = "".join(f"# {line}\n" for line in comments)
    return heading + tomli_w.dumps(_without_none(document))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """The table and those within it without entries that are None."""
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in table.items()
        if value is not None
    }
