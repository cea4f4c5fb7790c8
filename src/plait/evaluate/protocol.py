"""A protocol is a value: printed, hashed, and two numbers compare only if the hashes are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from plait.core.recipe import Recipe
from plait.core.types import Dataset
from plait.errors import ProtocolError
from plait.measure.splits import DAY, Seen, repeat_share, window

__all__ = ["Protocol"]

REPEATS = 0.1
"""Above this share of repeats in train, the time protocol lets seen items come back."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is asked of whom, and how answers are counted.

    `test_days`, `seen` and `goal` may be left open; `resolved` settles them on a data set, and only
    then does the protocol have its hash. `goal`: kinds of interaction that count as success.
    """

    name: Literal["leave-one-out", "time"] = "leave-one-out"
    test_days: float | None = None
    seen: Seen | None = None
    goal: tuple[str, ...] = ()
    k: tuple[int, ...] = (5, 10)
    refit: bool = False
    seed: int = 0
    resamples: int = 1000

    def resolved(self, dataset: Dataset, recipe: Recipe) -> Protocol:
        """The same protocol with nothing left open.

        ProtocolError where the data or the options do not allow it, saying which.
        """
        self._check(dataset)
        goal = _goal(self.goal, dataset, recipe)
        if self.name == "leave-one-out":
            return replace(self, goal=goal, seen=self.seen or "remove", test_days=None)
        days = round(window(dataset) / DAY, 6) if self.test_days is None else self.test_days
        settled = replace(self, goal=goal, test_days=days)
        if self.seen is None:
            train = dataset.keep(dataset.interactions.times <= settled.cut(dataset))
            seen: Seen = "keep" if repeat_share(train, goal) > REPEATS else "remove"
            settled = replace(settled, seen=seen)
        return settled

    def cut(self, dataset: Dataset) -> int:
        """The last event less the days of the test, microseconds; of a resolved time protocol."""
        times = dataset.interactions.times
        if not len(times):
            raise ProtocolError("there are no interactions to evaluate on", field="protocol")
        cut = int(times.max()) - self.length
        if cut < int(times.min()):
            span = (int(times.max()) - int(times.min())) / DAY
            raise ProtocolError(
                f"a test of {self.test_days:g} days leaves nothing of {span:.1f} days to fit on",
                hint=f"give --test-days below {span:.1f}",
                field="test_days",
            )
        return cut

    @property
    def length(self) -> int:
        """How long the test window is, microseconds."""
        return round((self.test_days or 0) * DAY)

    def to_dict(self) -> dict[str, Any]:
        """Everything that decides a number, as JSON carries it; the rules that are fixed, too."""
        fixed = {"ties": "expected", "candidates": "all", "history": "all"}
        listed = {"goal": list(self.goal), "k": list(self.k)}
        return {**asdict(self), **listed, **fixed}

    @property
    def hash(self) -> str:
        """12 hexadecimal digits of the SHA-256 of `to_dict` as canonical JSON."""
        return digest(self.to_dict())

    def _check(self, dataset: Dataset) -> None:
        if self.name not in ("leave-one-out", "time"):
            raise ProtocolError(
                f"no protocol {self.name!r}", hint="there are leave-one-out, time", field="protocol"
            )
        if self.seen not in (None, "keep", "remove"):
            raise ProtocolError(f"seen is {self.seen!r}", hint="say keep or remove", field="seen")
        if not self.k or min(self.k) < 1:
            raise ProtocolError(f"k is {list(self.k)}", hint="numbers from 1 on", field="k")
        if self.name == "leave-one-out" and self.test_days is not None:
            raise ProtocolError(
                "leave-one-out has no test window", hint="use --protocol time", field="test_days"
            )
        if self.name == "time":
            self._check_time(dataset)

    def _check_time(self, dataset: Dataset) -> None:
        if dataset.clock != "time":
            raise ProtocolError(
                "these interactions have positions and no times, so nothing can be cut by time",
                hint="use --protocol leave-one-out",
                field="protocol",
            )
        if self.refit:
            raise ProtocolError(
                "--refit has no meaning under the time protocol",
                hint="its strands are always fitted on everything before the cut",
                field="refit",
            )
        if self.test_days is not None and not 0 < self.test_days < 40_000:
            raise ProtocolError(
                f"--test-days is {self.test_days:g}", hint="give days above 0", field="test_days"
            )


def digest(value: Mapping[str, Any]) -> str:
    """12 hexadecimal digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _goal(wanted: tuple[str, ...], dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
    """The kinds that count: as asked, as the recipe says, else all that are worth something."""
    there = tuple(sorted(dataset.kinds))
    for kind in wanted:
        if kind not in there:
            raise ProtocolError(
                f"no interaction is of kind {kind!r}",
                hint=f"there are {', '.join(there)}",
                field="goal",
            )
    said = wanted or tuple(kind for kind in recipe.goal if kind in there)
    other = recipe.kinds.get("*", 1.0)
    found = said or tuple(kind for kind in there if recipe.kinds.get(kind, other) > 0)
    if not found and there:
        raise ProtocolError(
            f"the recipe {recipe.name!r} gives no kind of interaction a worth above 0",
            hint=f"there are {', '.join(there)}",
            field="goal",
        )
    return tuple(sorted(found))
