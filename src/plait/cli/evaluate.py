"""`plait evaluate`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.options import Home, opened
from plait.cli.progress import bars

__all__ = ["evaluate"]


def evaluate(
    home: Home,
    protocol: Annotated[str, typer.Option(help="leave-one-out or time.")],
    recipe: Annotated[
        list[str] | None, typer.Option(help="A shipped recipe or a TOML file; may be repeated.")
    ] = None,
    test_days: Annotated[
        float | None, typer.Option(help="For time: how many days the test window has.")
    ] = None,
    seen: Annotated[
        str | None, typer.Option(help="remove or keep what the user has seen; else by the data.")
    ] = None,
    refit: Annotated[
        bool, typer.Option("--refit", help="For leave-one-out: fit again on train + validation.")
    ] = False,
    k: Annotated[str, typer.Option(help="Cut-offs, with commas between.")] = "5,10",
    seed: Annotated[int, typer.Option(help="What chance starts from.")] = 0,
    json: Annotated[Path | None, typer.Option(help="Also write the result to this file.")] = None,
) -> None:
    """Measure recipes, each of their strands and baselines; the live bundle stays as it is."""
    from plait.evaluate.table import print_report

    options: dict[str, Any] = {"k": _numbers(k), "refit": refit, "seed": seed}
    options |= {"test_days": test_days, "seen": seen}
    with opened(home) as shop, bars() as advance:
        report = shop.evaluate(protocol, recipe or ["default"], progress=advance, **options)
    print_report(report)
    if json is not None:
        _write(json, report.to_dict())


def _numbers(listed: str) -> tuple[int, ...]:
    """Distinct cut-offs in rising order."""
    from plait.errors import ProtocolError

    try:
        return tuple(sorted({int(one) for one in listed.split(",")}))
    except ValueError as problem:
        raise ProtocolError(f"--k is {listed!r}", hint="like --k 5,10", field="k") from problem


def _write(path: Path, found: dict[str, Any]) -> None:
    from plait.errors import StorageError

    try:
        path.write_text(json_module.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem
