"""`plait evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.evaluation_options import (
    EvaluationOptions,
    Html,
    Json,
    Png,
    takes_evaluation_options,
)
from plait.cli.options import Home, check_targets, open_home
from plait.cli.output import print_lines
from plait.utils.progress_bars import bars

if TYPE_CHECKING:
    from plait.evaluation.results.report import Report

__all__ = ["evaluate"]

JudgementsFile = Annotated[
    Path | None,
    typer.Option(
        help="Measure the search of the bundle in use by a file with query, item and relevance; "
        "protocol collection (all items) or rerank (the judged ones)."
    ),
]


@takes_evaluation_options()
def evaluate(
    home: Home,
    protocol: Annotated[
        str,
        typer.Option(
            help="leave-one-out, time, held-out-users, cold-items, cold-users, split, ratings or "
            "clicks; auto: split with --test, else time if the log has times, else leave-one-out."
        ),
    ] = "auto",
    recipe: Annotated[
        list[str] | None, typer.Option(help="A shipped recipe or a TOML file; may be repeated.")
    ] = None,
    bundle: Annotated[
        str | None,
        typer.Option(help="Measure this bundle, or current, as it is: nothing is fitted."),
    ] = None,
    judgements: JudgementsFile = None,
    *,
    options: EvaluationOptions,
    json: Json = None,
    html: Html = None,
    png: Png = None,
) -> None:
    """Measure recipes, each of their models and baselines; the live bundle stays as it is.

    Args:
        home: The folder of the log, the bundles and the key.
        protocol: The name of the evaluation protocol.
        recipe: Names or paths of recipes; None: `default`.
        bundle: The id of a bundle to measure instead of recipes, "current" for the one in use.
        judgements: The file of judged items by which search is measured.
        options: What the command line says about the split, the metrics and the seeds.
        json: Where to write the report as JSON.
        html: Where to write the report as a page.
        png: The folder to write the plots to.

    Raises:
        StorageError: If a result has no folder to lie in.
        MissingExtraError: If a page or plots are asked for without matplotlib.
        ProtocolError: If the data do not allow the protocol.
    """
    from plait.evaluation.reporting.table import print_report
    from plait.evaluation.results.run_store import write_report

    check_targets(json, html=html, png=png)
    if judgements is not None:
        _evaluate_judgements(home, judgements, protocol, recipe, options, json)
        return
    keywords = options.to_keywords()
    if bundle is not None:
        _require_no_recipe(recipe)
        keywords["bundle"] = bundle
    with open_home(home) as workspace, bars() as advance:
        report = workspace.evaluate(protocol, recipe or ["default"], progress=advance, **keywords)
    print_report(report)
    print_lines(f"run: {report.run}")
    if json is not None:
        write_report(json, report)
    if html is not None or png is not None:
        _draw(report, html, png)


def _evaluate_judgements(
    home: Home,
    judgements: Path,
    protocol: str,
    recipe: list[str] | None,
    options: EvaluationOptions,
    json: Json,
) -> None:
    """Measure the search of the bundle in use, and print the rows."""
    from plait.evaluation.results.run_store import write_json

    cutoffs = options.to_keywords()["k"]
    with open_home(home) as workspace, bars() as advance:
        report = workspace.evaluate_judgements(
            judgements,
            "collection" if protocol == "auto" else protocol,
            recipe=recipe[-1] if recipe else None,
            k=max(cutoffs),
            seed=options.seed,
            progress=advance,
        )
    print_lines(*str(report).splitlines())
    if json is not None:
        write_json(json, report.to_dict())


def _require_no_recipe(recipe: list[str] | None) -> None:
    """InputError where a bundle and recipes are named: a bundle has its own."""
    if recipe:
        from plait.errors import InputError

        raise InputError(
            "--bundle measures a fitted recipe, and --recipe fits another",
            hint="leave one of them out",
            field="bundle",
        )


def _draw(report: Report, html: Html, png: Png) -> None:
    """A page, plots, or both."""
    from plait.evaluation.reporting.comparison_page import write_pages
    from plait.evaluation.results.run_store import Run

    assert report.detail is not None
    write_pages([Run(report.run, report.to_dict(), report.detail)], html, png)
