"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.utils.path_kind import path_kind

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = [
    "AsJson",
    "Filter",
    "Home",
    "HowMany",
    "User",
    "check_targets",
    "open_home",
]

Home = Annotated[Path, typer.Option(help="The folder of the log, the bundles and the key.")]
HowMany = Annotated[int, typer.Option("-k", "--k", help="How many items.")]
User = Annotated[str | None, typer.Option(help="The user's id; without it, an anonymous visitor.")]
Filter = Annotated[str | None, typer.Option(help="Such as 'price < 20'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@contextmanager
def open_home(home: Path, *, must_exist: bool = True) -> Iterator[Workspace]:
    """Open the workspace of a home; close it, with everything flushed, on leaving.

    Args:
        home: The folder of the log, the bundles and the key.
        must_exist: Whether to refuse a folder without a log.

    Yields:
        The open workspace.

    Raises:
        InputError: If `home` is a file.
        NotFoundError: If there has to be a log and there is none.
    """
    from plait.errors import InputError, NotFoundError
    from plait.eventlog import FILE_NAME
    from plait.settings import load_settings
    from plait.workspace import open as open_workspace

    if path_kind(home) not in ("folder", "nothing"):
        raise InputError(f"{home} is not a folder", hint="--home names a folder")
    settings = load_settings(home)
    if must_exist and not settings.database and not (home / FILE_NAME).is_file():
        raise NotFoundError(
            f"there is no home at {home}",
            hint=f"plait ingest --home {home} --events FILE creates one",
        )
    with open_workspace(settings) as workspace:
        yield workspace


def check_targets(*files: Path | None, html: Path | None = None, png: Path | None = None) -> None:
    """Check before a long run that its results can be written.

    Args:
        *files: Files that will be written; None is skipped.
        html: The page that will be written.
        png: The folder of plots that will be written.

    Raises:
        StorageError: If a file has no folder to lie in.
        MissingExtraError: If a page or plots are asked for and matplotlib is not installed.
    """
    from plait.errors import StorageError

    for path in (*files, html):
        if path is not None and path_kind(path.absolute().parent) != "folder":
            raise StorageError(
                f"{path} cannot be written: the folder {path.parent} does not exist",
                hint=f"mkdir -p {path.parent}",
            )
    if html is not None or png is not None:
        from plait.evaluation.reporting.plot_style import require_matplotlib

        require_matplotlib()
