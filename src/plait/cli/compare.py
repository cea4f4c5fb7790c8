"""`plait compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plait.cli.evaluation_options import Html, Json, Png
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
    json: Json = None,
    html: Html = None,
    png: Png = None,
) -> None:
    """Compare evaluations query by query, and say what is better and what is a tie.

    Args:
        run: Files that `plait evaluate --json` wrote, or names of runs of the home.
        home: The folder whose runs can be named.
        row: The rows to compare; None: the fused row of each run.
        json: Where to write the comparison as JSON.
        html: Where to write the comparison as a page.
        png: The folder to write the plots to.

    Raises:
        NotFoundError: If a run is unknown.
        InputError: If a row is unknown, or a file is not an evaluation.
        ProtocolError: If the runs have no query in common, or another protocol each.
        StorageError: If a result has no folder to lie in.
    """
    from plait.evaluation.reporting.table import print_comparison, write_json
    from plait.evaluation.results.comparison import compare as compare_runs
    from plait.evaluation.results.run_store import find_run, read_run

    check_targets(json, html=html, png=png)
    runs = [read_run(find_run(name, home)) for name in run]
    comparison = compare_runs(runs, row or ())
    print_comparison(comparison)
    if json is not None:
        write_json(json, comparison.to_dict())
    if html is not None or png is not None:
        from plait.evaluation.reporting.comparison_page import write_pages

        write_pages(runs, html, png, row or ())
