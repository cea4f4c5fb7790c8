"""`plait fit`."""

from __future__ import annotations

from typing import Annotated

import typer

from plait.cli.options import Home, opened
from plait.cli.progress import bars
from plait.training.process_group import ProcessGroup

__all__ = ["fit"]


def fit(
    home: Home,
    recipe: Annotated[str, typer.Option(help="A shipped recipe, or a TOML file.")] = "default",
    seed: Annotated[int, typer.Option(help="What chance starts from.")] = 0,
    track: Annotated[
        list[str] | None,
        typer.Option(help="Record training: tensorboard, mlflow, wandb; may be repeated."),
    ] = None,
) -> None:
    """Fit a recipe on the log, and let running servers swap to it; goes on where it stopped."""
    with opened(home) as shop, bars() as advance:
        bundle = shop.fit(recipe, seed=seed, progress=advance, track=track or ())
    if ProcessGroup.current().is_main:
        print(f"bundle: {bundle}")
