"""Writes a recipe as TOML that loads again as the same recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomli_w

from plait.pipeline.recipe import Recipe

__all__ = ["recipe_toml"]


def recipe_toml(recipe: Recipe, comments: Sequence[str] = ()) -> str:
    """A recipe as TOML.

    Args:
        recipe: The recipe; settings that are None are left out, as that is their default.
        comments: Lines of comment above it.
    """
    lines = "".join(f"# {comment}\n" for comment in comments)
    return lines + tomli_w.dumps(_without_none(recipe.to_dict()))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
