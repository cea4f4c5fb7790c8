"""`plait tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.evaluation_options import EvaluationOptions, takes_evaluation_options
from plait.cli.options import Home, check_targets, open_home
from plait.cli.output import print_lines
from plait.utils.progress_bars import bars

if TYPE_CHECKING:
    from plait.evaluation.tuning.search import Trial, Tuned

__all__ = ["tune"]


@takes_evaluation_options(without=("refit", "group", "seeds", "fusion_methods", "ablate"))
def tune(
    home: Home,
    recipe: Annotated[str, typer.Option(help="A shipped recipe, or a TOML file.")] = "default",
    trials: Annotated[int, typer.Option(help="How many in all, earlier ones included.")] = 20,
    metric: Annotated[str, typer.Option(help="What fused shall be good at.")] = "ndcg@10",
    protocol: Annotated[
        str,
        typer.Option(
            help="As for evaluate, only its validation part is looked at; auto: split with "
            "--validation, else leave-one-out."
        ),
    ] = "auto",
    only: Annotated[
        list[str] | None, typer.Option(help="Search what begins so, as linear.; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the best recipe to this file.")] = None,
    *,
    options: EvaluationOptions,
) -> None:
    """Search the settings of a recipe, and keep what was found if interrupted.

    Args:
        home: The folder of the log, the bundles and the key.
        recipe: The name or path of the recipe to start from.
        trials: The number of trials in all, those of earlier runs included.
        metric: The metric of the fused row to improve.
        protocol: The name of the evaluation protocol.
        only: Prefixes of `stage.setting`; other settings keep their values.
        out: Where to write the best recipe, after every trial.
        options: What the command line says about the split, the metrics and the seed.

    Raises:
        StorageError: If the recipe cannot be written.
        MissingExtraError: If optuna is not installed.
        ProtocolError: If the data do not allow the protocol.
    """
    check_targets(out)
    keywords, protocol = options.to_keywords(), _protocol_of(protocol, options)

    def on_trial(trial: Trial, best: Tuned | None) -> None:
        reached = "given up early" if trial.value is None else f"{trial.value:.5f}"
        ahead = "" if best is None else f", best {best.value:.5f}"
        print_lines(f"trial {trial.number}: {metric} {reached}{ahead}")
        if best is not None and out is not None:
            _write(out, best, protocol)

    with open_home(home) as workspace, bars() as advance:
        tuned = workspace.tune(
            recipe,
            protocol,
            metric=metric,
            trials=trials,
            only=only or (),
            progress=advance,
            on_trial=on_trial,
            **keywords,
        )
    print_lines(_summary(tuned, metric))
    if out is not None:
        print_lines(_write(out, tuned, protocol))


def _summary(tuned: Tuned, metric: str) -> str:
    start = "" if tuned.start is None else f", as given {tuned.start:.5f}"
    return f"best of {len(tuned.trials)} trials: {metric} {tuned.value:.5f}{start}"


def _protocol_of(name: str, options: EvaluationOptions) -> str:
    """The name of the protocol; auto: that of the data."""
    if name != "auto":
        return name
    return "leave-one-out" if options.validation is None else "split"


def _write(path: Path, best: Tuned, protocol: str) -> str:
    """Write the best recipe; a line that names the file."""
    from plait.errors import StorageError
    from plait.pipeline.recipe_writer import recipe_toml

    comment = f"plait tune: {best.metric} {best.value:.5f} on the validation part of {protocol}"
    try:
        path.write_text(recipe_toml(best.recipe, [comment]), encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error}") from error
    return f"recipe: {path}"
