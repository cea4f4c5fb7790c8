"""`plait recipe`: the recipes that come with Plait."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from plait.cli.output import print_lines
from plait.errors import ConflictError
from plait.pipeline.recipe import load_recipe, recipe_names, recipe_source

__all__ = ["app"]

app = typer.Typer(help="List, show or copy the recipes that come with Plait.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A name that `plait recipe list` prints.")]


@app.command(name="list")
def list_recipes() -> None:
    """List the shipped recipes with a line on each."""
    names = recipe_names()
    width = max(map(len, names))
    for name in names:
        print_lines(f"{name:<{width}}  {load_recipe(name).description}")


@app.command()
def show(name: Name) -> None:
    """Print a shipped recipe as it stands in its file.

    Args:
        name: The name of the recipe.
    """
    print_lines(*recipe_source(name).splitlines())


@app.command()
def copy(
    name: Name,
    target: Annotated[Path, typer.Argument(help="The new file; it must not exist yet.")],
) -> None:
    """Write a recipe file that starts from a shipped one, to be changed and fitted.

    Args:
        name: The name of the recipe.
        target: The new file.

    Raises:
        ConflictError: If the file exists.
    """
    new_name = f'name = "{target.stem}"'
    source = re.sub(r'^name = ".*"$', new_name, recipe_source(name), flags=re.MULTILINE)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(source)
    except FileExistsError as error:
        raise ConflictError(f"{target} exists", hint="name a new file, or delete it") from error
    print_lines(f"wrote {target}; fit it with: plait fit --home DIR --recipe {target}")
