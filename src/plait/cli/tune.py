"""`plait tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli import evaluation_options as options
from plait.cli.options import Home, check_targets, opened
from plait.cli.progress import bars

if TYPE_CHECKING:
    from plait.evaluation.tuning.search import Trial, Tuned

__all__ = ["tune"]


def tune(
    home: Home,
    recipe: Annotated[str, typer.Option(help="A shipped recipe, or a TOML file.")] = "default",
    trials: Annotated[int, typer.Option(help="How many in all, earlier ones included.")] = 20,
    metric: Annotated[str, typer.Option(help="What fused shall be good at.")] = "ndcg@10",
    protocol: Annotated[
        str, typer.Option(help="As for evaluate; only its validation part is looked at.")
    ] = "leave-one-out",
    only: Annotated[
        list[str] | None, typer.Option(help="Search what begins so, as linear.; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the best recipe to this file.")] = None,
    test_days: options.TestDays = None,
    windows: options.Windows = None,
    seen: options.Seen = None,
    test_users: options.TestUsers = None,
    fold_in: options.FoldIn = None,
    test_events: options.TestEvents = None,
    map: options.Mapping = None,
    test_share: options.TestShare = None,
    draw: options.Draw = None,
    goal: options.Goal = None,
    negative: options.Negative = None,
    k: options.Ks = "5,10",
    seed: options.Seed = 0,
) -> None:
    """Search the settings of a recipe, and keep what was found if interrupted."""
    check_targets(out)
    given = options.told(test_days=test_days, windows=windows, seen=seen, k=options.numbers(k))
    given |= options.told(test_users=test_users, fold_in=fold_in, test_share=test_share, draw=draw)
    given |= options.told(test_events=test_events, map=map, goal=goal or None)
    given |= options.told(negative=negative or None, seed=seed)

    def heard(trial: Trial, best: Tuned | None) -> None:
        reached = "given up early" if trial.value is None else f"{trial.value:.5f}"
        ahead = "" if best is None else f", best {best.value:.5f}"
        typer.echo(f"trial {trial.number}: {metric} {reached}{ahead}")
        if best is not None and out is not None:
            _write(out, best, protocol)

    with opened(home) as shop, bars() as advance:
        found = shop.tune(
            recipe,
            protocol,
            metric=metric,
            trials=trials,
            only=only or (),
            progress=advance,
            told=heard,
            **given,
        )
    start = "" if found.start is None else f", as given {found.start:.5f}"
    typer.echo(f"best of {len(found.trials)} trials: {metric} {found.value:.5f}{start}")
    if out is not None:
        _write(out, found, protocol)
        typer.echo(f"recipe: {out}")


def _write(path: Path, best: Tuned, protocol: str) -> None:
    from plait.errors import StorageError
    from plait.pipeline.recipe_toml import recipe_toml

    said = f"plait tune: {best.metric} {best.value:.5f} on the validation part of {protocol}"
    try:
        path.write_text(recipe_toml(best.recipe, [said]), encoding="utf-8")
    except OSError as problem:
        raise StorageError(f"{path} cannot be written: {problem}") from problem
