"""Evaluation protocols: two figures may be compared only if the hashes of their protocols agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from plait.data.types import Dataset
from plait.evaluation.protocol_checks import (
    ALWAYS_HASHED,
    NAMES,
    PRECISION,
    PROTOCOLS_WITH,
    RANKING,
    check_options,
    require,
    require_times,
    sampled_candidates,
    target_types,
)
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.recipe import Recipe
from plait.splitting.click_attribution import ANSWERS, ATTRIBUTION_WINDOW
from plait.splitting.splits import Seen, repeat_share, window
from plait.utils.timestamps import DAY

__all__ = ["NAMES", "PRECISION", "Name", "Protocol", "digest"]

REPEATS = 0.1
"""Above this share of repeats in train, the protocols time and split keep seen items."""

NEGATIVES = ("impression", "shown", "skip", "dislike", "hide")
"""Negative event types of the clicks protocol, unless others are named."""

Name = Literal[
    "leave-one-out",
    "time",
    "held-out-users",
    "cold-items",
    "cold-users",
    "split",
    "ratings",
    "clicks",
]


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
        cold: Share of the items that lose every interaction.
        events: Numbers of events that are known of a new user, a query for each.
        test_share: Share of each user's ratings that is the test.
        draw: Whether these ratings are the last ones or drawn at random.
        test_file: Fingerprint of ratings that are the test instead.
        negative: Negative event types, or `answers` alone for impressions without interaction.
        group_by: Field whose values are shown once, "auto" for the one that names an item's
            product: a list has the best item of each, and any item of it is a hit.
        candidates: "all" items, or "sampled:N": the targets of a query and N items that are drawn
            among those that the user has not seen.
        split_data: Fingerprint of the train, validation and test data of one's own split.
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
    cold: float = 0.1
    events: tuple[int, ...] = (0, 1, 2, 3, 5)
    test_share: float = 0.1
    draw: Literal["random", "last"] = "random"
    test_file: str = ""
    negative: tuple[str, ...] = ()
    group_by: str = ""
    candidates: str = "all"
    split_data: str = ""

    @property
    def ranks(self) -> bool:
        """Whether lists are measured; otherwise predictions are."""
        return self.name in RANKING

    @property
    def n_sampled(self) -> int:
        """How many candidates are drawn for a query beside its targets; 0: all are candidates."""
        return sampled_candidates(self.candidates)

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

    @property
    def comparison_hash(self) -> str:
        """The hash without `k` and `resamples`: runs with the same one can be compared."""
        return digest(
            {name: value for name, value in self.to_dict().items() if name not in PRECISION}
        )

    def check(self) -> None:
        """Validate everything that does not depend on data.

        Raises:
            ProtocolError: If an option is out of range or belongs to another protocol.
        """
        check_options(self)

    def resolved(self, dataset: Dataset, recipe: Recipe) -> Protocol:
        """Set everything that was left open.

        Args:
            dataset: The data set to evaluate on; for one's own split what is known before the
                test.
            recipe: The recipe, whose target events and weights decide an open `goal`.

        Returns:
            The protocol without open options.

        Raises:
            ProtocolError: If the options or the data do not allow the evaluation.
        """
        self.check()
        require(
            len(dataset.interactions) > 0,
            "the data hold no interactions to evaluate on",
            "plait ingest --home DIR --events FILE imports some",
            "protocol",
        )
        if self.name in ("time", "clicks"):
            require_times(dataset, self.name)
        settled = replace(self, goal=self.goals(dataset, recipe))
        if self.name == "clicks":
            return settled._with_negatives(dataset)
        if self.name == "ratings":
            return replace(settled, seen="keep", test_days=None)
        if self.name == "split":
            return replace(settled, seen=self.seen or _seen_rule(dataset, settled.goal))
        if self.name != "time":
            return replace(settled, seen=self.seen or "remove", test_days=None)
        settled = replace(settled, test_days=self._days(dataset))
        if self.seen is None:
            train = dataset.keep(dataset.interactions.times <= settled.cut(dataset))
            settled = replace(settled, seen=_seen_rule(train, settled.goal))
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
        types = target_types(self.goal, dataset, recipe)
        if self.name != "clicks":
            return types
        named = self.goal or any(name in dataset.event_types for name in recipe.target_events)
        negative = {*(self.negative or NEGATIVES), *(() if named else NEGATIVES)}
        positive = tuple(name for name in types if name not in negative)
        require(
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
        require(len(times) > 0, "the data hold no interactions to evaluate on", "", "protocol")
        cut = int(times.max()) - back * self.length
        span = (int(times.max()) - int(times.min())) / DAY
        windows = f"{back} test windows" if back > 1 else "a test window"
        require(
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
        fixed = {"ties": "expected", "history": "all"}
        options = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name in ALWAYS_HASHED or self.name in PROTOCOLS_WITH.get(name, NAMES)
        }
        if options.get("windows") == 1:
            del options["windows"]  # hashes of a single window are older than the option
        if not options.get("group_by"):
            options.pop("group_by", None)  # hashes without groups are older, too
        options.setdefault("candidates", "all")
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
            require(
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


def _seen_rule(train: Dataset, goal: tuple[str, ...]) -> Seen:
    """Whether seen items stay in lists: where people often take the same item again."""
    return "keep" if repeat_share(train, goal) > REPEATS else "remove"


def digest(value: Mapping[str, Any]) -> str:
    """Hash a JSON value.

    Args:
        value: The value.

    Returns:
        12 hexadecimal digits, equal for equal values.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
