"""Bounds of settings, declared with the fields of a config, and the validation of configs.

Validation is done by pydantic, strictly: true is no number, a string is no number, numbers are
finite, and unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from plait.errors import InputError, RecipeError
from plait.pipeline.renamed_settings import reject_unknown_keys
from plait.utils.plain_arguments import without_numpy

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

__all__ = [
    "KEY",
    "Limit",
    "TextForm",
    "bounded_field",
    "build_config",
    "check",
    "limit_of",
    "text_field",
]

KEY = "limit"
"""The key of the bounds in the metadata of a field."""

_FORM = "form"
"""The key of the form of a text in the metadata of a field."""

_MOST = 2**31 - 1
"""The largest whole number of a setting without a bound of its own: larger sizes fit nowhere."""

_EXPECTED = {
    "tuple_type": "a list",
    "mapping_type": "a table",
    "dict_type": "a table",
}
"""Pydantic's types of error whose messages name types of Python that TOML does not have."""

ConfigT = TypeVar("ConfigT")


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds of a number; None stands for no bound.

    Attributes:
        least: The number is at least this.
        above: The number is greater than this.
        most: The number is at most this.
        below: The number is less than this.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def contains(self, value: Any) -> bool:
        """Whether a number lies within the bounds.

        Args:
            value: The number.
        """
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )


def bounded_field(default: Any, limit: Limit) -> Any:
    """Declare a field of a config whose numbers lie within bounds.

    Args:
        default: The default of the field.
        limit: The bounds of the number, or of each number in a list or a table.

    Returns:
        A dataclass field. `plait.pipeline.search_space.tunable` declares bounds as well.
    """
    return dataclasses.field(default=default, metadata={KEY: limit})


@dataclass(frozen=True, slots=True)
class TextForm:
    """What a text looks like.

    Attributes:
        pattern: The regular expression that it matches as a whole.
        expected: The same in words, for messages: the end of a sentence that begins with
            "expected".
    """

    pattern: str
    expected: str


def text_field(default: str, form: TextForm) -> Any:
    """Declare a field of a config whose text has a form.

    Args:
        default: The default of the field.
        form: The form.

    Returns:
        A dataclass field.
    """
    return dataclasses.field(default=default, metadata={_FORM: form})


def limit_of(field: dataclasses.Field[Any]) -> Limit:
    """The bounds that a field was declared with.

    Args:
        field: A field of a config.

    Returns:
        The bounds; without any, where none were declared.
    """
    limit = field.metadata.get(KEY)
    return limit if isinstance(limit, Limit) else Limit()


def check(config: Any, where: str = "") -> None:
    """Validate a config that was constructed in Python.

    Args:
        config: An instance of a config class; its values may have any type.
        where: What stands before the field in messages, usually the name of the stage.

    Raises:
        InputError: A value does not have its declared type or lies outside its bounds; `field` is
            the path of the first such setting.
    """
    _validated(type(config), config, where, instances_only=True)


def build_config(config_class: type[ConfigT], settings: Mapping[str, Any], where: str) -> ConfigT:
    """Construct a config from the settings that a recipe gives.

    Args:
        config_class: A frozen dataclass whose fields have defaults.
        settings: Values by field. Of a table, the keys that are left out keep the values of this
            config's default.
        where: What stands before the field in messages, usually the name of the stage.

    Returns:
        A validated config.

    Raises:
        RecipeError: A setting is unknown (`field` is its key), or a value does not have its
            declared type or lies outside its bounds (`field` is the path of the setting).
    """
    complete = _with_defaults(config_class(), settings, where)
    return _validated(config_class, complete, where, instances_only=False)  # type: ignore[no-any-return]


