"""The program `plait`."""

from __future__ import annotations

import sys

import typer

from plait.cli.demo import demo
from plait.cli.evaluate import evaluate
from plait.cli.fit import fit
from plait.cli.info import info
from plait.cli.ingest import ingest
from plait.cli.recommend import recommend
from plait.cli.search import search
from plait.cli.serve import serve
from plait.cli.similar import similar
from plait.errors import PlaitError

__all__ = ["app", "main"]

app = typer.Typer(
    name="plait",
    help="One recommender and search engine, woven from what people do and what things say.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (ingest, fit, evaluate, recommend, search, similar, serve, info, demo):
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
    except KeyboardInterrupt:
        print("plait: interrupted; what was stored before is intact", file=sys.stderr)
        sys.exit(130)
