"""Warnings about properties of the data and the protocol that distort the figures of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.dataset import ranking_target_mask, target_mask
from plait.data.types import Dataset
from plait.evaluation.ranking.folds import Fold
from plait.splitting.splits import MIN_QUERIES, Split
from plait.utils.timestamps import DAY

__all__ = ["FEW", "OVERLAP", "DataWarning", "data_warnings", "few_users", "sparse_tail_note"]

ORDERED = 0.55
"""Above this share of larger, or of smaller, next ids the ids reveal the order of events."""

TIED_TIMES = 0.1
"""Above this share of equal consecutive times the order of the log decides."""

OVERLAP = 0.05
"""Above this share of training events after the median test event, the future leaks into train."""

TIED_TARGETS = 0.01
"""Above this share of targets, ties decide."""

FEW = 100
"""With fewer test queries, models differ by accident."""


class DataWarning(NamedTuple):
    """A measured property of the data and whether it calls for a warning.

    Attributes:
        name: Identifier of the warning.
        value: The measured share or count.
        raised: Whether the value calls for a warning.
        text: The warning in words.
    """

    name: str
    value: float
    raised: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        """Return the warning as JSON holds it."""
        return {**self._asdict(), "value": round(self.value, 6)}


def data_warnings(
    dataset: Dataset,
    folds: Sequence[Fold],
    protocol_name: str,
    tied: float,
    goal: tuple[str, ...] = (),
) -> list[DataWarning]:
    """Check the data of an evaluation that ranks, over all its windows.

    Training data are those of the last window, which contain those of all others.

    Args:
        dataset: The whole data set.
        folds: Folds of the evaluation, oldest first.
        protocol_name: Name of the protocol.
        tied: Share of the targets that ties decide, in the row with most of them.
        goal: Target event types; none: all.

    Returns:
        All checks, raised or not.
    """
    tests, test = [fold.test for fold in folds], folds[-1].test
    warnings = _id_order(dataset, tests)
    warnings.append(
        DataWarning(
            "ties",
            tied,
            tied > TIED_TARGETS,
            f"{tied:.1%} of the targets are in a tie that the end of the list cuts",
        )
    )
    warnings += _uncatalogued(dataset, goal)
    if dataset.clock == "time":
        warnings += _time_ties(dataset, test)
        if protocol_name != "time":
            warnings += [_file_order(dataset, test), _overlap(test, protocol_name)]
    if (count := sum(map(len, tests))) < FEW:
        text = f"{count} test queries are few: read the intervals, not the means"
        if count == 1:
            text = "1 test query is few: it has no interval and does not generalise"
        if protocol_name == "time" and len(test):
            tail = sparse_tail_note(dataset.interactions.times, int(test.queries.times[0]))
            text += f"; {tail}" * bool(tail)
        warnings.append(DataWarning("few", float(count), True, text))
    return warnings + _unlearned(folds)


def _uncatalogued(dataset: Dataset, goal: tuple[str, ...]) -> list[DataWarning]:
    """The share of the target events whose items no catalogue names; nothing if there are none."""
    n_events = int(np.count_nonzero(target_mask(dataset, goal)))
    share = 1 - np.count_nonzero(ranking_target_mask(dataset, goal)) / max(n_events, 1)
    if not n_events or not share:
        return []
    text = f"{share:.1%} of the target events name items that no catalogue has: they are no targets"
    return [DataWarning("uncatalogued", share, True, text)]


def few_users(users: Int32Array | Int64Array) -> list[DataWarning]:
    """Check whether the examples come from enough users for intervals to mean something.

    Args:
        users: int [N], the user number of every example.

    Returns:
        A warning if there are fewer than 100 users, else nothing.
    """
    count = len(np.unique(users))
    if count >= FEW:
        return []
    text = f"all examples are of {count} users: too few for reliable intervals over users"
    if count == 1:
        text = "all examples are of one user: there is no interval and it does not generalise"
    return [DataWarning("few", float(count), True, text)]


def sparse_tail_note(times: Int64Array, cut: int) -> str:
    """Explain a test window that holds only a few events far after all others.

    Args:
        times: int64 [N], event times in microseconds, in any order.
        cut: Begin of the test window, microseconds.

    Returns:
        One line with the number of days that would reach the other events; "" if the window is
        filled evenly.
    """
    times = np.sort(times)
    first = int(np.searchsorted(times, cut, side="right"))
    steps = np.diff(times[max(first - 1, 0) :])
    if not len(steps) or 2 * steps.max() <= times[-1] - cut:
        return ""
    count = len(steps) - int(steps.argmax())
    days = np.ceil((times[-1] - times[-count - 1] + times[-1] - cut) / DAY)
    return (
        f"the last {count:,} of {len(times):,} events are {steps.max() / DAY:,.0f} days later than "
        "the one before them and move the test window there (an event stamped now on an old log?): "
        f"--test-days {days:.0f} reaches the others"
    )


def _unlearned(folds: Sequence[Fold]) -> list[DataWarning]:
    """A warning if the fusion of a window had too few queries to learn from."""
    few = [fold for fold in folds if len(fold.learn) < MIN_QUERIES]
    if not few:
        return []
    counts = [
        f"{len(fold.learn)} (window {fold.window})" if fold.window else f"{len(fold.learn)}"
        for fold in few
    ]
    text = f"{', '.join(counts)} queries are too few to learn a fusion from: its defaults are used"
    return [DataWarning("unlearned", float(min(len(fold.learn) for fold in few)), True, text)]


def _id_order(dataset: Dataset, tests: Sequence[Split]) -> list[DataWarning]:
    """How often the next item has the larger external id, in train and at the test position."""
    ranks = _id_ranks(dataset.catalogue.ids, dataset.n_items)
    train = tests[-1].train.interactions
    same_user = train.users[1:] == train.users[:-1]
    before, target = np.concatenate([_last_steps(test) for test in tests], axis=1)
    pairs = {
        "train": (train.items[:-1][same_user], train.items[1:][same_user], "training pairs"),
        "test": (before, target, "test pairs"),
    }
    warnings = []
    for name, (first, second, subject) in pairs.items():
        share, error = _rising_share(ranks[first], ranks[second])
        text = (
            f"the next item has the {_direction(share, error)} of {subject}: a model that uses "
            "ids, or breaks ties by them, scores too high"
        )
        warnings.append(DataWarning(f"id-order-{name}", share, _is_ordered(share, error), text))
    return warnings


def _last_steps(test: Split) -> Int32Array:
    """int32 [2, N]: the last item before a query and its target, of queries with one target."""
    seen, targets = test.queries.seen, test.targets
    usable = (seen.lengths > 0) & (targets.lengths == 1)
    before = seen.values[seen.offsets[1:][usable] - 1]
    return np.stack([before, targets.values[targets.offsets[:-1][usable]]])


def _time_ties(dataset: Dataset, test: Split) -> list[DataWarning]:
    """How often consecutive times are equal, and how often such events are sorted by id."""
    train = test.train.interactions
    same_user = train.users[1:] == train.users[:-1]
    equal = same_user & (train.times[1:] == train.times[:-1])
    tied = _share(equal[same_user])
    ranks = _id_ranks(dataset.catalogue.ids, dataset.n_items)
    share, error = _rising_share(ranks[train.items[:-1][equal]], ranks[train.items[1:][equal]])
    return [
        DataWarning(
            "time-ties",
            tied,
            tied > TIED_TIMES,
            f"{tied:.0%} of consecutive events have the same time: their order is that of the log",
        ),
        DataWarning(
            "id-order-ties",
            share,
            tied > TIED_TIMES and _is_ordered(share, error),
            f"of events with the same time the next has the {_direction(share, error)}: the file "
            "was sorted by id, and a model that learns the order learns the sorting",
        ),
    ]


def _file_order(dataset: Dataset, test: Split) -> DataWarning:
    """The share of the queries whose first target has the time of the event before it."""
    events = dataset.interactions
    usable = test.queries.seen.lengths > 0
    starts = np.searchsorted(events.users, test.users[usable])
    before = starts + test.queries.seen.lengths[usable] - 1
    share = _share(events.times[before] == test.queries.times[usable])
    return DataWarning(
        "file-order",
        share,
        share > TIED_TIMES,
        f"{share:.0%} of the targets have the time of the event before them: the order of the "
        "file decides which of them is the target",
    )


def _overlap(test: Split, protocol_name: str) -> DataWarning:
    """The share of the training events after the median test event."""
    times = test.train.interactions.times
    share = _share(times > np.median(test.queries.times)) if len(test) else 0.0
    return DataWarning(
        "future",
        share,
        share > OVERLAP,
        f"{share:.0%} of the training events are later than the median test event: "
        f"{protocol_name} trains on the future of other users; run the time protocol as well",
    )


def _id_ranks(ids: Sequence[str], size: int) -> Int64Array:
    """int64 [size]: ranks of external ids, as numbers where all of them are numbers."""
    external_ids = list(ids)[:size]
    numeric = all(item_id.isascii() and item_id.isdigit() for item_id in external_ids)

    def sort_key(number: int) -> tuple[int, str]:
        if not numeric:
            return 0, external_ids[number]
        digits = external_ids[number].lstrip("0")  # numbers of any length: by length, then digits
        return len(digits), digits

    ranks = np.zeros(size, np.int64)
    ranks[sorted(range(len(external_ids)), key=sort_key)] = np.arange(len(external_ids))
    return ranks


def _rising_share(before: Int64Array, after: Int64Array) -> tuple[float, float]:
    """The share of unequal pairs that rise, and two standard errors of a half."""
    rises = (after > before)[before != after]
    return _share(rises), 1 / math.sqrt(max(len(rises), 1))


def _is_ordered(share: float, error: float) -> bool:
    """Whether pairs rise, or fall, more often than by chance."""
    return max(share, 1 - share) > max(ORDERED, 0.5 + error)


def _direction(share: float, error: float) -> str:
    """How often the next id is larger, or smaller where ids fall."""
    if share < 0.5 and _is_ordered(share, error):
        return f"smaller id in {1 - share:.0%}"
    return f"larger id in {share:.0%}"


def _share(mask: BoolArray) -> float:
    return float(mask.mean()) if len(mask) else 0.0
