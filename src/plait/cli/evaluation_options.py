"""Options that say how to evaluate; several commands have them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Draw",
    "FoldIn",
    "Goal",
    "Group",
    "Html",
    "Json",
    "Ks",
    "Mapping",
    "Negative",
    "Png",
    "Seed",
    "Seen",
    "TestDays",
    "TestEvents",
    "TestShare",
    "TestUsers",
    "Windows",
    "numbers",
    "told",
]

TestDays = Annotated[
    float | None, typer.Option(help="For time and clicks: how many days a test window has.")
]
Windows = Annotated[
    int | None, typer.Option(help="For time: how many test windows, one behind the other.")
]
Seen = Annotated[
    str | None, typer.Option(help="remove or keep what the user has seen; else by the data.")
]
TestUsers = Annotated[
    float | None, typer.Option(help="For held-out-users: the share of users that is held out.")
]
FoldIn = Annotated[
    float | None, typer.Option(help="For held-out-users: the share of a history that is told.")
]
TestEvents = Annotated[Path | None, typer.Option(help="For ratings: a file of ratings to predict.")]
Mapping = Annotated[Path | None, typer.Option(help="The mapping of --test-events.")]
TestShare = Annotated[
    float | None, typer.Option(help="For ratings: the share that is drawn without a file.")
]
Draw = Annotated[str | None, typer.Option(help="For ratings: draw them at random, or the last.")]
Goal = Annotated[
    list[str] | None, typer.Option(help="A kind of event that is success; may be repeated.")
]
Negative = Annotated[
    list[str] | None,
    typer.Option(
        help="For clicks: a kind that is a miss, may be repeated; or answers: what Plait's own "
        "answers showed and nobody took."
    ),
]
Group = Annotated[str, typer.Option(help="A category of items, or of users, to report by.")]
Ks = Annotated[str, typer.Option(help="Cut-offs, with commas between.")]
Seed = Annotated[int, typer.Option(help="What chance starts from.")]
Json = Annotated[Path | None, typer.Option(help="Also write the result to this file.")]
Html = Annotated[Path | None, typer.Option(help="Also write a page with plots to this file.")]
Png = Annotated[Path | None, typer.Option(help="Also write the plots into this folder.")]


def told(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def numbers(listed: str) -> tuple[int, ...]:
    """Distinct cut-offs in rising order."""
    from plait.errors import ProtocolError

    try:
        return tuple(sorted({int(one) for one in listed.split(",")}))
    except ValueError as problem:
        raise ProtocolError(f"--k is {listed!r}", hint="like --k 5,10", field="k") from problem
