"""Checks of the stages of a recipe, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from plait.errors import RecipeError
from plait.pipeline.stage import Filler, Reranker, Retriever, Scorer, Stage

__all__ = ["check_models", "check_referenced_models", "check_steps", "check_unique_names"]


def check_models(models: Sequence[Stage]) -> None:
    """Check that all models score and one retrieves.

    Args:
        models: The models.

    Raises:
        RecipeError: A model lacks the ability.
    """
    for model in models:
        if not isinstance(model, Scorer):
            raise RecipeError(
                f"{model.name} cannot score, so it cannot be a model", field=model.name
            )
    if not any(isinstance(model, Retriever) for model in models):
        raise RecipeError("no model retrieves candidates", hint="add [models.popular]")


def check_unique_names(stages: Sequence[Stage], reserved: Sequence[str] = ()) -> None:
    """Check that no two stages share a name.

    Args:
        stages: The stages.
        reserved: Names that no stage may have.

    Raises:
        RecipeError: A name is taken.
    """
    names = list(reserved)
    for stage in stages:
        if stage.name in names:
            raise RecipeError(
                f"the name {stage.name!r} is taken",
                hint="two stages cannot share a name",
                field=stage.name,
            )
        names.append(stage.name)


def check_steps(steps: Sequence[Stage]) -> None:
    """Check that each step finds the columns that it reads.

    Args:
        steps: The steps in order.

    Raises:
        RecipeError: A step adds no columns, or reads one that no step before it writes.
    """
    written = {"*.score", "*.rank", "*.because"}
    for step in steps:
        if not isinstance(step, Reranker | Filler):
            raise RecipeError(
                f"{step.name} cannot add columns, so it cannot be a step", field=step.name
            )
        for column in step.reads:
            if column not in written:
                raise RecipeError(
                    f"step {step.name} reads the column {column!r}, which no step before it writes",
                    hint=f"written so far: {', '.join(sorted(written))}",
                    field=step.name,
                )
        written.update(step.writes)


def check_referenced_models(step: Stage, models: Sequence[str]) -> None:
    """Check that settings name models of the recipe: others would be ignored silently.

    Args:
        step: The step.
        models: The names of the models.

    Raises:
        RecipeError: A setting names no model.
    """
    for setting, names in step.referenced_models.items():
        for name in names:
            if name not in models:
                raise RecipeError(
                    f"{setting} of step {step.name} names {name!r}, expected a model of the recipe",
                    hint=f"the models are {', '.join(models)}; remove or correct the name",
                    field=f"{step.name}.{setting}",
                )
