"""`plait bundles`, `plait rollback` and `plait bundle`: list, switch, export and import fits."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import add_row, new_table, print_json, print_lines, print_table

__all__ = ["bundle", "bundle_copy", "bundle_export", "bundle_import", "bundles", "rollback"]

_MEGABYTE = 1_000_000
PIPE = "-"
"""Stands for stdin and stdout."""

Id = Annotated[str, typer.Option("--id", help="The bundle; none: the one in use.")]
Use = Annotated[bool, typer.Option(help="Answer with the bundle, or only store it.")]

bundle = typer.Typer(
    name="bundle", help="Take a bundle to another home or machine.", no_args_is_help=True
)


def bundles(home: Home, json: AsJson = False) -> None:
    """List the bundles of a home, oldest first, and which of them answers.

    Args:
        home: The folder of the log, the bundles and the key.
        json: Print JSON instead of a table.
    """
    with open_home(home) as workspace:
        described = workspace.bundles()
    if json:
        print_json(described)
        return
    table = new_table(("bundle", "live", "recipe", "made", "MB", "events", "erased since"))
    for entry in described:
        add_row(table, _cells(entry))
    if described:
        print_table(table, width=200)
    else:
        print_lines("no bundle yet: plait fit --recipe NAME makes one (plait recipe list)")


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    if entry["problem"]:
        return (entry["id"], "live" if entry["live"] else "", f"unreadable: {entry['problem']}")
    return (
        entry["id"],
        "live" if entry["live"] else "",
        entry["recipe"],
        entry["made"][:19],
        f"{entry['bytes'] / _MEGABYTE:.1f}",
        f"{entry['events']:,}" if entry["events"] is not None else "",
        str(entry["erased_since"]),
    )


def rollback(
    home: Home,
    bundle_id: Annotated[
        str, typer.Argument(metavar="ID", help="The bundle; none: the one before.")
    ] = "",
) -> None:
    """Answer with an earlier bundle; running servers swap to it within a second.

    Args:
        home: The folder of the log, the bundles and the key.
        bundle_id: The id of the bundle; "": the newest one that is older than the one in use.

    Raises:
        NotFoundError: If there is no such bundle.
        BundleError: If the bundle is damaged or belongs to another log.
    """
    with open_home(home) as workspace:
        print_lines(f"bundle: {workspace.rollback(bundle_id)}")


@bundle.command("export", help="Write a bundle as one file.")
def bundle_export(
    home: Home,
    file: Annotated[Path, typer.Argument(help="The file to write; -: stdout.")],
    bundle_id: Id = "",
) -> None:
    """Write a bundle as one file.

    Args:
        home: The folder of the log, the bundles and the key.
        file: The file to write, "-" for stdout.
        bundle_id: The id of the bundle; "": the one in use.

    Raises:
        NotFoundError: If there is no such bundle.
        StorageError: If the file cannot be written.
    """
    from plait.errors import StorageError

    with open_home(home) as workspace:
        if str(file) == PIPE:
            workspace.export_bundle(sys.stdout.buffer, bundle_id)
            return
        draft = file.with_name(f".{file.name}.draft")
        try:
            with draft.open("wb") as out:
                exported = workspace.export_bundle(out, bundle_id)
            draft.replace(file)
        except OSError as problem:
            raise StorageError(f"{file} cannot be written: {problem.strerror}") from problem
        finally:
            draft.unlink(missing_ok=True)
    print_lines(f"bundle: {exported}")


@bundle.command("import", help="Take over a bundle that plait bundle export wrote.")
def bundle_import(
    home: Home,
    file: Annotated[Path, typer.Argument(help="The file to read; -: stdin.")],
    use: Use = True,
) -> None:
    """Take over a bundle that `plait bundle export` wrote; the log has to be the same.

    Args:
        home: The folder of the log, the bundles and the key.
        file: The file to read, "-" for stdin.
        use: Whether to answer with the bundle.

    Raises:
        InputError: If the file cannot be read.
        BundleError: If the file is damaged or the bundle was fitted on another log.
    """
    from plait.errors import InputError

    with open_home(home) as workspace:
        if str(file) == PIPE:
            imported = workspace.import_bundle(sys.stdin.buffer, use=use)
        else:
            try:
                archive = file.open("rb")
            except OSError as problem:
                message = f"{file} cannot be read: {problem.strerror}"
                raise InputError(message, field="file") from problem
            with archive:
                imported = workspace.import_bundle(archive, use=use)
    print_lines(f"bundle: {imported}")


@bundle.command("copy", help="Copy a bundle into another home of the same log.")
def bundle_copy(
    home: Home,
    to: Annotated[Path, typer.Option(help="The home that takes it over.")],
    bundle_id: Id = "",
    use: Use = True,
) -> None:
    """Copy a bundle into another home of the same log.

    Args:
        home: The home that has the bundle.
        to: The home that takes it over.
        bundle_id: The id of the bundle; "": the one in use.
        use: Whether the other home answers with it.

    Raises:
        NotFoundError: If there is no such bundle, or no such home.
        BundleError: If the bundle is damaged or was fitted on another log.
    """
    with tempfile.TemporaryFile() as archive:
        with open_home(home) as workspace:
            workspace.export_bundle(archive, bundle_id)
        archive.seek(0)
        with open_home(to) as workspace:
            print_lines(f"bundle: {workspace.import_bundle(archive, use=use)}")
