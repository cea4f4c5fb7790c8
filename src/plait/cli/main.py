"""The program `plait`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from plait.cli.bundles import bundle, bundles, rollback
from plait.cli.compare import compare
from plait.cli.copy_log import copy_log
from plait.cli.demo import demo
from plait.cli.evaluate import evaluate
from plait.cli.fit import fit
from plait.cli.info import info
from plait.cli.ingest import ingest
from plait.cli.list import list_items
from plait.cli.merge import merge
from plait.cli.recipe import app as recipe_app
from plait.cli.recommend import recommend
from plait.cli.schema import schema
from plait.cli.search import search
from plait.cli.search_report import search_report
from plait.cli.serve import serve
from plait.cli.similar import similar
from plait.cli.tune import tune
from plait.cli.undo import undo
from plait.errors import PlaitError
from plait.utils.printable_text import printable
from plait.utils.private_files import restrict_new_files

__all__ = ["app", "main"]

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

app = typer.Typer(
    name="plait",
    help="One recommender and search engine, woven from what people do and what things say.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
COMMANDS = (
    ingest,
    undo,
    schema,
    fit,
    evaluate,
    compare,
    tune,
    recommend,
    search,
    search_report,
    similar,
    merge,
    serve,
    info,
    bundles,
    rollback,
    copy_log,
    demo,
)
for command in COMMANDS:
    summary = (command.__doc__ or "").partition("\n")[0]  # the sections below it are for the API
    app.command(name=command.__name__.replace("_", "-"), help=summary)(command)
app.add_typer(bundle)
app.command(name="list", help="List the catalogue in a stated order, page by page.")(list_items)

app.add_typer(recipe_app, name="recipe")


def _print_version(is_set: bool) -> None:
    if is_set:
        print(f"plait {version_of('plait')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that `sys.argv` names.

    Raises:
        SystemExit: With status 2 and a line on stderr after a `PlaitError` or where memory does
            not suffice, 130 after Ctrl-C.
    """
    restrict_new_files()
    try:
        app()
    except PlaitError as error:
        print(f"plait: {printable(error.message)}", file=sys.stderr)
        if error.hint:
            print(f"       {printable(error.hint)}", file=sys.stderr)
        sys.exit(2)
    except MemoryError as problem:
        reason = printable(str(problem)) or "an allocation failed"
        print(f"plait: there is too little memory: {reason}", file=sys.stderr)
        print("       what was stored before is intact", file=sys.stderr)
        sys.exit(2)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            print("plait: interrupted; what was stored before is intact", file=sys.stderr)
        raise
