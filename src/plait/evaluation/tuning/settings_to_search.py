"""The settings that a search tries, and the metrics that it can improve."""

from __future__ import annotations

from collections.abc import Sequence

from plait.errors import InputError
from plait.evaluation.pointwise.ratings import rating_pipeline
from plait.evaluation.protocol import Protocol
from plait.metrics.ranking import METRICS
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.search_space import Choice, Range, get_setting, recipe_search_space

__all__ = ["check_metric", "search_space"]

POINTWISE_METRICS = {"ratings": ("rmse", "mae", "r2"), "clicks": ("auc", "gauc", "log_loss", "ece")}
"""The metrics of the protocols that do not rank."""


def check_metric(protocol: Protocol, metric: str) -> None:
    """Check that a protocol has a metric.

    Args:
        protocol: The protocol.
        metric: The name of the metric.

    Raises:
        InputError: If it has no such metric.
    """
    if protocol.ranks:
        names = (*METRICS, "coverage", "novelty")
        known = [f"{name}@{k}" for name in names for k in protocol.k]
        if (deepest := max(protocol.k)) > 1:
            known.append(f"diversity@{deepest}")
    else:
        known = list(POINTWISE_METRICS[protocol.name])
    if metric not in known:
        raise InputError(
            f"unknown metric {metric!r}",
            hint=f"there are {', '.join(known)}" + " (--k gives others)" * protocol.ranks,
            field="metric",
        )


def search_space(
    recipe: Recipe, only: Sequence[str], protocol: Protocol
) -> dict[str, Range | Choice]:
    """Collect the settings to search.

    Args:
        recipe: The recipe.
        only: Beginnings of their names; none: all tunable settings.
        protocol: The protocol.

    Returns:
        The values to try by "stage.setting".

    Raises:
        InputError: If there are none.
    """
    space = _effective_space(recipe, protocol)
    for prefix in only:
        if not any(name.startswith(prefix) for name in space):
            raise InputError(
                f"the recipe {recipe.name!r} has no setting to search that begins with {prefix!r}",
                hint=f"there are {', '.join(space) or 'none'}",
                field="only",
            )
    if only:
        space = {name: domain for name, domain in space.items() if name.startswith(tuple(only))}
    if not space:
        raise InputError(
            f"the recipe {recipe.name!r} has no setting to search",
            hint="a stage declares them with plait.pipeline.search_space.tunable",
            field="recipe",
        )
    return space


def _effective_space(recipe: Recipe, protocol: Protocol) -> dict[str, Range | Choice]:
    """The settings that have an effect; their ranges include the recipe's own values.

    Under ratings only models that predict count. A config lists the settings that its other
    settings disable in `inactive_settings`.
    """
    stages = {**recipe.models, **recipe.steps}
    if protocol.name == "ratings":
        stages = {model.name: stages[model.name] for model in rating_pipeline(recipe).models}
    configs = {name: build_stage(name, settings).config for name, settings in stages.items()}
    space = {}
    for key, domain in recipe_search_space(recipe).items():
        name, _, setting = key.partition(".")
        if name in configs and setting not in getattr(configs[name], "inactive_settings", ()):
            space[key] = domain.including(get_setting(configs[name], setting))
    return space
