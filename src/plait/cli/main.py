"""The program `plait`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from plait.cli.compare import compare
from plait.cli.demo import demo
from plait.cli.evaluate import evaluate
from plait.cli.fit import fit
from plait.cli.info import info
from plait.cli.ingest import ingest
from plait.cli.recommend import recommend
from plait.cli.search import search
from plait.cli.serve import serve
from plait.cli.similar import similar
from plait.cli.tune import tune
from plait.errors import PlaitError

__all__ = ["app", "main"]

INTERRUPTED = 130
"""The exit status after Ctrl-C."""

app = typer.Typer(
    name="plait",
    help="One recommender and search engine, woven from what people do and what things say.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"plait {version_of('plait')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


for command in (
    ingest,
    fit,
    evaluate,
    compare,
    tune,
    recommend,
    search,
    similar,
    serve,
    info,
    demo,
):
    app.command(name=command.__name__)(command)


def main() -> None:
    """Run a command; an error that Plait foresaw is one line, and exit status 2."""
    try:
        app()
    except PlaitError as problem:
        print(f"plait: {problem.message}", file=sys.stderr)
        if problem.hint:
            print(f"       {problem.hint}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:  # typer's way of saying Ctrl-C
            print("plait: interrupted; what was stored before is intact", file=sys.stderr)
        raise
