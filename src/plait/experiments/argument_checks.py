"""Checks of arguments that several calls of experiments share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.pipeline.recipe import load_recipe
from plait.utils.plain_arguments import without_numpy

__all__ = [
    "check_count",
    "check_dataset",
    "check_fit",
    "check_seed",
    "checked_event_weights",
]


def check_count(count: Any, field: str) -> None:
    """Check a number of items.

    Args:
        count: The number, of Python or numpy.
        field: The name that the error gives.

    Raises:
        InputError: If it is no whole number from 1 on.
    """
    if not _is_whole(count) or count < 1:
        raise InputError(f"{field} is {count!r}, expected a whole number from 1 on", field=field)


def check_seed(seed: Any) -> None:
    """Check the seed of random choices.

    Args:
        seed: The seed, of Python or numpy.

    Raises:
        InputError: If it is no whole number from 0 on.
    """
    if not _is_whole(seed) or seed < 0:
        raise InputError(f"seed is {seed!r}, expected a whole number from 0 on", field="seed")


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
        message = f"{field} is {_in_words(dataset)}, expected plait.Dataset"
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
    check_seed(seed)


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
    for kind, weight in plain.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not math.isfinite(weight):
            field = f"event_weights.{kind}"
            raise InputError(f"{field} is {weight!r}, expected a finite number", field=field)
    return {str(kind): float(weight) for kind, weight in plain.items()}


def _is_whole(number: Any) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _in_words(value: Any) -> str:
    """Plain values as they are written, others by their class."""
    is_plain = value is None or isinstance(value, str | int | float)
    return repr(value) if is_plain else f"a {type(value).__name__}"