def _with_defaults(default: Any, settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The settings, each table completed by the values that `default` has."""
    names = [field.name for field in dataclasses.fields(default)]
    reject_unknown_keys(settings, names, f"[{where}]")
    complete = dict(settings)
    for name in names:
        table, usual = settings.get(name), getattr(default, name)
        if isinstance(table, Mapping) and dataclasses.is_dataclass(usual):
            complete[name] = {
                **_fields_of(usual),
                **_with_defaults(usual, table, f"{where}.{name}"),
            }
    return complete


def _fields_of(config: Any) -> dict[str, Any]:
    """The values of a config by field, numpy scalars as Python's."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: without_numpy(value) for name, value in values.items()}


def _validated(config_class: type, value: Any, where: str, *, instances_only: bool) -> Any:
    from pydantic import ValidationError

    try:
        return _adapter(config_class).validate_python(value, context=instances_only)
    except ValidationError as problem:
        path, wrong, expected = _first_error(problem, value)
        setting = f"{where}.{path}".removeprefix(".")
        error_class = InputError if instances_only else RecipeError
        raise error_class(
            f"{setting} is {wrong!r}, expected {expected}", field=setting
        ) from problem


@functools.cache
def _adapter(config_class: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(_config_type(config_class))


def _config_type(config_class: type) -> Any:
    """The type, as pydantic reads it, of an instance of a config class or of its table."""
    from typing import Required

    from pydantic import AfterValidator, BeforeValidator, ValidationInfo
    from pydantic_core import PydanticCustomError
    from typing_extensions import TypedDict

    def as_table(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, config_class):
            return _fields_of(value)
        if info.context:  # only instances are allowed
            raise PydanticCustomError("config_type", f"of the type {config_class.__name__}")
        return value

    try:
        hints = get_type_hints(config_class)
    except NameError:  # the class was defined in a function and names what only that one sees
        hints = {}
    keys = {}
    for field in dataclasses.fields(config_class):
        hint = _bounded(hints.get(field.name, Any), limit_of(field))
        if isinstance(form := field.metadata.get(_FORM), TextForm):
            hint = Annotated[hint, AfterValidator(functools.partial(_check_form, form))]
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        keys[field.name] = hint if optional else Required[hint]
    make_type: Any = TypedDict  # its checkers want literals
    table = make_type(config_class.__name__, keys, total=False)
    table.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}
    construct = AfterValidator(lambda values: config_class(**values))
    return Annotated[table, BeforeValidator(as_table), construct]


def _bounded(hint: Any, limit: Limit) -> Any:
    """A type hint whose numbers have bounds, all scalars being strict."""
    from pydantic import Field, Strict

    origin, arguments = get_origin(hint), get_args(hint)
    if hint in (int, float):
        most = _MOST if hint is int and limit.most is None else limit.most
        bounds = Field(ge=limit.least, gt=limit.above, le=most, lt=limit.below)
        finite = [Field(allow_inf_nan=False)] if hint is float else []
        return Annotated[(hint, Strict(), bounds, *finite)]
    if hint in (str, bool):
        return Annotated[hint, Strict()]
    if dataclasses.is_dataclass(hint):
        return _config_type(hint)  # type: ignore[arg-type]  # a class, not an instance
    if not arguments or origin is Literal:
        return hint
    bounded = tuple(arg if arg is ... else _bounded(arg, limit) for arg in arguments)
    is_union = origin in (Union, UnionType)
    return functools.reduce(operator.or_, bounded) if is_union else origin[bounded]


def _check_form(form: TextForm, text: str) -> str:
    """The text, or pydantic's error if it does not have the form."""
    from pydantic_core import PydanticCustomError

    if not re.fullmatch(form.pattern, text):
        raise PydanticCustomError("text_form", "{expected}", {"expected": form.expected})
    return text


def _first_error(problem: ValidationError, value: Any) -> tuple[str, Any, str]:
    """The path, the value and the expected value of the first wrong setting.

    Of the errors of a union's members the one deepest in the settings says most.
    """
    first, *others = problem.errors()
    errors = [first, *(error for error in others if error["loc"][:1] == first["loc"][:1])]
    paths = [list(_path(error["loc"], value)) for error in errors]
    error, path = max(zip(errors, paths, strict=True), key=lambda pair: len(pair[1]))
    expected = _EXPECTED.get(error["type"], error["msg"].removeprefix("Input should be "))
    if expected.startswith(("greater", "less")):
        expected = f"a number {expected}"
    return ".".join(path), error["input"], expected


def _path(location: tuple[int | str, ...], value: Any) -> Iterator[str]:
    """The keys in an error's location, without positions in lists and names of union members."""
    for key in location:
        table = _fields_of(value) if dataclasses.is_dataclass(value) else value
        if isinstance(key, int):
            value = table[key] if isinstance(table, list | tuple) else value
        elif isinstance(table, Mapping) and key in table:
            yield key
            value = table[key]
