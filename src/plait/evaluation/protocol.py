"""A protocol is a value: printed, hashed, and two numbers compare only if the hashes are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.pipeline.recipe import Recipe
from plait.splitting.impressions import ANSWERS, PATIENCE
from plait.splitting.splits import DAY, Seen, repeat_share, window

__all__ = ["NAMES", "Name", "Protocol", "digest"]

REPEATS = 0.1
"""Above this share of repeats in train, the time protocol lets seen items come back."""

NEGATIVES = ("impression", "shown", "skip", "dislike", "hide")
"""Kinds that say no, where the clicks protocol is not told others."""

Name = Literal["leave-one-out", "time", "held-out-users", "ratings", "clicks"]

NAMES: tuple[str, ...] = get_args(Name)

OWN: Mapping[str, tuple[str, ...]] = {
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
}
"""Options that not every protocol has."""

ALWAYS = ("test_days", "refit")
"""Of these, what is hashed whether the protocol has it or not."""

REFUSED = {
    ("leave-one-out", "test_days"): "leave-one-out has no test window",
    ("time", "refit"): "--refit has no meaning under the time protocol: its strands are always "
    "fitted on everything before the cut",
}


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is asked of whom, and how answers are counted.

    `test_days`, `seen` and `goal` may be left open; `resolved` settles them on a data set, and only
    then does the protocol have its hash. `goal`: kinds of interaction that count as success.
    `windows`: how many test windows, one behind the other. `test_users`, `fold_in`: which share of
    the users is held out, and which share of their history is folded in. `test_share`, `draw`:
    which share of each user's ratings is the test, the last ones or any; `test_file`: the hash of
    the ratings that were given instead. `negative`: kinds that say no, or `answers` alone, which
    stands for what answers showed and nobody took.
    """

    name: Name = "leave-one-out"
    test_days: float | None = None
    seen: Seen | None = None
    goal: tuple[str, ...] = ()
    k: tuple[int, ...] = (5, 10)
    refit: bool = False
    seed: int = 0
    resamples: int = 1000
    windows: int = 1
    test_users: float = 0.1
    fold_in: float = 0.8
    test_share: float = 0.1
    draw: Literal["random", "last"] = "random"
    test_file: str = ""
    negative: tuple[str, ...] = ()

    @property
    def ranks(self) -> bool:
        """Whether lists are measured; else predictions are."""
        return self.name in ("leave-one-out", "time", "held-out-users")

    def check(self) -> None:
        """What can be refused before any data are read; ProtocolError names it."""
        if self.name not in NAMES:
            raise ProtocolError(
                f"no protocol {self.name!r}",
                hint=f"there are {', '.join(NAMES)}",
                field="protocol",
            )
        if self.seen not in (None, "keep", "remove"):
            raise ProtocolError(f"seen is {self.seen!r}", hint="say keep or remove", field="seen")
        if not self.k or min(self.k) < 1:
            raise ProtocolError(f"k is {list(self.k)}", hint="numbers from 1 on", field="k")
        if self.of_answers and set(self.negative) != {ANSWERS}:
            raise ProtocolError(
                f"{ANSWERS} stands alone: {', '.join(self.negative)} may tell of the same showing",
                hint=f"--negative {ANSWERS}, or only kinds of events",
                field="negative",
            )
        self._check_own()
        self._check_sizes()

    def resolved(self, dataset: Dataset, recipe: Recipe) -> Protocol:
        """The same protocol with nothing left open.

        ProtocolError where the data or the options do not allow it, saying which.
        """
        self.check()
        if not len(dataset.interactions):
            raise ProtocolError(
                "there are no interactions to evaluate on",
                hint="plait ingest --home DIR --events FILE brings some",
                field="protocol",
            )
        if self.name in ("time", "clicks"):
            _check_clock(dataset, self.name)
        goal = self.goals(dataset, recipe)
        if self.name == "clicks":
            return self._clicks(dataset, goal)
        if self.name == "ratings":
            return replace(self, goal=goal, seen="keep", test_days=None)
        if self.name != "time":
            return replace(self, goal=goal, seen=self.seen or "remove", test_days=None)
        settled = replace(self, goal=goal, test_days=self._days(dataset))
        if self.seen is None:
            train = dataset.keep(dataset.interactions.times <= settled.cut(dataset))
            seen: Seen = "keep" if repeat_share(train, goal) > REPEATS else "remove"
            settled = replace(settled, seen=seen)
        return settled

    def goals(self, dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
        """The kinds that count as success: as asked, as the recipe says, else all that are worth
        something; under clicks without those that say no. ProtocolError where there are none.
        """
        found = _goal(self.goal, dataset, recipe)
        if self.name != "clicks":
            return found
        said = self.goal or any(one in dataset.event_types for one in recipe.target_events)
        no = {*(self.negative or NEGATIVES), *(() if said else NEGATIVES)}
        yes = tuple(one for one in found if one not in no)
        if found and not yes:
            raise ProtocolError(
                f"no kind of interaction is a click: {', '.join(found)} say no",
                hint="--goal KIND, and --negative for other kinds",
                field="goal",
            )
        return yes

    @property
    def of_answers(self) -> bool:
        """Whether outcomes are those of what answers showed."""
        return ANSWERS in self.negative

    def cut(self, dataset: Dataset, back: int = 1) -> int:
        """The last event less the days of `back` test windows, microseconds; of a resolved time
        protocol.
        """
        times = dataset.interactions.times
        if not len(times):
            raise ProtocolError("there are no interactions to evaluate on", field="protocol")
        cut = int(times.max()) - back * self.length
        if cut < int(times.min()):
            span = (int(times.max()) - int(times.min())) / DAY
            many = (
                f"{back} tests of {self.test_days:g} days leave"
                if back > 1
                else (f"a test of {self.test_days:g} days leaves")
            )
            raise ProtocolError(
                f"{many} nothing of {span:.1f} days to fit on",
                hint=f"give --test-days below {span / back:.1f}",
                field="test_days",
            )
        return cut

    @property
    def length(self) -> int:
        """How long the test window is, microseconds."""
        return round((self.test_days or 0) * DAY)

    def to_dict(self) -> dict[str, Any]:
        """Everything that decides a number, as JSON carries it; the rules that are fixed, too.

        Under ratings `held` says that nothing of a tested pair of user and item is left in train;
        with answers `taken` says when something counts as taken from one.

        Options of other protocols are left out.
        """
        fixed = {"ties": "expected", "candidates": "all", "history": "all"}
        plain = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if name in ALWAYS or self.name in OWN.get(name, NAMES)
        }
        if plain.get("windows") == 1:
            del plain["windows"]  # one window is what there was before there were several
        if self.test_file:
            plain = {name: value for name, value in plain.items() if name not in _DRAWN}
        if self.name == "ratings":
            fixed["held"] = "pairs"
        if self.of_answers:
            fixed["taken"] = f"by request, else within {PATIENCE / DAY:g} days"
        return {**plain, **fixed}

    @property
    def hash(self) -> str:
        """12 hexadecimal digits of the SHA-256 of `to_dict` as canonical JSON."""
        return digest(self.to_dict())

    def _clicks(self, dataset: Dataset, goal: tuple[str, ...]) -> Protocol:
        for kind in self.negative:
            if kind not in dataset.event_types:
                raise ProtocolError(
                    f"no interaction is of kind {kind!r}",
                    hint=f"there are {', '.join(sorted(dataset.event_types))}; "
                    f"--negative {ANSWERS} is what the answers of a home showed",
                    field="negative",
                )
        there = self.negative or tuple(one for one in NEGATIVES if one in dataset.event_types)
        days = self._days(dataset)
        return replace(
            self, goal=goal, negative=tuple(sorted(set(there))), seen="keep", test_days=days
        )

    def _days(self, dataset: Dataset) -> float:
        return round(window(dataset) / DAY, 6) if self.test_days is None else self.test_days

    def _check_own(self) -> None:
        """No option of another protocol is set."""
        if self.seen == "remove" and not self.ranks:
            raise ProtocolError(
                f"{self.name} makes no lists that seen items could be taken out of",
                hint="leave --seen out",
                field="seen",
            )
        for one in fields(self):
            if self.name in OWN.get(one.name, NAMES) or getattr(self, one.name) == one.default:
                continue
            said = REFUSED.get((self.name, one.name), f"{self.name} has no {one.name}")
            raise ProtocolError(
                said,
                hint=f"--protocol {' or '.join(OWN[one.name])} has it",
                field=one.name,
            )

    def _check_sizes(self) -> None:
        if self.test_days is not None and not 0 < self.test_days < 40_000:
            raise ProtocolError(
                f"--test-days is {self.test_days:g}", hint="give days above 0", field="test_days"
            )
        if not 1 <= self.windows <= 100:
            raise ProtocolError(f"--windows is {self.windows}", hint="from 1 on", field="windows")
        for name in ("fold_in", "test_share", "test_users"):
            share = getattr(self, name)
            if not 0 < share < 1:
                raise ProtocolError(
                    f"{name} is {share:g}", hint="a share between 0 and 1", field=name
                )
        if self.draw not in ("random", "last"):
            raise ProtocolError(f"draw is {self.draw!r}", hint="say random or last", field="draw")


