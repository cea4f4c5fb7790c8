"""Evaluation protocols: two figures may be compared only if the hashes of their protocols agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.recipe import Recipe
from plait.splitting.click_attribution import ANSWERS, ATTRIBUTION_WINDOW
from plait.splitting.splits import Seen, repeat_share, window
from plait.utils.timestamps import DAY

__all__ = ["NAMES", "Name", "Protocol", "digest"]

REPEATS = 0.1
"""Above this share of repeats in train, the time protocol keeps seen items."""

NEGATIVES = ("impression", "shown", "skip", "dislike", "hide")
"""Negative event types of the clicks protocol, unless others are named."""

Name = Literal["leave-one-out", "time", "held-out-users", "ratings", "clicks"]

NAMES: tuple[str, ...] = get_args(Name)

PROTOCOLS_WITH: Mapping[str, tuple[str, ...]] = {
    "test_days": ("time", "clicks"),
    "windows": ("time",),
    "refit": ("leave-one-out", "held-out-users"),
    "test_users": ("held-out-users",),
    "fold_in": ("held-out-users",),
    "test_share": ("ratings",),
    "draw": ("ratings",),
    "test_file": ("ratings",),
    "negative": ("clicks",),
    "k": ("leave-one-out", "time", "held-out-users"),
    "group_by": ("leave-one-out", "time", "held-out-users"),
}
"""The protocols of each option that not all of them have."""

ALWAYS_HASHED = ("test_days", "refit")
"""Of these options, those that are hashed under every protocol."""

REFUSED = {
    ("leave-one-out", "test_days"): "leave-one-out has no test window",
    ("time", "refit"): "the time protocol has no --refit: its models are always fitted on "
    "everything before the cut",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the data are split, which queries are evaluated, and how hits are counted.

    `test_days`, `seen` and `goal` may be left open; `resolved` sets them from a data set, and only
    then is the hash meaningful.

    Attributes:
        name: Name of the protocol.
        test_days: Length of the test window in days.
        seen: Whether seen items stay in the lists ("keep") or are removed ("remove").
        goal: Target event types.
        k: Lengths of lists.
        refit: Whether models are fitted again on training and validation data.
        seed: Seed of everything that is drawn.
        resamples: Number of bootstrap resamples.
        windows: Number of consecutive test windows.
        test_users: Share of the users that is held out.
        fold_in: Share of a held-out user's history that is given to the models.
        test_share: Share of each user's ratings that is the test.
        draw: Whether these ratings are the last ones or drawn at random.
        test_file: Fingerprint of ratings that are the test instead.
        negative: Negative event types, or `answers` alone for impressions without interaction.
        group_by: Field whose values are shown once, "auto" for the one that names an item's
            product: a list has the best item of each, and any item of it is a hit.
    """

    name: Name = "leave-one-out"
    test_days: float | None = None
    seen: Seen | None = None
    goal: tuple[str, ...] = ()
    k: tuple[int, ...] = (5, 10)
    refit: bool = False
    seed: int = bounded_field(0, Limit(least=0))
    resamples: int = bounded_field(1000, Limit(least=1))
    windows: int = 1
    test_users: float = 0.1
    fold_in: float = 0.8
    test_share: float = 0.1
    draw: Literal["random", "last"] = "random"
    test_file: str = ""
    negative: tuple[str, ...] = ()
    group_by: str = ""

    @property
    def ranks(self) -> bool:
        """Whether lists are measured; otherwise predictions are."""
        return self.name in ("leave-one-out", "time", "held-out-users")

    @property
    def of_answers(self) -> bool:
        """Whether negatives are impressions of answers rather than events."""
        return ANSWERS in self.negative

    @property
    def length(self) -> int:
        """Length of the test window in microseconds."""
        return round((self.test_days or 0) * DAY)

    @property
    def hash(self) -> str:
        """12 hexadecimal digits of the SHA-256 of `to_dict` as canonical JSON."""
        return digest(self.to_dict())

    def check(self) -> None:
        """Validate everything that does not depend on data.

        Raises:
            ProtocolError: If an option is out of range or belongs to another protocol.
        """
        _require(
            self.name in NAMES,
            f"unknown protocol {self.name!r}",
            f"there are {', '.join(NAMES)}",
            "protocol",
        )
        _require(
            self.seen in (None, "keep", "remove"),
            f"invalid seen {self.seen!r}",
            "use keep or remove",
            "seen",
        )
        _require(
            bool(self.k) and min(self.k) >= 1,
            f"invalid k {list(self.k)}",
            "expected integers of 1 or more",
            "k",
        )
        _require(
            not self.of_answers or set(self.negative) == {ANSWERS},
            f"{ANSWERS} cannot be combined with other negative event types: "
            f"{', '.join(self.negative)} may describe the same impressions",
            f"--negative {ANSWERS}, or only event types",
            "negative",
        )
        self._check_foreign_options()
        self._check_ranges()

    def resolved(self, dataset: Dataset, recipe: Recipe) -> Protocol:
        """Set everything that was left open.

        Args:
            dataset: The data set to evaluate on.
            recipe: The recipe, whose target events and weights decide an open `goal`.

        Returns:
            The protocol without open options.

        Raises:
            ProtocolError: If the options or the data do not allow the evaluation.
        """
        self.check()
        _require(
            len(dataset.interactions) > 0,
            "the data hold no interactions to evaluate on",
            "plait ingest --home DIR --events FILE imports some",
            "protocol",
        )
        if self.name in ("time", "clicks"):
            _require_times(dataset, self.name)
        settled = replace(self, goal=self.goals(dataset, recipe))
        if self.name == "clicks":
            return settled._with_negatives(dataset)
        if self.name == "ratings":
            return replace(settled, seen="keep", test_days=None)
        if self.name != "time":
            return replace(settled, seen=self.seen or "remove", test_days=None)
        settled = replace(settled, test_days=self._days(dataset))
        if self.seen is None:
            train = dataset.keep(dataset.interactions.times <= settled.cut(dataset))
            seen: Seen = "keep" if repeat_share(train, settled.goal) > REPEATS else "remove"
            settled = replace(settled, seen=seen)
        return settled

    def goals(self, dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
        """Determine the target event types.

        Args:
            dataset: The data set.
            recipe: The recipe.

        Returns:
            Those of the protocol, else of the recipe, else all with a weight above 0; under clicks
            without the negative ones.

        Raises:
            ProtocolError: If a named event type does not occur, or none is left.
        """
        types = _target_types(self.goal, dataset, recipe)
        if self.name != "clicks":
            return types
        named = self.goal or any(name in dataset.event_types for name in recipe.target_events)
        negative = {*(self.negative or NEGATIVES), *(() if named else NEGATIVES)}
        positive = tuple(name for name in types if name not in negative)
        _require(
            bool(positive) or not types,
            f"all target event types are negative ones too: {', '.join(types)}",
            "--goal TYPE, and --negative for other types",
            "goal",
        )
        return positive

    def cut(self, dataset: Dataset, back: int = 1) -> int:
        """Compute when a test window of a resolved protocol begins.

        Args:
            dataset: The data set.
            back: Number of windows before the last event.

        Returns:
            Microseconds; the window holds later events.

        Raises:
            ProtocolError: If nothing is left to fit on.
        """
        times = dataset.interactions.times
        _require(len(times) > 0, "the data hold no interactions to evaluate on", "", "protocol")
        cut = int(times.max()) - back * self.length
        span = (int(times.max()) - int(times.min())) / DAY
        windows = f"{back} test windows" if back > 1 else "a test window"
        _require(
            cut >= int(times.min()),
            f"{windows} of {self.test_days or 0:g} days leave nothing of {span:.1f} days to fit on",
            f"use --test-days below {span / back:.1f}",
            "test_days",
        )
        return cut

    def to_dict(self) -> dict[str, Any]:
        """Return everything that decides a figure, fixed rules included, as JSON holds it.

        Options of other protocols are left out. `held` states that no tested pair of user and item
        is left in train; `taken` states when an impression counts as interacted with.
        """
        fixed = {"ties": "expected", "candidates": "all", "history": "all"}
        options = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name in ALWAYS_HASHED or self.name in PROTOCOLS_WITH.get(name, NAMES)
        }
        if options.get("windows") == 1:
            del options["windows"]  # hashes of a single window are older than the option
        if not options.get("group_by"):
            options.pop("group_by", None)  # hashes without groups are older, too
        if self.test_file:
            options = {
                name: value for name, value in options.items() if name not in ("test_share", "draw")
            }
        if self.name == "ratings":
            fixed["held"] = "pairs"
        if self.of_answers:
            fixed["taken"] = f"by request, else within {ATTRIBUTION_WINDOW / DAY:g} days"
        return {**options, **fixed}

    def _with_negatives(self, dataset: Dataset) -> Protocol:
        """A clicks protocol with everything set."""
        for name in self.negative:
            _require(
                name in dataset.event_types,
                f"unknown event type {name!r}",
                f"there are {', '.join(sorted(dataset.event_types))}; "
                f"--negative {ANSWERS} uses the impressions of a home's answers",
                "negative",
            )
        negative = self.negative or tuple(name for name in NEGATIVES if name in dataset.event_types)
        return replace(
            self, negative=tuple(sorted(set(negative))), seen="keep", test_days=self._days(dataset)
        )

    def _days(self, dataset: Dataset) -> float:
        return round(window(dataset) / DAY, 6) if self.test_days is None else self.test_days

    def _check_foreign_options(self) -> None:
        """Options of other protocols have their default."""
        _require(
            self.seen != "remove" or self.ranks,
            f"{self.name} produces no lists to remove seen items from",
            "leave --seen out",
            "seen",
        )
        for option in fields(self):
            names = PROTOCOLS_WITH.get(option.name, NAMES)
            _require(
                self.name in names or getattr(self, option.name) == option.default,
                REFUSED.get((self.name, option.name), f"{self.name} has no {option.name}"),
                f"--protocol {' or '.join(names)} has it",
                option.name,
            )

    def _check_ranges(self) -> None:
        days = self.test_days
        _require(
            days is None or 0 < days < 40_000,
            f"invalid --test-days {days}",
            "expected days above 0 and below 40,000",
            "test_days",
        )
        _require(
            1 <= self.windows <= 100,
            f"invalid --windows {self.windows}",
            "expected 1 to 100",
            "windows",
        )
        for name in ("fold_in", "test_share", "test_users"):
            share = getattr(self, name)
            _require(
                0 < share < 1, f"invalid {name} {share:g}", "expected a share between 0 and 1", name
            )
        _require(
            self.draw in ("random", "last"),
            f"invalid draw {self.draw!r}",
            "use random or last",
            "draw",
        )


