"""What answers showed, and which of it was taken: outcomes that the log itself remembers.

They join a data set as interactions of a kind of their own, for the clicks protocol alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plait.data.types import BoolArray, Dataset, Int32Array, Int64Array, Interactions
from plait.metrics.ties import Doubles
from plait.splitting.eval_queries import target_mask

__all__ = ["ANSWERS", "OTHER", "PATIENCE", "ImpressionItems", "taken_by", "with_impressions"]

ANSWERS = "answers"
"""The kind of interaction that stands for an item in an answer. Its value is how many seconds later
the item was taken, NaN where it never was.
"""

PATIENCE = 86_400_000_000
"""For how many microseconds an event that names no request may be put down to an answer: a day."""

OTHER = -1
"""Instead of an answer: the request that an event names is none of those known."""

_NONE = -2
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class ImpressionItems:
    """M items that answers showed to users, all of them known, no item twice in one answer.

    By item: `answers` int64, the number of its answer from 0 on; `users`, `items` int32; `times`
    int64 microseconds, when it was shown; `versions` int64, the offset of the last event that the
    answer knew of. `naming` and `named`, int64 [R], are the offsets of events that name a request,
    rising, and the number of its answer, `OTHER` where that is none of these.
    """

    answers: Int64Array
    users: Int32Array
    items: Int32Array
    times: Int64Array
    versions: Int64Array
    naming: Int64Array
    named: Int64Array

    def __len__(self) -> int:
        return len(self.items)


def with_impressions(dataset: Dataset, showings: ImpressionItems, goal: tuple[str, ...]) -> Dataset:
    """The data set with one interaction of the kind `ANSWERS` for everything that was shown.

    A `goal` event with any value but 0 takes what it names by its request, whoever asked; where it
    names none, what its user was shown last of the same item in the `PATIENCE` before. An answer
    counts as given no later than any event that names it, as times of events may run behind: else
    the history would hold what is asked for, or a look at it. What was shown after the last event
    is left out, as nobody had the time to take it.
    """
    found = dataset.interactions
    taking = target_mask(dataset, goal) & (found.values != 0)
    taken, times = _matched(found, taking, showings, dataset.n_items)
    seconds = np.where(taken < _NEVER, (taken - times) / 1e6, np.nan).astype(np.float32)
    rows = Interactions(
        showings.users,
        showings.items,
        np.full(len(showings), len(dataset.event_types), np.int16),
        times,
        np.nextafter(seconds, np.float32(0)),  # rounded up, it would not be taken when it was
        np.ones(len(showings), np.float32),
        showings.versions,
    )
    rows = rows.take(times <= found.times.max(initial=-_NEVER))
    return replace(
        dataset, interactions=_merged(found, rows), event_types=(*dataset.event_types, ANSWERS)
    )


def taken_by(found: Interactions, moment: int) -> BoolArray:
    """Which showings were taken at `moment` (microseconds) or before, bool [N]."""
    waited: Doubles = np.nan_to_num(found.values.astype(np.float64), nan=np.inf)
    taken: BoolArray = waited * 1e6 <= (moment - found.times)
    return taken


def _matched(
    found: Interactions, taking: BoolArray, shown: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """By showing, when it was first taken (`_NEVER`), and when its answer was given, int64 [M].

    `taking` [N] says which interactions take.
    """
    answers = _answer_of(found.offsets, shown)
    known = int(max(shown.answers.max(initial=-1), answers.max(initial=-1))) + 1
    given = np.full(known, _NEVER, np.int64)
    np.minimum.at(given, shown.answers, shown.times)
    names = answers >= 0
    np.minimum.at(given, answers[names], found.times[names])
    events, answers = found.take(np.flatnonzero(taking)), answers[taking]
    taken = np.full(len(shown), _NEVER, np.int64)
    for mine, whose in (
        _by_request(events, answers, shown, n_items),
        _by_time(events, answers == _NONE, shown, n_items),
    ):
        np.minimum.at(taken, whose, events.times[mine])
    return taken, given[shown.answers]


def _answer_of(offsets: Int64Array, shown: ImpressionItems) -> Int64Array:
    """The answer that the event at each offset names, `OTHER`, or `_NONE`; int64 [N]."""
    place = np.searchsorted(shown.naming, offsets)
    names = np.append(shown.naming, -1)[place] == offsets
    return np.where(names, np.append(shown.named, _NONE)[place], _NONE)


def _by_request(
    events: Interactions, answers: Int64Array, shown: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """Events that name an answer which shows their item, and the showing of each."""
    keys = shown.answers * n_items + shown.items
    order = np.argsort(keys)
    wanted = answers * n_items + events.items
    place = np.searchsorted(keys[order], wanted)
    found = np.append(keys[order], -1)[place] == wanted
    mine = np.flatnonzero(found & (answers >= 0))
    return mine, order[place[mine]]


def _by_time(
    events: Interactions, asked: BoolArray, shown: ImpressionItems, n_items: int
) -> tuple[Int64Array, Int64Array]:
    """Events where `asked` that follow a showing of their item to their user soon enough, and the
    last such showing of each.
    """
    count = len(shown)
    users = np.concatenate([shown.users, events.users]).astype(np.int64)
    pairs = users * n_items + np.concatenate([shown.items, events.items])
    times = np.concatenate([shown.times, events.times])
    order = np.lexsort((np.arange(len(pairs)) >= count, times, pairs))
    places = np.where(order < count, np.arange(len(order)), -1)
    latest = np.empty(len(order), np.int64)
    latest[order] = np.maximum.accumulate(places)  # where in the order the last showing stands
    mine = np.flatnonzero(asked & (latest[count:] >= 0))
    whose = order[latest[count:][mine]]
    near = pairs[whose] == pairs[count:][mine]
    near &= times[count:][mine] - times[whose] <= PATIENCE
    return mine[near], whose[near]


def _merged(found: Interactions, rows: Interactions) -> Interactions:
    """Both, in the order of a data set."""
    whole = Interactions(
        *(
            np.concatenate([getattr(found, name), getattr(rows, name)])
            for name in Interactions.__slots__
        )
    )
    return whole.take(np.lexsort((whole.offsets, whole.times, whole.users)))
