"""A recipe: a pipeline as data, read from TOML and checked before anything runs."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from plait.errors import InputError, RecipeError
from plait.pipeline.registry import stage_class
from plait.pipeline.stage import Stage

__all__ = ["Recipe", "build_stage", "load_recipe", "recipe_names"]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_TOP = ("name", "description", "retrieve", "kinds", "goal", "facts", "strands", "steps")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A pipeline as data.

    `strands` and `steps`: by name, in order, the settings of every stage, "stage" among them where
    the class has another name. `kinds`: what kinds of interaction are worth ("*": any other; zero:
    no evidence; below zero: a rejection). `goal`: the kinds that success is counted in, empty for
    all that are worth something. `retrieve`: candidates that each strand brings.
    `facts_exclude`: relations that no stage may see.
    """

    name: str
    strands: Mapping[str, Mapping[str, Any]]
    steps: Mapping[str, Mapping[str, Any]]
    description: str = ""
    retrieve: int = 200
    kinds: Mapping[str, float] = field(default_factory=dict)
    goal: tuple[str, ...] = ()
    facts_exclude: tuple[str, ...] = ()

    @staticmethod
    def of(data: Mapping[str, Any]) -> Recipe:
        """From a mapping as TOML gives it; RecipeError names the first key that is wrong."""
        _only(_table(data, "the recipe"), _TOP, "the recipe")
        facts = _table(data.get("facts", {}), "facts")
        _only(facts, ("exclude",), "[facts]")
        strands = _stages(data.get("strands", {}), "strands")
        if not strands:
            raise RecipeError("the recipe has no strand", hint="add [strands.popular]")
        retrieve = data.get("retrieve", 200)
        if not isinstance(retrieve, int) or isinstance(retrieve, bool) or retrieve < 1:
            raise RecipeError(f"retrieve is {retrieve!r}, not a number above 0", field="retrieve")
        return Recipe(
            name=str(data.get("name", "unnamed")),
            description=str(data.get("description", "")),
            retrieve=retrieve,
            kinds=_weights(data.get("kinds", {})),
            goal=_words(data.get("goal", ()), "goal"),
            facts_exclude=_words(facts.get("exclude", ()), "facts.exclude"),
            strands=strands,
            steps=_stages(data.get("steps", {}), "steps"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The mapping that `of` reads: JSON and TOML may carry it."""
        plain = dataclasses.asdict(self)
        plain["facts"] = {"exclude": list(plain.pop("facts_exclude"))}
        plain["goal"] = list(self.goal)
        return plain


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{where} is {value!r}, not a table", field=where)
    return value


def _stages(value: Any, where: str) -> dict[str, dict[str, Any]]:
    """The tables of stages by name; a name is also that of a folder and of columns."""
    found = {}
    for name, one in _table(value, where).items():
        if not _NAME.fullmatch(name):
            raise RecipeError(
                f"{where}.{name} is no name for a stage",
                hint="lower-case letters, digits, - and _, a letter first",
                field=where,
            )
        found[name] = dict(_table(one, f"{where}.{name}"))
    return found


def _weights(value: Any) -> dict[str, float]:
    kinds = _table(value, "kinds")
    for kind, worth in kinds.items():
        number = isinstance(worth, int | float) and not isinstance(worth, bool)
        if not number or not math.isfinite(worth):
            raise RecipeError(f"kinds.{kind} is {worth!r}, not a number", field=f"kinds.{kind}")
    return {kind: float(worth) for kind, worth in kinds.items()}


def _words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise RecipeError(f"{where} is {value!r}, not a list of names", field=where)
    return tuple(value)


def recipe_names() -> list[str]:
    """The recipes that ship with Plait."""
    folder = resources.files("plait") / "recipes"
    names = (one.name for one in folder.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str | Path) -> Recipe:
    """A shipped recipe by name, or a TOML file by path."""
    text = str(name)
    if text in recipe_names():
        source = (resources.files("plait") / "recipes" / f"{text}.toml").read_text("utf-8")
    elif Path(text).is_file():
        source = _read(Path(text))
    else:
        known = ", ".join(recipe_names())
        raise RecipeError(f"no recipe {text!r}", hint=f"name one of {known}, or a TOML file")
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as problem:
        raise RecipeError(f"{text} is not TOML: {problem}") from problem
    return Recipe.of({"name": Path(text).stem, **data})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise RecipeError(f"cannot read the recipe {path}: {problem}") from problem


def build_stage(name: str, settings: Mapping[str, Any]) -> Stage:
    """The stage that a recipe's table describes, not yet fitted.

    RecipeError names the first setting that cannot be.
    """
    found = stage_class(str(settings.get("stage", name)))
    given = {key: value for key, value in settings.items() if key != "stage"}
    _only(given, [one.name for one in dataclasses.fields(found.Config)], f"[{name}]")
    config = _config(found.Config, given, name)
    try:
        return found(config, name=name)
    except InputError as problem:
        raise RecipeError(problem.message, hint=problem.hint, field=problem.field) from problem


def _config(config: type[Any], given: Mapping[str, Any], name: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        made = TypeAdapter(config).validate_python(_whole(config(), given, name))
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(str(part) for part in (name, *first["loc"]))
        raise RecipeError(
            f"{place} is {first['input']!r}: {first['msg']}", field=place
        ) from problem
    for key, value in given.items():
        _no_number_of_a_yes(value, getattr(made, key), f"{name}.{key}")
    return made


def _no_number_of_a_yes(given: Any, made: Any, place: str) -> None:
    """RecipeError for true or false where a number is meant: pydantic makes 1 or 0 of it."""
    if isinstance(given, bool) and not isinstance(made, bool):
        raise RecipeError(f"{place} is {given!r}, not a number", field=place)
    if isinstance(given, Mapping):
        for key, value in given.items():
            inner = made[key] if isinstance(made, Mapping) else getattr(made, key)
            _no_number_of_a_yes(value, inner, f"{place}.{key}")
    elif isinstance(given, list | tuple):
        for value, inner in zip(given, made, strict=True):
            _no_number_of_a_yes(value, inner, place)


def _whole(default: Any, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What is given; of a table within, what is left out stays as this stage has it."""
    found = dict(given)
    for one in dataclasses.fields(default):
        table, usual = found.get(one.name), getattr(default, one.name)
        if isinstance(table, Mapping) and dataclasses.is_dataclass(usual):
            place = f"{where}.{one.name}"
            settings = {part.name: getattr(usual, part.name) for part in dataclasses.fields(usual)}
            _only(table, list(settings), f"[{place}]")
            found[one.name] = {**settings, **_whole(usual, table, place)}
    return found


def _only(given: Mapping[str, Any], allowed: Any, where: str) -> None:
    for key in given:
        if key not in allowed:
            raise RecipeError(
                f"{where} has no setting {key!r}",
                hint=f"there are {', '.join(allowed) or 'none'}",
                field=key,
            )
