"""Recipes: pipelines as data, read from TOML and checked before anything runs."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from plait.errors import InputError, RecipeError
from plait.pipeline.config_validation import build_config
from plait.pipeline.model_failures import checked_budget
from plait.pipeline.recipe_tables import merged, names_of, table_of
from plait.pipeline.registry import stage_class
from plait.pipeline.renamed_settings import reject_unknown_keys
from plait.pipeline.stage import Stage
from plait.utils.path_kind import path_kind
from plait.utils.plain_arguments import without_numpy
from plait.utils.toml_json import parse_toml

__all__ = [
    "LADDER",
    "HasRecipe",
    "LadderStep",
    "Recipe",
    "RecipeLike",
    "build_stage",
    "load_recipe",
    "recipe_from",
    "recipe_names",
    "recipe_source",
    "resolve_extends",
]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_KEYS = (
    "name",
    "description",
    "candidates_per_model",
    "model_budget_ms",
    "event_weights",
    "target_events",
    "triples",
    "fallback",
    "models",
    "steps",
)
LadderStep = Literal[
    "popular-in-context", "popular-in-category", "category", "most-popular", "newest", "catalogue"
]
"""The steps of the ladder: see `plait.ranking.fallback`."""

LADDER: tuple[LadderStep, ...] = (
    "popular-in-context",
    "popular-in-category",
    "category",
    "most-popular",
    "newest",
    "catalogue",
)
"""Where the items come from that fill a list which the models leave short, in this order."""
MAX_CANDIDATES = 100_000
"""The most candidates of one model: every query holds an array of that length for each model."""

_EXTENSION_KEYS = ("extends", "without")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A pipeline as data.

    Attributes:
        name: The name of the recipe in reports.
        models: The settings of every model by name, in order; the key "stage" names the class where
            it differs from the name.
        steps: The same for the steps behind the models.
        description: One line of text.
        candidates_per_model: How many candidates each model retrieves.
        model_budget_ms: How many milliseconds a model may take for an answer, else the others
            answer without it; 0: any number.
        event_weights: The weight of each event type; "*" stands for any other. Zero is no evidence,
            a negative weight is a rejection.
        target_events: The event types that success is measured in; empty: all of positive weight.
        excluded_relations: Relations whose triples no stage gets.
        fallback: The steps that fill a list which the models leave short, in order; none: lists
            may be short.
    """

    name: str
    models: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, Mapping[str, Any]]
    description: str = ""
    candidates_per_model: int = 200
    event_weights: Mapping[str, float] = field(default_factory=dict)
    target_events: tuple[str, ...] = ()
    excluded_relations: tuple[str, ...] = ()
    fallback: tuple[str, ...] = LADDER
    model_budget_ms: float = 0.0

    @staticmethod
    def of(data: Mapping[str, Any]) -> Recipe:
        """Construct a recipe from a mapping, as TOML gives it.

        Args:
            data: The keys of a recipe file. With `extends` only what differs from another recipe:
                tables are merged, other values but the name replaced; `without` names models and
                steps of the other recipe to leave out.

        Raises:
            RecipeError: A key, a stage or a setting is unknown, or a value is not allowed; the
                first one is named. A stage named by `package.module:Class` is not looked at yet.
        """
        recipe = Recipe.stored(data)
        for name, settings in (*recipe.models.items(), *recipe.steps.items()):
            if ":" not in str(settings.get("stage", name)):
                build_stage(name, settings)
        return recipe

    @staticmethod
    def stored(data: Mapping[str, Any]) -> Recipe:
        """Construct a recipe that was checked when it was made, such as that of a bundle.

        Args:
            data: As for `of`; no stage is imported.

        Raises:
            RecipeError: A key is unknown or its value is not allowed.
        """
        return _recipe(resolve_extends(without_numpy(table_of(data, "the recipe")), Path()))

    def to_dict(self) -> dict[str, Any]:
        """The mapping that `of` reads; it fits into JSON and TOML."""
        data = dataclasses.asdict(self)
        data["triples"] = {"exclude_relations": list(data.pop("excluded_relations"))}
        data["target_events"] = list(self.target_events)
        data["fallback"] = list(self.fallback) or "none"
        if not self.model_budget_ms:
            del data["model_budget_ms"]
        return data


