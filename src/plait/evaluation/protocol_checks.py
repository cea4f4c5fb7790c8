"""Checks of the options of evaluation protocols, without data and on data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.pipeline.recipe import Recipe
from plait.splitting.click_attribution import ANSWERS

if TYPE_CHECKING:
    from plait.evaluation.protocol import Protocol

__all__ = [
    "ALWAYS_HASHED",
    "NAMES",
    "PRECISION",
    "PROTOCOLS_WITH",
    "RANKING",
    "check_options",
    "require",
    "require_times",
    "sampled_candidates",
    "target_types",
]

NAMES = (
    *("leave-one-out", "time", "held-out-users", "cold-items", "cold-users", "split"),
    *("ratings", "clicks"),
)
"""The names of the protocols."""

RANKING = NAMES[:6]
"""Those that measure lists."""

PROTOCOLS_WITH: Mapping[str, tuple[str, ...]] = {
    "test_days": ("time", "clicks"),
    "windows": ("time",),
    "refit": ("leave-one-out", "held-out-users", "split"),
    "test_users": ("held-out-users", "cold-users"),
    "fold_in": ("held-out-users",),
    "cold": ("cold-items",),
    "events": ("cold-users",),
    "test_share": ("ratings",),
    "draw": ("ratings",),
    "test_file": ("ratings",),
    "negative": ("clicks",),
    "k": RANKING,
    "group_by": RANKING,
    "candidates": tuple(name for name in RANKING if name != "cold-items"),
    "split_data": ("split",),
}
"""The protocols of each option that not all of them have."""

PRECISION = ("k", "resamples")
"""The options that decide neither the lists nor the queries: runs that differ in them compare."""

ALWAYS_HASHED = ("test_days", "refit")
"""Of these options, those that are hashed under every protocol."""

REFUSED = {
    ("leave-one-out", "test_days"): "leave-one-out has no test window",
    ("time", "refit"): "the time protocol has no --refit: its models are always fitted on "
    "everything before the cut",
    ("cold-items", "refit"): "cold-items has no --refit: its models are always fitted again",
    ("cold-users", "refit"): "cold-users has no --refit: its models are always fitted again",
}


def check_options(protocol: Protocol) -> None:
    """Validate everything that does not depend on data.

    Args:
        protocol: The protocol.

    Raises:
        ProtocolError: If an option is out of range or belongs to another protocol.
    """
    require(
        protocol.name in NAMES,
        f"unknown protocol {protocol.name!r}",
        f"there are {', '.join(NAMES)}",
        "protocol",
    )
    require(
        protocol.seen in (None, "keep", "remove"),
        f"invalid seen {protocol.seen!r}",
        "use keep or remove",
        "seen",
    )
    require(
        bool(protocol.k) and min(protocol.k) >= 1,
        f"invalid k {list(protocol.k)}",
        "expected integers of 1 or more",
        "k",
    )
    require(
        not protocol.of_answers or set(protocol.negative) == {ANSWERS},
        f"{ANSWERS} cannot be combined with other negative event types: "
        f"{', '.join(protocol.negative)} may describe the same impressions",
        f"--negative {ANSWERS}, or only event types",
        "negative",
    )
    _check_foreign_options(protocol)
    _check_ranges(protocol)


def sampled_candidates(candidates: str) -> int:
    """Read how many candidates are drawn beside the targets of each query.

    Args:
        candidates: "all" or "sampled:N".

    Returns:
        N, 0 for all.

    Raises:
        ProtocolError: If the text is neither.
    """
    matched = re.fullmatch(r"all|sampled:([1-9]\d{0,5})", str(candidates), re.ASCII)
    if matched is None:
        raise ProtocolError(
            f"invalid candidates {candidates!r}",
            hint="use all, or sampled:99 for the targets and 99 drawn items",
            field="candidates",
        )
    return int(matched[1] or 0)


def _check_foreign_options(protocol: Protocol) -> None:
    """Options of other protocols have their default."""
    require(
        protocol.seen != "remove" or protocol.ranks,
        f"{protocol.name} produces no lists to remove seen items from",
        "leave --seen out",
        "seen",
    )
    for option in fields(protocol):
        names = PROTOCOLS_WITH.get(option.name, NAMES)
        require(
            protocol.name in names or getattr(protocol, option.name) == option.default,
            REFUSED.get((protocol.name, option.name), f"{protocol.name} has no {option.name}"),
            f"--protocol {' or '.join(names)} has it",
            option.name,
        )


def _check_ranges(protocol: Protocol) -> None:
    days = protocol.test_days
    require(
        days is None or 0 < days < 40_000,
        f"invalid --test-days {days}",
        "expected days above 0 and below 40,000",
        "test_days",
    )
    require(
        1 <= protocol.windows <= 100,
        f"invalid --windows {protocol.windows}",
        "expected 1 to 100",
        "windows",
    )
    for name in ("fold_in", "test_share", "test_users", "cold"):
        share = getattr(protocol, name)
        require(
            0 < share < 1, f"invalid {name} {share:g}", "expected a share between 0 and 1", name
        )
    require(
        bool(protocol.events) and min(protocol.events) >= 0 and max(protocol.events) < 1000,
        f"invalid events {list(protocol.events)}",
        "expected integers from 0 to 999",
        "events",
    )
    require(
        protocol.draw in ("random", "last"),
        f"invalid draw {protocol.draw!r}",
        "use random or last",
        "draw",
    )
    sampled_candidates(protocol.candidates)


def require(condition: bool, message: str, hint: str, field: str) -> None:
    """Raise an error unless a condition holds.

    Args:
        condition: The condition.
        message: The message of the error.
        hint: What to do.
        field: The option that is wrong.

    Raises:
        ProtocolError: If the condition does not hold.
    """
    if not condition:
        raise ProtocolError(message, hint=hint, field=field)


def require_times(dataset: Dataset, name: str) -> None:
    """Check that times differ, so that the data can be cut by time.

    Args:
        dataset: The data set.
        name: The name of the protocol.

    Raises:
        ProtocolError: If there are no times, or all are equal.
    """
    require(
        dataset.clock == "time",
        "these interactions have positions and no times, so that they cannot be cut by time",
        "use --protocol leave-one-out",
        "protocol",
    )
    times = dataset.interactions.times
    require(
        int(times.max()) > int(times.min()),
        f"all interactions have the same time, so that the {name} protocol cannot cut them",
        "use --protocol leave-one-out, or map the column that holds the times",
        "protocol",
    )


def target_types(goal: tuple[str, ...], dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
    """Determine the target event types.

    Args:
        goal: Those of the protocol; none: those of the recipe, else all with a weight above 0.
        dataset: The data set.
        recipe: The recipe.

    Returns:
        The names, sorted.

    Raises:
        ProtocolError: If a named event type does not occur, or none is left.
    """
    types = tuple(sorted(dataset.event_types))
    listed = f"there are {', '.join(types)}"
    for name in goal:
        require(name in types, f"unknown event type {name!r}", listed, "goal")
    targets = goal or tuple(name for name in recipe.target_events if name in types)
    weights, default = recipe.event_weights, recipe.event_weights.get("*", 1.0)
    targets = targets or tuple(name for name in types if weights.get(name, default) > 0)
    require(
        bool(targets) or not types,
        f"the recipe {recipe.name!r} gives no event type a weight above 0",
        listed,
        "goal",
    )
    return tuple(sorted(targets))
