"""Options that stand together: a dataclass whose fields become options of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["takes_option_group"]


def takes_option_group(
    group: type[Any], *, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command so that its parameter `options` becomes one option for each field.

    Args:
        group: A dataclass whose fields have defaults and annotations that typer understands.
        without: Fields that the command does not offer.

    Returns:
        A decorator. The decorated command takes the fields as keyword arguments and hands the
        function one instance of the dataclass.
    """
    hints = get_type_hints(group, include_extras=True)
    defaults = {field.name: field.default for field in fields(group)}
    option_parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=hints[name]
        )
        for name in hints
        if name not in without
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            is_options = parameter.name == "options"
            parameters += option_parameters if is_options else [parameter]

        @wraps(command)
        def run(**arguments: Any) -> None:
            values = {
                parameter.name: arguments.pop(parameter.name) for parameter in option_parameters
            }
            command(**arguments, options=group(**values))

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