_DRAWN = ("test_share", "draw")


def digest(value: Mapping[str, Any]) -> str:
    """12 hexadecimal digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _check_clock(dataset: Dataset, name: str) -> None:
    if dataset.clock != "time":
        raise ProtocolError(
            "these interactions have positions and no times, so nothing can be cut by time",
            hint="use --protocol leave-one-out",
            field="protocol",
        )
    if not int(dataset.interactions.times.max()) > int(dataset.interactions.times.min()):
        raise ProtocolError(
            f"all interactions have the same time, so the {name} protocol has nothing to cut",
            hint="use --protocol leave-one-out, or map the column that holds the times",
            field="protocol",
        )


def _goal(wanted: tuple[str, ...], dataset: Dataset, recipe: Recipe) -> tuple[str, ...]:
    """The kinds that count: as asked, as the recipe says, else all that are worth something."""
    there = tuple(sorted(dataset.event_types))
    for kind in wanted:
        if kind not in there:
            raise ProtocolError(
                f"no interaction is of kind {kind!r}",
                hint=f"there are {', '.join(there)}",
                field="goal",
            )
    said = wanted or tuple(kind for kind in recipe.target_events if kind in there)
    other = recipe.event_weights.get("*", 1.0)
    found = said or tuple(kind for kind in there if recipe.event_weights.get(kind, other) > 0)
    if not found and there:
        raise ProtocolError(
            f"the recipe {recipe.name!r} gives no kind of interaction a worth above 0",
            hint=f"there are {', '.join(there)}",
            field="goal",
        )
    return tuple(sorted(found))
