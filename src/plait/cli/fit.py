"""`plait fit`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import Home, open_home
from plait.cli.output import print_lines
from plait.training.process_group import ProcessGroup
from plait.utils.progress_bars import bars

__all__ = ["fit", "warnings_of"]


def fit(
    home: Home,
    recipe: Annotated[
        str | None, typer.Option(help="A shipped recipe, or a TOML file; none: the last one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="What chance starts from.")] = 0,
    track: Annotated[
        list[str] | None,
        typer.Option(help="Record training: tensorboard, mlflow, wandb; may be repeated."),
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Leave out models that add nothing to held-out rankings."),
    ] = False,
    judgements: Annotated[
        Path | None,
        typer.Option(
            help="Learn to order the items of a search from a file with query, item and relevance."
        ),
    ] = None,
) -> None:
    """Fit a recipe on the log, and let running servers swap to it; goes on where it stopped.

    Args:
        home: The folder of the log, the bundles and the key.
        recipe: The name or path of the recipe; None: the setting `recipe`, else the recipe of
            the bundle in use, else `default`.
        seed: The seed of all random numbers.
        track: The names of experiment trackers.
        prune: Whether models that add nothing are left out.
        judgements: The file of judged items from which search learns.

    Raises:
        RecipeError: If the recipe is unknown or wrong.
        InputError: If the log holds nothing to fit on.
    """
    with open_home(home) as workspace:
        choice = workspace.recipe_of_next_fit(recipe)
        if recipe is None and ProcessGroup.current().is_main:
            print_lines(f"recipe: {choice}", flush=True)
        with bars() as advance:
            bundle = workspace.fit(
                choice,
                seed=seed,
                progress=advance,
                track=track or (),
                prune=prune,
                judgements=judgements,
            )
        if ProcessGroup.current().is_main:
            print_lines(*_lines(workspace.info()["bundle"], is_judged=judgements is not None))
            print_lines(f"bundle: {bundle}")


def _lines(bundle: Mapping[str, Any], *, is_judged: bool) -> Iterator[str]:
    """What `info` says of a new bundle, for people."""
    learned = bundle.get("learned", {})
    languages = {stage["language"] for stage in learned.values() if "language" in stage}
    for language in sorted(languages):
        yield f"language: {language}"
    if is_judged:
        yield _relevance_line(learned.get("relevance", {}))
    for model in bundle.get("pruned", ()):
        yield (
            f"left out: {model['model']} adds {model['gain']:.4f} to NDCG@10; saves "
            f"{model['seconds']:.1f} s of a fit and {model['megabytes']:.1f} MB"
        )
    for line in warnings_of(bundle):
        yield f"warning: {line}"


def _relevance_line(learned: Mapping[str, Any]) -> str:
    """What search learned from judgements, in one line."""
    if not learned.get("learned"):
        return "relevance: not learned; the judgements are too few, or teach nothing that holds"
    return (
        f"relevance: learned from {learned['queries']:.0f} queries; of held-out pairs "
        f"{learned['ordered']:.1%} are in order, {learned['ordered_by_fusion']:.1%} without it"
    )


def warnings_of(bundle: Mapping[str, Any]) -> list[str]:
    """Say what looks wrong in the events that a bundle was fitted on.

    Args:
        bundle: What `info` says of it.

    Returns:
        Sentences.
    """
    lines = []
    if late := bundle.get("times_in_the_future", 0):
        lines.append(f"{late} events lie in the future; they count as of the last time before now")
    for item in bundle.get("doubtful_items", ()):
        who = (
            f"{item['new_users']} of its {item['users']} users of the last week are new"
            if item["reason"] == "new-users"
            else f"its {item['events']} events of the last week are of {item['users']} users"
        )
        lines.append(f"the rise of item {item['item']} is doubtful: {who}")
    return lines
