"""Chooses the recipe of a fit: by argument, by setting, or that of the bundle in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plait.errors import PlaitError, RecipeError
from plait.pipeline.bundle_manifest import check_stage_paths
from plait.pipeline.bundle_store import BundleStore
from plait.pipeline.recipe import (
    HasRecipe,
    Recipe,
    RecipeLike,
    load_recipe,
    recipe_from,
    recipe_names,
)
from plait.settings import Settings
from plait.utils.path_kind import path_kind

__all__ = ["RecipeChoice", "choose_recipe"]

FIRST = "default"
"""The recipe of the first fit of a home."""


@dataclass(frozen=True, slots=True)
class RecipeChoice:
    """The recipe of a fit.

    Attributes:
        recipe: The recipe.
        origin: Where it comes from, in words.
        shipped: Its name if it comes with Plait, else "".
    """

    recipe: Recipe
    origin: str
    shipped: str = ""

    def __str__(self) -> str:
        return f"{self.recipe.name} ({self.origin})"


def choose_recipe(
    recipe: RecipeLike | RecipeChoice | None, settings: Settings, bundles: BundleStore
) -> RecipeChoice:
    """Choose the recipe of a fit.

    Args:
        recipe: The recipe, its file, or the name of one that comes with Plait; None: the setting
            `recipe`, else the recipe of the bundle in use, else "default". A choice stays.
        settings: The settings of the home.
        bundles: The bundles of the home.

    Returns:
        The recipe and where it comes from.

    Raises:
        RecipeError: If the recipe is unknown or wrong, that of the bundle in use is unreadable, or
            it names a stage that no later process would load, see the setting `stage_modules`.
    """
    choice = _chosen(recipe, settings, bundles)
    check_stage_paths(choice.recipe, settings.stage_modules, f"the recipe {choice.recipe.name!r}")
    return choice


def _chosen(
    recipe: RecipeLike | RecipeChoice | None, settings: Settings, bundles: BundleStore
) -> RecipeChoice:
    """The recipe of a fit; its stages are not imported yet."""
    if isinstance(recipe, RecipeChoice):
        return recipe
    if isinstance(recipe, Recipe | Mapping | HasRecipe):
        return RecipeChoice(recipe_from(recipe), "as asked")
    if recipe is not None:
        return _load(recipe, "as asked")
    if settings.recipe:
        in_home = settings.home / settings.recipe
        is_file = settings.recipe not in recipe_names() and path_kind(in_home) == "file"
        return _load(in_home if is_file else settings.recipe, "the setting recipe")
    try:
        current = bundles.current()
        if not current:
            return _load(FIRST, "the first fit of this home")
        manifest = bundles.manifest(current)
        shipped = str(manifest.get("notes", {}).get("shipped_recipe") or "")
        if shipped in recipe_names():
            return _load(shipped, f"the recipe of the bundle in use, {current}")
        stored = Recipe.stored(manifest["recipe"])
    except PlaitError as problem:
        raise RecipeError(
            f"the recipe of the bundle in use cannot be read: {problem.message}",
            hint=f"name a recipe: plait fit --recipe {FIRST}, or a TOML file",
            field="recipe",
        ) from problem
    return RecipeChoice(stored, f"stored with the bundle in use, {current}")


def _load(recipe: str | Path, origin: str) -> RecipeChoice:
    shipped = str(recipe) if str(recipe) in recipe_names() else ""
    return RecipeChoice(load_recipe(recipe), origin, shipped)
