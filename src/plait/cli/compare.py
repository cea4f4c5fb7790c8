"""`plait compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli import evaluation_options as options
from plait.cli.options import check_targets

__all__ = ["compare"]


def compare(
    run: Annotated[
        list[str], typer.Argument(help="What evaluate --json wrote, or a run of the home.")
    ],
    home: Annotated[Path | None, typer.Option(help="The home whose runs can be named.")] = None,
    row: Annotated[
        list[str] | None, typer.Option(help="A row to compare; may be repeated. Else fused.")
    ] = None,
    json: options.Json = None,
    html: options.Html = None,
    png: options.Png = None,
) -> None:
    """Compare evaluations query by query, and say what is better and what is a tie."""
    from plait.evaluation.reporting.table import print_comparison, write_json
    from plait.evaluation.results.comparison import compare as measure
    from plait.evaluation.results.run_store import find_run, read_run

    check_targets(json, html=html, png=png)
    runs = [read_run(find_run(one, home)) for one in run]
    found = measure(runs, row or ())
    print_comparison(found)
    if json is not None:
        write_json(json, found.to_dict())
    if html is not None or png is not None:
        from plait.evaluation.reporting.html_report import write_pages

        write_pages(runs, html, png, row or ())