@runtime_checkable
class HasRecipe(Protocol):
    """What can be served as a recipe, such as the result of `plait.fuse`."""

    def recipe(self) -> Recipe:
        """Return the recipe."""


RecipeLike = str | Path | Mapping[str, Any] | Recipe | HasRecipe
"""A recipe as Python calls take it: a shipped name, a TOML file, the mapping of one, a `Recipe`, or
what has a recipe."""


def _recipe(data: Mapping[str, Any]) -> Recipe:
    reject_unknown_keys(data, _KEYS, "the recipe")
    data = {**_shipped_evidence(), **data}
    triples = table_of(data["triples"], "triples")
    reject_unknown_keys(triples, ("exclude_relations",), "[triples]")
    models = _stages(data.get("models", {}), "models")
    if not models:
        raise RecipeError("the recipe has no model", hint="add [models.popular]", field="models")
    candidates = data.get("candidates_per_model", 200)
    is_count = isinstance(candidates, int) and not isinstance(candidates, bool)
    if not is_count or not 1 <= candidates <= MAX_CANDIDATES:
        raise RecipeError(
            f"candidates_per_model is {candidates!r}, expected a whole number from 1 to "
            f"{MAX_CANDIDATES}",
            field="candidates_per_model",
        )
    return Recipe(
        name=str(data.get("name", "unnamed")),
        description=str(data.get("description", "")),
        candidates_per_model=candidates,
        model_budget_ms=checked_budget(data.get("model_budget_ms", 0.0)),
        event_weights=_weights(data["event_weights"]),
        target_events=names_of(data.get("target_events", ()), "target_events"),
        excluded_relations=names_of(
            triples.get("exclude_relations", ()), "triples.exclude_relations"
        ),
        fallback=_ladder(data.get("fallback", LADDER)),
        models=models,
        steps=_stages(data.get("steps", {}), "steps"),
    )


