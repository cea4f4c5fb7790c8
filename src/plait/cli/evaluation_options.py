"""Options of the commands that evaluate: `plait evaluate` and `plait tune`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from plait.cli.option_groups import takes_option_group

__all__ = ["EvaluationOptions", "Html", "Json", "Png", "takes_evaluation_options"]

Json = Annotated[Path | None, typer.Option(help="Also write the result to this file.")]
Html = Annotated[Path | None, typer.Option(help="Also write a page with plots to this file.")]
Png = Annotated[Path | None, typer.Option(help="Also write the plots into this folder.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOptions:
    """What a command line says about an evaluation; None or empty: the library decides.

    The fields, their order, types and defaults are those of the options in `plait evaluate --help`.
    """

    test_days: Annotated[
        float | None, typer.Option(help="For time and clicks: how many days a test window has.")
    ] = None
    windows: Annotated[
        int | None, typer.Option(help="For time: how many test windows, one behind the other.")
    ] = None
    seen: Annotated[
        str | None, typer.Option(help="remove or keep what the user has seen; else by the data.")
    ] = None
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit again on train + validation; not for time.")
    ] = False
    test_users: Annotated[
        float | None,
        typer.Option(
            help="For held-out-users and cold-users: the share of users that is held out."
        ),
    ] = None
    cold: Annotated[
        float | None,
        typer.Option(help="For cold-items: the share of items that lose every interaction."),
    ] = None
    events: Annotated[
        str | None,
        typer.Option(help="For cold-users: how many events are known of a user, as 0,1,2,3,5."),
    ] = None
    fold_in: Annotated[
        float | None,
        typer.Option(help="For held-out-users: the share of a history that the model may see."),
    ] = None
    test_events: Annotated[
        Path | None, typer.Option(help="For ratings: a file of ratings to predict.")
    ] = None
    map: Annotated[Path | None, typer.Option(help="The mapping of the files of events.")] = None
    test_share: Annotated[
        float | None, typer.Option(help="For ratings: the share that is drawn without a file.")
    ] = None
    draw: Annotated[
        str | None, typer.Option(help="For ratings: draw them at random, or the last.")
    ] = None
    goal: Annotated[
        list[str] | None, typer.Option(help="A kind of event that is success; may be repeated.")
    ] = None
    negative: Annotated[
        list[str] | None,
        typer.Option(
            help="For clicks: a kind that is a miss, may be repeated; or answers: what Plait's own "
            "answers showed without a click."
        ),
    ] = None
    train: Annotated[
        Path | None, typer.Option(help="For split: a file of training events; none: the log.")
    ] = None
    validation: Annotated[
        Path | None,
        typer.Option(help="For split: a file of events for early stopping and fusion weights."),
    ] = None
    test: Annotated[
        Path | None, typer.Option(help="For split: a file of the events to predict.")
    ] = None
    candidates: Annotated[
        str | None, typer.Option(help="all, or sampled:99: rank among so many drawn items.")
    ] = None
    track: Annotated[
        list[str] | None,
        typer.Option(help="Record training: tensorboard, mlflow, wandb; may be repeated."),
    ] = None
    group: Annotated[str, typer.Option(help="A category of items, or of users, to report by.")] = ""
    group_by: Annotated[
        str,
        typer.Option(
            help="Show one item of each value of a field, and count any of them as a hit; auto: of "
            "the field that names an item's product."
        ),
    ] = ""
    fusion_methods: Annotated[
        bool,
        typer.Option("--fusion-methods", help="Add a row for each other method of the fusion."),
    ] = False
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Add a row without each model of the recipe.")
    ] = False
    k: Annotated[str, typer.Option(help="Cut-offs, with commas between.")] = "5,10"
    seed: Annotated[int, typer.Option(help="What chance starts from.")] = 0
    seeds: Annotated[int, typer.Option(help="Fit from so many seeds, and pool them.")] = 1

    def to_keywords(self) -> dict[str, Any]:
        """The options that the user set, as keyword arguments of `Workspace.evaluate` and `tune`.

        Returns:
            Values by option name: no option at its default but `k` and `seed`, and `k` as a tuple
            of cut-offs in rising order.

        Raises:
            ProtocolError: If `k` or `events` is not a list of integers.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        keywords = {
            name: value
            for name, value in values.items()
            if value not in (_DEFAULTS[name], [])  # no --goal at all is an empty list
        }
        if self.events is not None:
            keywords["events"] = _parse_numbers(self.events, "events", "0,1,2,3,5")
        return {**keywords, "k": _parse_numbers(self.k, "k", "5,10"), "seed": self.seed}


_DEFAULTS = {field.name: field.default for field in fields(EvaluationOptions)}


def takes_evaluation_options(
    *, without: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command so that its parameter `options` becomes one option for each field.

    Args:
        without: Fields of `EvaluationOptions` that the command does not offer.

    Returns:
        A decorator. The decorated command takes the fields as keyword arguments and hands the
        function one `EvaluationOptions`.
    """
    return takes_option_group(EvaluationOptions, without=without)


def _parse_numbers(text: str, option: str, example: str) -> tuple[int, ...]:
    """Distinct integers in rising order."""
    from plait.errors import ProtocolError

    try:
        return tuple(sorted({int(number) for number in text.split(",")}))
    except ValueError as error:
        raise ProtocolError(
            f"invalid --{option} {text!r}: expected integers separated by commas",
            hint=f"for example --{option} {example}",
            field=option,
        ) from error
