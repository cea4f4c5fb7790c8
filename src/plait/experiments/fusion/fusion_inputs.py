"""Checks what `plait.fuse` is called with, and names its models as recipes may."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import ObjectArray
from plait.errors import InputError
from plait.experiments.models.estimator import Estimator
from plait.experiments.models.fitted_model import FittedModel
from plait.pipeline.config_validation import build_config
from plait.ranking.fusion.config import ANY, MODEL_SETTINGS, RANKER_METHODS, FuseConfig
from plait.ranking.fusion.fixed_weights import check_fixed_weights, weights_by_band
from plait.utils.number_arguments import plain_number
from plait.utils.plain_arguments import without_numpy

__all__ = [
    "FUSED_ROW",
    "WITHOUT_ROW",
    "check_models",
    "fixed_weights",
    "fusion_config",
    "fusion_settings",
    "has_idle_band",
    "learns_from_validation",
    "recipe_names",
    "settings_of_models",
]

FUSED_ROW = "fused"
"""The name of the row of an ablation with all models."""

WITHOUT_ROW = "without:"
"""The names of the rows of an ablation without a model begin with this."""

_RESERVED = {"fuse", "rules", "policy", "explain", "fallback", "pins", "companions", "shown"}
"""Names in a recipe that no model may have."""

_TAKEN = ("history_from", "queries", FUSED_ROW, ANY)
"""Columns of weights, a row of an ablation, and what stands for all other models in settings."""

_MAX_WEIGHT = 1_000_000


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
        InputError: If there are fewer than two, one is not fitted, a name is not allowed, or their
            data differ.
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
        _check_name(name)
        field_name = f"fitted.{name}"
        if not isinstance(model, FittedModel) or not isinstance(model.model, Estimator):
            raise InputError(
                f"{name!r} is {type(model).__name__}, expected a fitted model of plait.models",
                hint="call fit(train) first",
                field=field_name,
            )
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


def _check_name(name: Any) -> None:
    """Raise InputError for a name that is no text, or that something else has in a table."""
    if not isinstance(name, str):
        raise InputError(
            f"a model is named {name!r}, expected a text",
            hint='pass {"ease": ease.fit(train), "knn": knn.fit(train)}',
            field="fitted",
        )
    if name in _TAKEN or name.startswith(WITHOUT_ROW):
        raise InputError(
            f"a model cannot be named {name!r}",
            hint="tables and settings of a fusion use this name; choose another",
            field=f"fitted.{name}",
        )


def _is_same_data(first: arrays.Dataset, second: arrays.Dataset) -> bool:
    """Whether two data sets have the same users, items and interactions."""
    if first is second:
        return True
    if first.users.ids != second.users.ids or first.catalogue.ids != second.catalogue.ids:
        return False
    events, others = first.interactions, second.interactions
    return (
        first.clock == second.clock
        and np.array_equal(events.users, others.users)
        and np.array_equal(events.items, others.items)
        and np.array_equal(events.times, others.times)
        and np.array_equal(events.values, others.values, equal_nan=True)
        and np.array_equal(_type_names(first), _type_names(second))
    )


def _type_names(dataset: arrays.Dataset) -> ObjectArray:
    """The event type of each interaction by name, object [N]."""
    if not dataset.event_types:
        return np.zeros(0, object)
    return np.array(dataset.event_types, object)[dataset.interactions.event_types]


def fusion_settings(
    settings: Mapping[str, Any] | None,
    weights: Mapping[str, float] | None,
    fitted: Mapping[str, Any],
) -> dict[str, Any]:
    """Check the settings of a fusion, in which models go by the names in `fitted`.

    Args:
        settings: Settings of the step `fuse`; None: the defaults.
        weights: Fixed weights by model; None: those of `settings`, or none.
        fitted: The models by name.

    Returns:
        The settings, with `weights` as the setting `fixed`.

    Raises:
        InputError: If the settings are no mapping, name an unknown model, or all fixed weights of a
            band are 0.
        RecipeError: If there is no such setting, or a value is not allowed.
    """
    plain = without_numpy({} if settings is None else settings)
    if not isinstance(plain, Mapping) or not all(isinstance(name, str) for name in plain):
        raise InputError(
            f"settings is {settings!r}, expected a mapping from settings of fuse to values",
            hint='such as {"method": "rrf"}',
            field="settings",
        )
    table = {"method": "weighted", **plain}
    if weights is not None:
        if "fixed" in table:
            raise InputError(
                "weights and settings.fixed both fix the weights",
                hint="pass only one of them",
                field="weights",
            )
        table["fixed"] = {"weights": fixed_weights(weights, fitted)}
    fixed = fusion_config(table).fixed
    check_fixed_weights(fixed, "settings.fixed")
    _check_model_names(table, fitted)
    if has_idle_band(table):
        raise InputError(
            "settings.fixed.weights has a band in which all weights are 0",
            hint="give a model a weight there",
            field="settings.fixed.weights",
        )
    return table


def _check_model_names(table: Mapping[str, Any], fitted: Mapping[str, Any]) -> None:
    """Raise InputError where a setting names a model that is not fused."""
    fixed = {"fixed.weights": table.get("fixed", {}).get("weights", ())}
    for setting, names in {**table, **fixed}.items():
        if setting not in (*MODEL_SETTINGS, *fixed) or names is None:
            continue
        for name in names:
            if name not in fitted and (name != ANY or setting in fixed):
                raise InputError(
                    f"settings.{setting} names {name!r}, expected one of {', '.join(fitted)}",
                    hint="settings use the names under which the models are passed",
                    field=f"settings.{setting}",
                )


def settings_of_models(table: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Rename the models in the settings of a fusion.

    Args:
        table: Checked settings of the step `fuse`.
        names: The new name of each model; settings of other models are left out.

    Returns:
        The settings under the new names.
    """
    names = {**names, ANY: ANY}

    def renamed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {names[name]: entry for name, entry in value.items() if name in names}
        return None if value is None else [names[name] for name in value if name in names]

    result = {
        setting: renamed(value) if setting in MODEL_SETTINGS else value
        for setting, value in table.items()
    }
    if "weights" in result.get("fixed", {}):
        result["fixed"] = {**result["fixed"], "weights": renamed(result["fixed"]["weights"])}
    return result


def fusion_config(table: Mapping[str, Any]) -> FuseConfig:
    """Return the config of the step `fuse` with some settings.

    Args:
        table: The settings; models may have any names.

    Raises:
        RecipeError: If there is no such setting, or a value is not allowed.
    """
    config = build_config(FuseConfig, dict(table), "settings")
    assert isinstance(config, FuseConfig)
    return config


def has_idle_band(table: Mapping[str, Any]) -> bool:
    """Tell whether weights are fixed and all those of some length of history are 0.

    Args:
        table: Checked settings of the step `fuse`.
    """
    if "fixed" not in table:
        return False
    weights = weights_by_band(fusion_config(table).fixed)
    return weights is not None and not weights.weights.any(axis=1).all()


def learns_from_validation(table: Mapping[str, Any]) -> bool:
    """Tell whether a fusion with some settings learns weights or a ranker.

    Args:
        table: Checked settings of the step `fuse`.
    """
    config = fusion_config(table)
    return config.method in RANKER_METHODS or not config.fixed.weights


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
        plain_number(weight, f"weights.{name}", least=-_MAX_WEIGHT, greatest=_MAX_WEIGHT)
    if not any(plain.values()):
        raise InputError("all weights are 0", field="weights")
    return {name: [float(plain[name])] for name in fitted}
