"""`plait.open`: opens a home."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import fields
from pathlib import Path
from typing import Any

from plait.errors import InputError
from plait.pipeline.recipe import RecipeLike, recipe_from
from plait.settings import Settings, load_settings
from plait.workspace.recipe_choice import RecipeChoice
from plait.workspace.workspace import Workspace

__all__ = ["open"]


def open(  # noqa: A001  plait.open
    home: Path | str | Settings | None, *, recipe: RecipeLike | None = None, **settings: Any
) -> Workspace:
    """Open a home, a folder that is made if it is missing.

    Args:
        home: The folder, or settings that name it; None: a temporary folder that is deleted when
            the workspace is closed, or forgotten, or the process ends.
        recipe: The recipe that `fit` uses if its argument `recipe` is None, such as the result of
            `plait.fuse`; a name or a file is the setting `recipe`. None: as `plait.toml` says.
        settings: Settings as in `plait.settings.Settings`; they go before `plait.toml` and the
            environment.

    Returns:
        The open home.

    Raises:
        StorageError: If the log cannot be opened.
        InputError: If a setting does not exist.
        RecipeError: If a recipe that is no name and no file is wrong.

    Example:
        >>> import plait
        >>> baskets = {"ann": ["lamp", "bulb"], "bob": ["lamp", "bulb"], "eve": ["mug"]}
        >>> rows = [
        ...     {"user": user, "item": item, "kind": "purchase"}
        ...     for user, items in baskets.items()
        ...     for item in items
        ... ]
        >>> workspace = plait.open("home")
        >>> workspace.post(rows)[0]
        5
        >>> bundle = workspace.fit()
        >>> workspace.recommend(history=["lamp"], k=1).ids
        ['bulb']
        >>> workspace.close()
    """
    known = [setting.name for setting in fields(Settings)]
    for name in settings:
        if name not in known:
            raise InputError(
                f"there is no setting {name!r}", hint=f"there are {', '.join(known)}", field=name
            )
    choice = None
    if isinstance(recipe, str | Path):
        settings["recipe"] = str(recipe)
    elif recipe is not None:
        choice = RecipeChoice(recipe_from(recipe), "as opened")
    workspace = _opened(home, settings)
    workspace.opened_recipe = choice
    return workspace


def _opened(home: Path | str | Settings | None, settings: dict[str, Any]) -> Workspace:
    """The workspace of a home, or of a temporary folder."""
    if home is None:
        folder = Path(tempfile.mkdtemp(prefix="plait-home-"))
        workspace = Workspace(load_settings(folder, **settings))
        workspace.remove_folder = weakref.finalize(workspace, shutil.rmtree, folder, True)
        return workspace
    return Workspace(home if isinstance(home, Settings) else load_settings(home, **settings))