def digest(value: Mapping[str, Any]) -> str:
    """Hash a JSON value.

    Args:
        value: The value.

    Returns:
        12 hexadecimal digits, equal for equal values.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _require(condition: bool, message: str, hint: str, field: str) -> None:
    """ProtocolError unless a condition holds."""
    if not condition:
        raise ProtocolError(message, hint=hint, field=field)


def _require_times(dataset: Dataset, name: str) -> None:
    """Times that differ, so that the data can be cut by time."""
    _require(
        dataset.clock == "time",
        "these interactions have positions and no times, so that they cannot be cut by time",
        "use --protocol leave-one-out",
        "protocol",
    )
    times = dataset.interactions.times
    _require(
        int(times.max()) > int(times.min()),
        f"all interactions have the same time, so that the {name} protocol cannot cut them",
        "use --protocol leave-one-out, or map the column that holds the times",
        "protocol",
    )


def _target_types(goal: tuple[str, ...], dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
    """Event types of `goal`, else of the recipe, else all with a weight above 0."""
    types = tuple(sorted(dataset.event_types))
    listed = f"there are {', '.join(types)}"
    for name in goal:
        _require(name in types, f"unknown event type {name!r}", listed, "goal")
    targets = goal or tuple(name for name in recipe.target_events if name in types)
    weights, default = recipe.event_weights, recipe.event_weights.get("*", 1.0)
    targets = targets or tuple(name for name in types if weights.get(name, default) > 0)
    _require(
        bool(targets) or not types,
        f"the recipe {recipe.name!r} gives no event type a weight above 0",
        listed,
        "goal",
    )
    return tuple(sorted(targets))
