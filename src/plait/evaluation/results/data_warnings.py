"""What a reader should know about the data and the protocol before believing the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from plait.data.types import BoolArray, Dataset, Int32Array, Int64Array
from plait.evaluation.ranking.folds import Fold
from plait.splitting.splits import DAY, LEAST_QUERIES, Split

__all__ = ["OVERLAP", "DataWarning", "few_users", "flags", "sparse_tail_note"]

ORDERED = 0.55
"""Above this share of larger next ids, or of smaller ones, ids give the order away."""

TIED_TIMES = 0.1
"""Above this share of equal times in a row, the order of the log decides."""

OVERLAP = 0.05
"""Above this share of training events behind the median test, leave-one-out sees the future."""

TIED_TARGETS = 0.01
"""Above this share of targets, ties decide."""


FEW = 100
"""Fewer test queries tell models apart only by accident."""


class DataWarning(NamedTuple):
    """A share, whether it is worth a warning, and what it says."""

    name: str
    value: float
    raised: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {**self._asdict(), "value": round(self.value, 6)}


def flags(dataset: Dataset, plans: Sequence[Fold], name: str, tied: float) -> list[DataWarning]:
    """All flags of an evaluation by protocol `name`, over all windows; `tied` is the share of the
    targets that a tie decides, in the row that is believed. What was fitted on is looked at as of
    the last window, which holds that of all others.
    """
    tests, test = [one.test for one in plans], plans[-1].test
    found = [*_id_order(dataset, tests), _decided(tied)]
    if dataset.clock == "time":
        found += _time_ties(dataset, test)
        if name != "time":
            found += [_file_order(dataset, test), _overlap(test, name)]
    if (count := sum(map(len, tests))) < FEW:
        text = f"{count} test queries are few: read the intervals, not the means"
        if count == 1:
            text = "1 test query is few: it has no interval, and says nothing of others"
        found.append(DataWarning("few", float(count), True, text + _why_few(dataset, test, name)))
    return found + _unlearned(plans)


def _unlearned(plans: Sequence[Fold]) -> list[DataWarning]:
    """Whether there is a window whose fusion had too few queries to learn from."""
    few = [one for one in plans if len(one.learn) < LEAST_QUERIES]
    if not few:
        return []
    said = [f"{len(one.learn)}{f' (window {one.window})' * bool(one.window)}" for one in few]
    text = f"{', '.join(said)} queries are too few to learn a fusion from: its defaults stand"
    return [DataWarning("unlearned", float(min(len(one.learn) for one in few)), True, text)]


def few_users(users: Int32Array | Int64Array) -> list[DataWarning]:
    """Whether so few users have something predicted for them that intervals mean little."""
    count = len(np.unique(users))
    if count >= FEW:
        return []
    text = f"all examples are of {count} users, and intervals are drawn over users: few to draw"
    if count == 1:
        text = "all examples are of one user: there is no interval, and it says nothing of others"
    return [DataWarning("few", float(count), True, text)]


def _id_order(dataset: Dataset, tests: Sequence[Split]) -> list[DataWarning]:
    """How often the next item has the larger outside id, in train and at the test position; almost
    never gives the order away as well as almost always.
    """
    ranks = _ranks(dataset.catalogue.ids, dataset.n_items)
    train = tests[-1].train.interactions
    same = train.users[1:] == train.users[:-1]
    in_train = _larger(ranks[train.items[:-1][same]], ranks[train.items[1:][same]])
    before, target = np.concatenate([_steps(one) for one in tests], axis=1)
    at_test = _larger(ranks[before], ranks[target])
    return [
        DataWarning(
            f"id-order-{where}",
            share,
            _ordered(share, chance),
            f"the next item has the {_way(share, chance)} of {what}: a model that reads ids, "
            "or breaks ties by them, is flattered",
        )
        for where, what, (share, chance) in (
            ("train", "training pairs", in_train),
            ("test", "test pairs", at_test),
        )
    ]


def _steps(test: Split) -> Int32Array:
    """int [2, N]: the last item before a query, and what it asks for, where that is one item."""
    seen, targets = test.queries.seen, test.targets
    asked = (seen.lengths > 0) & (targets.lengths == 1)
    before = seen.values[seen.offsets[1:][asked] - 1]
    return np.stack([before, targets.values[targets.offsets[:-1][asked]]])


def _time_ties(dataset: Dataset, test: Split) -> list[DataWarning]:
    """How often times are equal, and how often such events stand in the order of their ids."""
    train = test.train.interactions
    same = train.users[1:] == train.users[:-1]
    equal = same & (train.times[1:] == train.times[:-1])
    tied = _share(equal[same])
    ranks = _ranks(dataset.catalogue.ids, dataset.n_items)
    rising, chance = _larger(ranks[train.items[:-1][equal]], ranks[train.items[1:][equal]])
    return [
        DataWarning(
            "time-ties",
            tied,
            tied > TIED_TIMES,
            f"{tied:.0%} of consecutive events have the same time: their order is that of the log",
        ),
        DataWarning(
            "id-order-ties",
            rising,
            tied > TIED_TIMES and _ordered(rising, chance),
            f"of events with the same time the next has the {_way(rising, chance)}: the file "
            "was sorted by id, and a model that learns the order learns the sorting",
        ),
    ]


def _file_order(dataset: Dataset, test: Split) -> DataWarning:
    """The share of the queries whose first target has the time of the event before it."""
    found = dataset.interactions
    rows = test.queries.seen.lengths > 0
    before = np.searchsorted(found.users, test.users[rows]) + test.queries.seen.lengths[rows] - 1
    share = _share(found.times[before] == test.queries.times[rows])
    return DataWarning(
        "file-order",
        share,
        share > TIED_TIMES,
        f"{share:.0%} of the targets have the time of the event before them: which one is the "
        "target was decided by the order of the file",
    )


def _overlap(test: Split, name: str) -> DataWarning:
    times = test.train.interactions.times
    share = _share(times > np.median(test.queries.times)) if len(test) else 0.0
    return DataWarning(
        "future",
        share,
        share > OVERLAP,
        f"{share:.0%} of the training events lie behind the median test event: {name} "
        "knows the future of others, so read the time protocol beside it",
    )


def sparse_tail_note(times: Int64Array, cut: int) -> str:
    """Whether a test window behind `cut` is empty but for a few last events, far behind the others.

    Times are microseconds in any order; "" if the window is filled as one would expect.
    """
    times = np.sort(times)
    first = int(np.searchsorted(times, cut, side="right"))
    steps = np.diff(times[max(first - 1, 0) :])
    if not len(steps) or 2 * steps.max() <= times[-1] - cut:
        return ""
    count = len(steps) - int(steps.argmax())
    days = np.ceil((times[-1] - times[-count - 1] + times[-1] - cut) / DAY)
    return (
        f"the last {count:,} of {len(times):,} events lie {steps.max() / DAY:,.0f} days behind the "
        "one before them and drew the test window there (an event stamped now on an old log?): "
        f"--test-days {days:.0f} reaches the others"
    )


def _why_few(dataset: Dataset, test: Split, name: str) -> str:
    if name != "time" or not len(test):
        return ""
    found = sparse_tail_note(dataset.interactions.times, int(test.queries.times[0]))
    return f"; {found}" if found else ""


def _decided(share: float) -> DataWarning:
    return DataWarning(
        "ties",
        share,
        share > TIED_TARGETS,
        f"{share:.1%} of the targets stand in a tie that the end of the list cuts",
    )


def _ranks(ids: Sequence[str], size: int) -> Int64Array:
    """The order of outside ids, as numbers where all of them are."""
    listed = list(ids)[:size]
    numeric = all(one.isascii() and one.isdigit() for one in listed)
    order = sorted(range(len(listed)), key=lambda place: _key(listed[place], numeric=numeric))
    ranks = np.zeros(size, np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _key(one: str, *, numeric: bool) -> tuple[int, str]:
    """Numbers of any length by length, then digits; other ids as text."""
    plain = one.lstrip("0") if numeric else one
    return (len(plain) if numeric else 0, plain)


def _larger(before: Int64Array, after: Int64Array) -> tuple[float, float]:
    """The share of pairs that rise, among those that change, and two standard errors of a half."""
    rises = (after > before)[before != after]
    return _share(rises), 1 / math.sqrt(max(len(rises), 1))


def _ordered(rising: float, chance: float) -> bool:
    """Whether so large a share of pairs rises, or falls, that it is no accident."""
    return max(rising, 1 - rising) > max(ORDERED, 0.5 + chance)


def _way(rising: float, chance: float) -> str:
    """How often the next id is the larger one, or the smaller one where ids fall."""
    if rising < 0.5 and _ordered(rising, chance):
        return f"smaller id in {1 - rising:.0%}"
    return f"larger id in {rising:.0%}"


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if len(mask) else 0.0
