"""Checks of arguments that several calls of experiments share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.pipeline.recipe import load_recipe
from plait.utils.number_arguments import plain_number, whole_number
from plait.utils.plain_arguments import without_numpy

__all__ = [
    "check_dataset",
    "check_fit",
    "checked_event_weights",
]

_MAX_WEIGHT = 1_000_000


def check_dataset(dataset: Any, field: str) -> None:
    """Check that an argument is a data set.

    Args:
        dataset: The argument.
        field: Its name.

    Raises:
        InputError: If it is anything else, such as a frame.
    """
    if not isinstance(dataset, arrays.Dataset):
        hint = "plait.Dataset.of(...) reads frames and paths; split one data set into parts"
        is_plain = dataset is None or isinstance(dataset, str | int | float)
        described = repr(dataset) if is_plain else f"a {type(dataset).__name__}"
        message = f"{field} is {described}, expected plait.Dataset"
        raise InputError(message, hint=hint, field=field)


def check_fit(train: Any, validation: Any, seed: Any) -> None:
    """Check what every fit is called with.

    Args:
        train: The training data.
        validation: The validation data; None: there are none.
        seed: The seed of random choices.

    Raises:
        InputError: If the data are no data sets, or the seed is no whole number from 0 on.
    """
    check_dataset(train, "train")
    if validation is not None:
        check_dataset(validation, "validation")
    whole_number(seed, "seed", least=0)


def checked_event_weights(event_weights: Any) -> dict[str, float]:
    """Read weights by event type.

    Args:
        event_weights: A mapping of event type to a number; None: that of the recipe `default`.

    Raises:
        InputError: If it is no mapping, or a weight is no finite number.
    """
    if event_weights is None:
        return dict(load_recipe("default").event_weights)
    plain = without_numpy(event_weights)
    if not isinstance(plain, Mapping):
        message = f"event_weights is {plain!r}, expected a number for each event type"
        raise InputError(message, hint='such as {"view": 1, "*": 0}', field="event_weights")
    return {
        str(kind): float(
            plain_number(weight, f"event_weights.{kind}", least=-_MAX_WEIGHT, greatest=_MAX_WEIGHT)
        )
        for kind, weight in plain.items()
    }
