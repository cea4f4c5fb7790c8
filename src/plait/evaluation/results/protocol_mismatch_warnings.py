"""Warnings where a protocol measures another list than the recipe serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.data.catalogue import Catalogue
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from plait.pipeline.recipe import Recipe
from plait.ranking.item_variants import group_field_of

__all__ = ["served_list_warnings"]


def served_list_warnings(
    protocol: Protocol, recipes: Mapping[str, Recipe], catalogue: Catalogue
) -> list[DataWarning]:
    """Compare the lists of a protocol that ranks with those that the recipes serve.

    Args:
        protocol: A resolved protocol.
        recipes: The recipes by name.
        catalogue: The items.

    Returns:
        A warning for each recipe that serves seen items, or variants of a product, otherwise than
        the protocol measures them.
    """
    warnings = []
    for name, recipe in recipes.items():
        rules = _rules(recipe)
        removes = any(settings.get("seen", "once") != "off" for settings in rules)
        served = "remove" if removes else "keep"
        if served != protocol.seen:
            text = (
                f"the protocol {_VERBS[protocol.seen or 'keep']} seen items and recipe {name} "
                f"{_VERBS[served]} them: the figures are those of another list than the one "
                f"served; --seen {served} measures that one"
            )
            warnings.append(DataWarning("served-seen", 1.0, True, text))
        fields = (group_field_of(catalogue, settings.get("group_by", "")) for settings in rules)
        group_by = next(filter(None, fields), "")
        if bool(group_by) != bool(protocol.group_by):
            served_list = f"one item of each {group_by!r}" if group_by else "every item"
            option = f"--group-by {group_by}" if group_by else "no --group-by"
            text = (
                f"recipe {name} serves {served_list}, which is another list than the one "
                f"measured; {option} measures that one"
            )
            warnings.append(DataWarning("served-groups", 1.0, True, text))
    return warnings


_VERBS = {"keep": "keeps", "remove": "removes"}


def _rules(recipe: Recipe) -> list[Mapping[str, Any]]:
    """The settings of the steps that are rules."""
    return [
        settings
        for step, settings in recipe.steps.items()
        if settings.get("stage", step) == "rules"
    ]
