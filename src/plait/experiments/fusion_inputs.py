"""Checks what `plait.fuse` is called with, and names its models as recipes may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.experiments.estimator import Estimator
from plait.experiments.fitted_model import FittedModel
from plait.utils.plain_arguments import without_numpy

__all__ = ["check_models", "fixed_weights", "recipe_names"]

_RESERVED = {"fuse", "rules", "policy", "explain", "fallback", "pins", "companions", "shown"}
"""Names in a recipe that no model may have."""

_FRAME_COLUMNS = ("history_from", "queries")


def recipe_names(names: Iterable[str]) -> list[str]:
    """Make names that a recipe allows of any names.

    Args:
        names: The names of models.

    Returns:
        As many names, all different.
    """
    taken = set(_RESERVED)
    result = []
    for name in names:
        plain = re.sub(r"[^a-z0-9_-]+", "-", str(name).lower()).strip("-_")[:56]
        base = plain if plain[:1].isalpha() else f"model-{plain}".rstrip("-")
        count, unique = 1, base
        while unique in taken:
            count += 1
            unique = f"{base}-{count}"
        taken.add(unique)
        result.append(unique)
    return result


def check_models(fitted: Any) -> None:
    """Check that there are several models, all fitted on the same data.

    Args:
        fitted: What should be fitted models by name.

    Raises:
        InputError: If there are fewer than two, one is not fitted, or their data differ.
    """
    if not isinstance(fitted, Mapping) or len(fitted) < 2:
        count = len(fitted) if isinstance(fitted, Mapping) else type(fitted).__name__
        raise InputError(
            f"fuse needs two fitted models or more, got {count}",
            hint='pass {"ease": ease.fit(train), "knn": knn.fit(train)}',
            field="fitted",
        )
    first_name, first = next(iter(fitted.items()))
    for name, model in fitted.items():
        field_name = f"fitted.{name}"
        if not isinstance(model, FittedModel) or not isinstance(model.model, Estimator):
            raise InputError(
                f"{name!r} is {type(model).__name__}, expected a fitted model of plait.models",
                hint="call fit(train) first",
                field=field_name,
            )
        if name in _FRAME_COLUMNS:
            raise InputError(f"a model cannot be named {name!r}", field=field_name)
        if not _is_same_data(first.dataset, model.dataset):
            raise InputError(
                f"{first_name!r} and {name!r} were fitted on different data",
                hint="fit all models on the same train",
                field=field_name,
            )
        if model.event_weights != first.event_weights:
            raise InputError(
                f"{first_name!r} and {name!r} were fitted with different event_weights",
                hint="pass the same event_weights to every fit",
                field=field_name,
            )


def _is_same_data(first: arrays.Dataset, second: arrays.Dataset) -> bool:
    """Whether two data sets have the same users, items and interactions."""
    if first is second:
        return True
    return (
        first.users.ids == second.users.ids
        and first.catalogue.ids == second.catalogue.ids
        and np.array_equal(first.interactions.users, second.interactions.users)
        and np.array_equal(first.interactions.items, second.interactions.items)
    )


def fixed_weights(
    weights: Mapping[str, float], fitted: Mapping[str, Any]
) -> dict[str, list[float]]:
    """Check fixed weights.

    Args:
        weights: A number for each model.
        fitted: The models by name.

    Returns:
        By model a list with the weight of a single band.

    Raises:
        InputError: If a model has no finite number, or all are 0.
    """
    plain = without_numpy(weights)
    if not isinstance(plain, Mapping) or set(plain) != set(fitted):
        raise InputError(
            f"weights is {plain!r}, expected a number for each of {', '.join(fitted)}",
            field="weights",
        )
    for name, weight in plain.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not is_number or not np.isfinite(weight):
            message = f"weights.{name} is {weight!r}, expected a finite number"
            raise InputError(message, field=f"weights.{name}")
    if not any(plain.values()):
        raise InputError("all weights are 0", field="weights")
    return {name: [float(plain[name])] for name in fitted}
