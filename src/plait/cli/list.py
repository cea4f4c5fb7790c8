"""`plait list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.options import AsJson, Filter, Home, HowMany, open_home
from plait.cli.output import add_row, new_table, print_json, print_lines, print_table

if TYPE_CHECKING:
    from plait.workspace.listing import Listing

__all__ = ["list_items"]


_Count = Annotated[
    list[str] | None,
    typer.Option("--count", "--counts", help="A field whose values are counted, may be repeated."),
]
_GroupBy = Annotated[
    str | None, typer.Option(help="List one item of each value of a field; auto: of each product.")
]


def list_items(
    home: Home,
    filter: Filter = None,
    sort: Annotated[
        str, typer.Option(help="popularity, newness, id, or a field of the items.")
    ] = "popularity",
    order: Annotated[
        str | None, typer.Option(help="asc or desc; else popular and new first, others rising.")
    ] = None,
    k: HowMany = 10,
    cursor: Annotated[
        str | None, typer.Option(help="The cursor of the page before; none: the first.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="A field to show, may be repeated; none: title.")
    ] = None,
    count: _Count = None,
    group_by: _GroupBy = None,
    all: Annotated[
        bool, typer.Option("--all", help="Also what the rules of the recipe keep back.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List the catalogue in a stated order, page by page.

    Args:
        home: The folder of the log, the bundles and the key.
        filter: A condition on the fields of items, such as `price < 20`.
        sort: What the items are sorted by.
        order: Rising or falling.
        k: The number of items.
        cursor: The cursor that the page before ended with.
        field: The fields to show; with `json`, "*" for all.
        count: The fields whose values are counted.
        group_by: The field of which each value is listed once.
        all: Whether to list also what the rules keep back.
        json: Print JSON instead of a table.
    """
    with open_home(home) as workspace:
        known = workspace.host.state().catalogue.columns
        usual = [name for name in ("title", "name") if name in known][:1]
        page = workspace.list(
            filter,
            sort=sort,
            order=order,  # type: ignore[arg-type]  # the query checks it
            k=k,
            cursor=cursor,
            fields=field or usual,
            counts=count or [],
            group_by=group_by,
            all=all,
        )
    if json:
        print_json(page.to_dict())
    else:
        _print_page(page)


def _print_page(page: Listing) -> None:
    """Print a page as a table; in a pipe one line an item."""
    names = list(dict.fromkeys(name for item in page.items for name in item.fields))
    table = new_table(("item", *names))
    for item in page.items:
        values = ("" if name not in item.fields else str(item.fields[name]) for name in names)
        add_row(table, (item.id, *values))
    if page.items:
        print_table(table)
    print_lines(f"{len(page.items)} of {page.total} items")
    for name, counts in page.counts.items():
        print_lines(f"{name}: " + ", ".join(f"{entry.value} {entry.count}" for entry in counts))
    if page.cursor:
        print_lines(f"next page: --cursor {page.cursor}")
