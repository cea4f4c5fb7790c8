"""`plait search-report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Home, open_home
from plait.cli.output import print_json, print_lines

if TYPE_CHECKING:
    from plait.workspace.search_report import SearchReport

__all__ = ["search_report"]


def search_report(
    home: Home,
    k: Annotated[int, typer.Option("-k", help="The most entries of each list.", min=1)] = 20,
    json: AsJson = False,
) -> None:
    """Say what people searched for in vain, and propose synonyms for review.

    Args:
        home: The folder of the log.
        k: The most entries of each list.
        json: Print JSON instead of lines.
    """
    with open_home(home) as workspace:
        report = workspace.search_report(k=k)
    if json:
        print_json(report.to_dict())
        return
    print_lines(*_lines(report))


def _lines(report: SearchReport) -> Iterator[str]:
    """The report for people."""
    yield (
        f"{report.searches:,} searches, {report.queries:,} queries; after "
        f"{report.click_through:.1%} of those with results an item was clicked"
    )
    sections = {
        "without results": [f"{row.searches:>6}  {row.query}" for row in report.without_results],
        "low click-through": [
            f"{row.searches:>6}  {row.clicked:>6} clicked  {row.query}"
            for row in report.low_click_through
        ],
        "worded anew": [
            f"{pair.persons:>6}  {pair.clicked:>6} clicked  {pair.query} -> {pair.next_query}"
            for pair in report.reformulated
        ],
        "synonyms to review": list(report.synonyms),
    }
    for title, lines in sections.items():
        yield f"{title}:" if lines else f"{title}: none"
        yield from (f"  {line}" for line in lines)
