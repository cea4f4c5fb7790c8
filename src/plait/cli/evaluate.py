"""`plait evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli import evaluation_options as options
from plait.cli.options import Home, check_targets, opened
from plait.cli.progress import bars

if TYPE_CHECKING:
    from plait.evaluation.results.report import Report

__all__ = ["evaluate"]


def evaluate(
    home: Home,
    protocol: Annotated[
        str, typer.Option(help="leave-one-out, time, held-out-users, ratings or clicks.")
    ],
    recipe: Annotated[
        list[str] | None, typer.Option(help="A shipped recipe or a TOML file; may be repeated.")
    ] = None,
    test_days: options.TestDays = None,
    windows: options.Windows = None,
    seen: options.Seen = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit again on train + validation; not for time.")
    ] = False,
    test_users: options.TestUsers = None,
    fold_in: options.FoldIn = None,
    test_events: options.TestEvents = None,
    map: options.Mapping = None,
    test_share: options.TestShare = None,
    draw: options.Draw = None,
    goal: options.Goal = None,
    negative: options.Negative = None,
    group: options.Group = "",
    k: options.Ks = "5,10",
    seed: options.Seed = 0,
    seeds: Annotated[int, typer.Option(help="Fit from so many seeds, and pool them.")] = 1,
    json: options.Json = None,
    html: options.Html = None,
    png: options.Png = None,
) -> None:
    """Measure recipes, each of their strands and baselines; the live bundle stays as it is."""
    from plait.evaluation.reporting.table import print_report
    from plait.evaluation.results.run_store import write_report

    check_targets(json, html=html, png=png)
    given = options.told(test_days=test_days, windows=windows, seen=seen, refit=refit or None)
    given |= options.told(test_users=test_users, fold_in=fold_in, test_share=test_share, draw=draw)
    given |= options.told(goal=goal or None, negative=negative or None, group=group, seeds=seeds)
    given |= options.told(test_events=test_events, map=map, k=options.numbers(k), seed=seed)
    with opened(home) as shop, bars() as advance:
        report = shop.evaluate(protocol, recipe or ["default"], progress=advance, **given)
    print_report(report)
    print(f"run: {report.run}")
    if json is not None:
        write_report(json, report)
    if html is not None or png is not None:
        _draw(report, html, png)


def _draw(report: Report, html: options.Html, png: options.Png) -> None:
    """A page, plots, or both."""
    from plait.evaluation.reporting.html_report import write_pages
    from plait.evaluation.results.run_store import Run

    assert report.detail is not None
    write_pages([Run(report.run, report.to_dict(), report.detail)], html, png)