def resolve_extends(
    data: Mapping[str, Any], folder: Path, seen: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A recipe's mapping merged onto the recipe that it extends, if it does.

    Args:
        data: The mapping; `extends` names a shipped recipe or a TOML file.
        folder: Where a relative file name starts.
        seen: The recipes that led here.

    Returns:
        A mapping without `extends` and `without`.

    Raises:
        RecipeError: The other recipe does not exist or leads back to one of `seen`, or `without`
            names what it does not have.
    """
    own = {key: value for key, value in data.items() if key not in _EXTENSION_KEYS}
    if "extends" not in data:
        if "without" in data:
            raise RecipeError(
                "without needs extends", hint='add extends = "default"', field="without"
            )
        return own
    parent = data["extends"]
    if not isinstance(parent, str):
        raise RecipeError(f"extends is {parent!r}, expected a recipe's name", field="extends")
    if parent in seen:
        raise RecipeError(
            f"recipes extend each other: {', '.join((*seen, parent))}", field="extends"
        )
    base, base_folder = _read_recipe(parent, folder)
    base = resolve_extends(base, base_folder, (*seen, parent))
    for name in names_of(data.get("without", ()), "without"):
        sections = [section for section in ("models", "steps") if name in base.get(section, {})]
        if not sections:
            raise RecipeError(
                f"without names {name!r}, which {parent!r} does not have", field="without"
            )
        for section in sections:
            base[section] = {key: value for key, value in base[section].items() if key != name}
    return merged({key: value for key, value in base.items() if key != "name"}, own)


def _stages(value: Any, where: str) -> dict[str, dict[str, Any]]:
    """The tables of stages by name; a name is also that of a folder and of columns."""
    tables = {}
    for name, settings in table_of(value, where).items():
        if not _NAME.fullmatch(name):
            raise RecipeError(
                f"{where}.{name} is not a valid stage name",
                hint="lower-case letters, digits, - and _, a letter first",
                field=where,
            )
        tables[name] = dict(table_of(settings, f"{where}.{name}"))
    return tables


def _weights(value: Any) -> dict[str, float]:
    weights = table_of(value, "event_weights")
    for event_type, weight in weights.items():
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight):
            field = f"event_weights.{event_type}"
            raise RecipeError(f"{field} is {weight!r}, expected a finite number", field=field)
    return {event_type: float(weight) for event_type, weight in weights.items()}


def _ladder(value: Any) -> tuple[str, ...]:
    ladder = [] if value == "none" else value
    is_list = isinstance(ladder, list | tuple) and all(step in LADDER for step in ladder)
    if not is_list or len(set(ladder)) < len(ladder):
        raise RecipeError(
            f'fallback is {value!r}, expected "none" or a list of different steps',
            hint=f"the steps are {', '.join(LADDER)}",
            field="fallback",
        )
    return tuple(ladder)


def recipe_names() -> list[str]:
    """The names of the recipes that ship with Plait, sorted."""
    folder = resources.files("plait") / "recipes"
    names = (path.name for path in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def recipe_source(name: str) -> str:
    """The TOML text of a shipped recipe.

    Args:
        name: The name of the recipe.

    Raises:
        RecipeError: No recipe of that name ships with Plait.
    """
    if name not in recipe_names():
        known = ", ".join(recipe_names())
        raise RecipeError(f"no recipe {name!r}", hint=f"name one of {known}", field="recipe")
    return (resources.files("plait") / "recipes" / f"{name}.toml").read_text("utf-8")


@cache
def _shipped_evidence() -> Mapping[str, Any]:
    """The weights of event types and the excluded relations of a recipe that sets neither.

    Without them a rejection would count as evidence of taste.
    """
    default = parse_toml(recipe_source("default"))
    return {key: default[key] for key in ("event_weights", "triples")}


def recipe_from(value: RecipeLike) -> Recipe:
    """A recipe in any of the forms that Python calls take.

    Args:
        value: A recipe; the mapping that a recipe file would hold; the name of a shipped recipe;
            the path of a TOML file; or what has a recipe, such as the result of `plait.fuse`.

    Raises:
        RecipeError: There is no such recipe, or a key in it is wrong.
    """
    if isinstance(value, Recipe):
        return value
    if isinstance(value, HasRecipe):
        return value.recipe()
    if isinstance(value, Mapping):
        return Recipe.of(value)
    if not isinstance(value, str | Path):
        raise RecipeError(
            f"a recipe is {value!r}, expected a name, a TOML file, a mapping or a Recipe",
            field="recipe",
        )
    return load_recipe(value)


def load_recipe(name: str | Path) -> Recipe:
    """A recipe from a file.

    Args:
        name: The name of a shipped recipe, or the path of a TOML file.

    Raises:
        RecipeError: There is no such recipe, it is not TOML, or a key in it is wrong.
    """
    data, folder = _read_recipe(str(name), Path())
    resolved = resolve_extends(data, folder, (str(name),))
    return _recipe({"name": Path(str(name)).stem, **resolved})


def _read_recipe(name: str, folder: Path) -> tuple[dict[str, Any], Path]:
    """The mapping in a recipe's file, and the folder it lies in."""
    path = folder / name
    if name in recipe_names():
        source = recipe_source(name)
    elif path_kind(path) == "file":
        source = _read(path)
    else:
        known = ", ".join(recipe_names())
        raise RecipeError(
            f"no recipe {name!r}", hint=f"name one of {known}, or a TOML file", field="recipe"
        )
    try:
        return parse_toml(source), path.parent
    except ValueError as problem:
        raise RecipeError(f"{name} is not valid TOML: {problem}", field="recipe") from problem


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise RecipeError(f"cannot read the recipe {path}: {problem}") from problem


def build_stage(name: str, settings: Mapping[str, Any]) -> Stage:
    """Construct a stage that a recipe's table describes.

    Args:
        name: The name that the recipe gives the stage.
        settings: The table; the key "stage" names the class where it differs from `name`.

    Returns:
        The stage, not yet fitted.

    Raises:
        RecipeError: The stage does not exist, or a setting is not allowed; `field` is the path of
            the first such setting.
    """
    cls = stage_class(str(settings.get("stage", name)))
    own_settings = {key: value for key, value in settings.items() if key != "stage"}
    config = build_config(cls.Config, own_settings, name)
    try:
        return cls(config, name=name)
    except InputError as problem:
        raise RecipeError(problem.message, hint=problem.hint, field=problem.field) from problem
