"""Warnings where a protocol measures another list than the recipe serves."""

from __future__ import annotations

from collections.abc import Mapping

from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.pipeline.recipe import Recipe

__all__ = ["served_list_warnings"]


def served_list_warnings(protocol: Protocol, recipes: Mapping[str, Recipe]) -> list[DataWarning]:
    """Compare the rule for seen items of a protocol that ranks with those of the recipes.

    Args:
        protocol: A resolved protocol.
        recipes: The recipes by name.

    Returns:
        A warning for each recipe that serves seen items otherwise than the protocol measures them.
    """
    warnings = []
    for name, recipe in recipes.items():
        served = _served_seen(recipe)
        if served != protocol.seen:
            text = (
                f"the protocol {_VERBS[protocol.seen or 'keep']} seen items and recipe {name} "
                f"{_VERBS[served]} them: the figures are those of another list than the one "
                f"served; --seen {served} measures that one"
            )
            warnings.append(DataWarning("served-seen", 1.0, True, text))
    return warnings


_VERBS = {"keep": "keeps", "remove": "removes"}


def _served_seen(recipe: Recipe) -> str:
    """Whether the answers of a recipe "keep" seen items or "remove" them."""
    rules = [
        settings
        for step, settings in recipe.steps.items()
        if settings.get("stage", step) == "rules"
    ]
    removes = any(settings.get("seen", "once") != "off" for settings in rules)
    return "remove" if removes else "keep"
