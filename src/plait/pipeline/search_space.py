"""Search spaces of settings, declared with the fields of a config."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

from plait.errors import InputError
from plait.pipeline.config_validation import KEY, Limit
from plait.pipeline.recipe import Recipe
from plait.pipeline.registry import stage_class
from plait.utils.number_arguments import plain_number

__all__ = ["Choice", "Range", "get_setting", "recipe_search_space", "search_space", "tunable"]

_KEY = "search"


@dataclass(frozen=True, slots=True)
class Range:
    """A range of numbers.

    Attributes:
        low: The smallest number; whole numbers are meant if both ends are whole.
        high: The largest number.
        log: Whether numbers are drawn evenly by order of magnitude.

    Raises:
        InputError: If an end is no finite number, or `low` is above `high` or, with `log`, not
            above 0.

    Example:
        >>> import plait
        >>> plait.Range(5.0, 5000.0, log=True).holds(200.0)
        True
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        ends: dict[str, Any] = {"low": self.low, "high": self.high}
        for field, end in ends.items():
            plain_number(end, field)
        if self.low > self.high:
            message = f"low is {self.low}, which is above high, {self.high}"
            raise InputError(message, hint=f"Range({self.high}, {self.low})", field="low")
        if self.log and self.low <= 0:
            message = f"low is {self.low}, expected a number above 0 for orders of magnitude"
            raise InputError(message, hint="leave log out", field="low")

    @property
    def whole(self) -> bool:
        """Whether both ends are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def holds(self, value: Any) -> bool:
        """Whether a value lies in the range.

        Args:
            value: The value of a setting.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def including(self, value: Any) -> Range:
        """The range, widened to hold a value; unchanged where that is impossible.

        Args:
            value: The value of a setting.
        """
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or (self.log and value <= 0):
            return self
        return Range(min(self.low, value), max(self.high, value), self.log)


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of values.

    Attributes:
        values: Numbers, strings, booleans or None.
    """

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the choices.

        Args:
            value: The value of a setting.
        """
        return value in self.values

    def including(self, value: Any) -> Choice:
        """The choice with a value added, if it is not among the choices.

        Args:
            value: The value of a setting.
        """
        return self if self.holds(value) else Choice((*self.values, value))


def tunable(default: Any, space: Range | Choice, limit: Limit | None = None) -> Any:
    """Declare a field of a config that `plait tune` may search.

    Args:
        default: The default of the field.
        space: Where to search.
        limit: The bounds of the number (`plait.pipeline.config_validation`).

    Returns:
        A dataclass field.
    """
    return dataclasses.field(default=default, metadata={_KEY: space, KEY: limit})


def search_space(config: type[Any]) -> dict[str, Range | Choice]:
    """The search spaces of a config.

    Args:
        config: A config class.

    Returns:
        The search space of each field that declares one; "table.field" for those of a table.
    """
    spaces: dict[str, Range | Choice] = {}
    for field in dataclasses.fields(config):
        space = field.metadata.get(_KEY)
        if isinstance(space, Range | Choice):
            spaces[field.name] = space
        elif field.default_factory is not dataclasses.MISSING:
            table = field.default_factory()
            if dataclasses.is_dataclass(table):
                inner_spaces = search_space(type(table))
                spaces |= {f"{field.name}.{name}": inner for name, inner in inner_spaces.items()}
    return spaces


def get_setting(config: Any, field: str) -> Any:
    """The value of a setting.

    Args:
        config: A config.
        field: The name of a field; "table.field" for that of a table.
    """
    return functools.reduce(getattr, field.split("."), config)


def recipe_search_space(recipe: Recipe) -> dict[str, Range | Choice]:
    """The search spaces of all stages of a recipe.

    Args:
        recipe: The recipe.

    Returns:
        The search spaces by "stage.setting", with the names that the recipe gives to stages.
    """
    stages = {**recipe.models, **recipe.steps}
    return {
        f"{name}.{field}": space
        for name, settings in stages.items()
        for field, space in search_space(
            stage_class(str(settings.get("stage", name))).Config
        ).items()
    }
