"""Which settings are worth searching, said where a config declares them."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

from plait.pipeline.constraints import KEY, Limit
from plait.pipeline.recipe import Recipe
from plait.pipeline.registry import stage_class

__all__ = ["Choice", "Range", "get_setting", "recipe_search_space", "search_space", "tunable"]

_KEY = "search"


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones if both are.

    `log`: evenly by order of magnitude.
    """

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether a setting lies in it."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def including(self, value: Any) -> Range:
        """The range, made wider to hold a setting; as it is where it never can."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or (self.log and value <= 0):
            return self
        return Range(min(self.low, value), max(self.high, value), self.log)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`: numbers, words, or true and false."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a setting is one of them."""
        return value in self.values

    def including(self, value: Any) -> Choice:
        """The choice with one more value, if it has it not."""
        return self if self.holds(value) else Choice((*self.values, value))


def tunable(default: Any, space: Range | Choice, limit: Limit | None = None) -> Any:
    """Declares a field of a config that `plait tune` may search in `space`.

    `limit`: what it can be at all (`plait.pipeline.constraints`), for a number.
    """
    return dataclasses.field(default=default, metadata={_KEY: space, KEY: limit})


def search_space(config: type[Any]) -> dict[str, Range | Choice]:
    """The fields of a config that say where to search; those of a table by "table.field"."""
    found: dict[str, Range | Choice] = {}
    for one in dataclasses.fields(config):
        space = one.metadata.get(_KEY)
        if isinstance(space, Range | Choice):
            found[one.name] = space
        elif one.default_factory is not dataclasses.MISSING:
            inner = one.default_factory()
            if dataclasses.is_dataclass(inner):
                below = search_space(type(inner))
                found.update({f"{one.name}.{name}": space for name, space in below.items()})
    return found


def get_setting(config: Any, field: str) -> Any:
    """The value of a field, as `searched` names it."""
    return functools.reduce(getattr, field.split("."), config)


def recipe_search_space(recipe: Recipe) -> dict[str, Range | Choice]:
    """What can be searched in a recipe, by "stage.setting" with the names that the recipe gives."""
    stages = {**recipe.models, **recipe.steps}
    return {
        f"{name}.{field}": space
        for name, settings in stages.items()
        for field, space in search_space(
            stage_class(str(settings.get("stage", name))).Config
        ).items()
    }
