"""Splits of a data set: what is fitted on, who is asked, what came true.

Two protocols are built from these: `leave_one_out` asks each user for one event, `time_split` asks
everybody at one moment. Both keep the future out by construction: `train` and the queries hold only
what lay before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from plait.data.catalogue import Catalogue, Column
from plait.data.ragged import Ragged
from plait.data.types import (
    BoolArray,
    Dataset,
    Int32Array,
    Int64Array,
    QueryBatch,
    Triples,
    event_type_weights,
)
from plait.errors import ProtocolError
from plait.splitting.eval_queries import (
    EvalQueries,
    first_seen,
    queries_of,
    target_mask,
    user_item_keys,
)

__all__ = [
    "DAY",
    "LEAST_QUERIES",
    "Seen",
    "Split",
    "alive_items",
    "default_split",
    "leave_one_out",
    "new_items_at",
    "repeat_share",
    "time_split",
    "window",
]

DAY = 86_400_000_000
"""Microseconds."""

LEAST_QUERIES = 20
"""Fewer held-out queries say nothing about a weight."""

Seen = Literal["keep", "remove"]
"""Whether items that a user knows may be answered. None leaves it to the recipe's rules."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """B queries with their targets.

    `train`: what may be fitted on. `asked`: what the live state knows when the queries come, train
    and the items that arrived since. `users` int32 [B]: the number of whoever asks, also if `train`
    does not know them. `excluded`: targets left out because the user had seen them. `new` bool
    [n_items]: items without an event in `train`.
    """

    train: Dataset
    asked: Dataset
    queries: QueryBatch
    targets: Ragged
    users: Int32Array
    excluded: int
    new: BoolArray

    def __len__(self) -> int:
        return len(self.users)


def leave_one_out(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen | None = "remove",
    *,
    goal: tuple[str, ...] = (),
    kinds: Mapping[str, float] | None = None,
    most: int = 0,
    seed: int = 0,
    refit: bool = False,
) -> Split:
    """Each user's last event (`test`), or the one before it (`validation`), from all before it.

    Of users with three or more events of a `goal` kind (any that `kinds` gives a worth above 0);
    `train` is everything before their last two
    and everything of the others, in both folds. At test the history and the seen set hold the
    validation event too. `kinds` weighs the histories; `most` queries are drawn by `seed`. With
    `refit`, for the test fold alone, `train` is everything before the last event.
    """
    found = dataset.interactions
    users, previous, last = _last_two(dataset, goal or _positive(dataset, kinds))
    begins = np.searchsorted(found.users, np.arange(dataset.n_users + 1))
    limit = np.full(dataset.n_users, len(found), np.int64)
    limit[users] = last if refit else previous
    train = dataset.keep(np.arange(len(found)) < limit[found.users])
    places = last if fold == "test" else previous
    kept = np.ones(len(places), np.bool_)
    if seen == "remove":
        kept = first_seen(found, dataset.n_items)[places] == places
    users, places = users[kept], places[kept]
    asks = EvalQueries(
        users,
        begins[users].astype(np.int64),
        places,
        found.times[places] if dataset.clock == "time" else np.zeros(len(places), np.int64),
        Ragged.from_lengths(found.items[places], np.ones(len(places), np.int64)),
    )
    excluded = int((~kept).sum())
    return _split(dataset, alive_items(train), None, asks, (excluded, seen), kinds, (most, seed))


def time_split(
    dataset: Dataset,
    cut: int,
    until: int | None = None,
    seen: Seen | None = "keep",
    *,
    goal: tuple[str, ...] = (),
    kinds: Mapping[str, float] | None = None,
    most: int = 0,
    seed: int = 0,
) -> Split:
    """One query at `cut` (microseconds) for each user who acts after it, at the latest at `until`.

    Targets are the distinct items of `goal` kinds in that window (any that `kinds` gives a worth
    above 0). `train` is what happened at the
    cut or before; items that first appear after it are unknown to `train` and new in `asked`, and
    those that first appear after `until` are unknown to both.
    Raises ProtocolError if the data set has positions instead of times.
    """
    if dataset.clock != "time":
        raise ProtocolError(
            "these interactions have positions and no times, so nothing can be cut by time",
            hint="use --protocol leave-one-out",
            field="protocol",
        )
    found = dataset.interactions
    before = found.times <= cut
    later = ~before & target_mask(dataset, goal or _positive(dataset, kinds))
    if until is not None:
        later &= found.times <= until
    train, asked = new_items_at(dataset, dataset.keep(before), cut, until)
    pairs = np.unique(user_item_keys(found.take(later), dataset.n_items))
    known = np.zeros(len(pairs), np.bool_)
    if seen == "remove":
        known = np.isin(pairs, user_item_keys(train.interactions, dataset.n_items))
    asks = _asks_at(dataset, cut, pairs[~known])
    return _split(dataset, train, asked, asks, (int(known.sum()), seen), kinds, (most, seed))


def window(dataset: Dataset) -> int:
    """How long a held-out window should be: 28 days or a fifth of the span, microseconds."""
    times = dataset.interactions.times
    span = int(times.max() - times.min()) if len(times) else 0
    return min(28 * DAY, span // 5)


def default_split(
    dataset: Dataset,
    *,
    goal: tuple[str, ...] = (),
    kinds: Mapping[str, float] | None = None,
    most: int = 10_000,
    seed: int = 0,
) -> Split:
    """What a production fit learns its fusion on: the last window of a log with times over a week
    or more, else each user's last event but one. Seen items are left to the recipe's rules.
    """
    if dataset.clock == "time" and 5 * window(dataset) >= 7 * DAY:
        cut = int(dataset.interactions.times.max()) - window(dataset)
        found = time_split(dataset, cut, None, None, goal=goal, kinds=kinds, most=most, seed=seed)
        if len(found) >= LEAST_QUERIES:
            return found
    return leave_one_out(dataset, "validation", None, goal=goal, kinds=kinds, most=most, seed=seed)


def repeat_share(dataset: Dataset, goal: tuple[str, ...] = ()) -> float:
    """The share of `goal` events whose item the user had taken before in such an event."""
    found = dataset.interactions.take(target_mask(dataset, goal))
    if not len(found):
        return 0.0
    return 1 - len(np.unique(user_item_keys(found, dataset.n_items))) / len(found)


def _positive(dataset: Dataset, kinds: Mapping[str, float] | None) -> tuple[str, ...]:
    """Without a goal, every kind that is worth something; "" if none is, which matches nothing."""
    worth = event_type_weights(dataset.event_types, kinds or {})
    found = tuple(kind for kind, one in zip(dataset.event_types, worth, strict=True) if one > 0)
    return found or ("",)


def _last_two(dataset: Dataset, goal: tuple[str, ...]) -> tuple[Int32Array, Int64Array, Int64Array]:
    """Users with three goal events or more, and the places of the last but one and the last."""
    places = np.flatnonzero(target_mask(dataset, goal))
    counts = np.bincount(dataset.interactions.users[places], minlength=dataset.n_users)
    ends = np.cumsum(counts)[counts >= 3]
    users = np.flatnonzero(counts >= 3).astype(np.int32)
    return users, places[ends - 2], places[ends - 1]


def _asks_at(dataset: Dataset, cut: int, pairs: Int64Array) -> EvalQueries:
    """From sorted (user, item) keys to one ask a user, each at the cut."""
    found = dataset.interactions
    whose, items = np.divmod(pairs, max(dataset.n_items, 1))
    users, counts = np.unique(whose, return_counts=True)
    begins = np.searchsorted(found.users, users)
    past = np.bincount(found.users[found.times <= cut], minlength=dataset.n_users)
    return EvalQueries(
        users.astype(np.int32),
        begins.astype(np.int64),
        begins + past[users],
        np.full(len(users), cut, np.int64),
        Ragged.from_lengths(items.astype(np.int32), counts),
    )


def _split(
    dataset: Dataset,
    train: Dataset,
    asked: Dataset | None,
    asks: EvalQueries,
    seen: tuple[int, Seen | None],
    kinds: Mapping[str, float] | None,
    sample: tuple[int, int],
) -> Split:
    excluded, rule = seen
    drawn = asks.sampled(*sample)
    keep_seen = None if rule is None else rule == "keep"
    queries = queries_of(dataset, drawn, kinds or {}, keep_seen)
    counts = np.bincount(train.interactions.items, minlength=dataset.n_items)
    return Split(train, asked or train, queries, drawn.targets, drawn.users, excluded, counts == 0)


def alive_items(train: Dataset) -> Dataset:
    """Every item of the catalogue and of the training events is a candidate."""
    there = train.catalogue.alive.copy()
    there[train.interactions.items] = True
    return replace(train, catalogue=replace(train.catalogue, alive=there))


def new_items_at(
    dataset: Dataset, train: Dataset, cut: int, until: int | None = None
) -> tuple[Dataset, Dataset]:
    """`train` without items that first appear behind the cut, and the state in which they are new;
    without those that first appear after `until`, which nobody could know of.

    A log tells when an item was described, which for an imported catalogue is long after its
    events: the first event is the best evidence of when it came. Items that never had one are old.
    """
    first = np.full(dataset.n_items, np.iinfo(np.int64).max)
    found = dataset.interactions
    np.minimum.at(first, found.items, found.times)
    there = np.bincount(found.items, minlength=dataset.n_items) > 0
    late = there & (first > cut)
    unborn = late & (first > until) if until is not None else np.zeros_like(late)
    known = alive_items(train)
    changed = known.catalogue.changed.copy()
    changed[late] = dataset.version + 1
    aware = replace(known, catalogue=replace(known.catalogue, changed=changed))
    return _unaware(known, late), replace(_unaware(aware, unborn), version=dataset.version + 1)


def _unaware(dataset: Dataset, gone: BoolArray) -> Dataset:
    """The data set as if nobody had ever spoken of the items where `gone`."""
    if not gone.any():
        return dataset
    facts = _facts_without(dataset.triples, gone)
    return replace(dataset, catalogue=_without(dataset.catalogue, gone), triples=facts)


def _without(catalogue: Catalogue, gone: BoolArray) -> Catalogue:
    """The catalogue as if the items where `gone` had never been described."""
    columns = {}
    for name, column in catalogue.columns.items():
        empty = Column.missing(column.type, len(catalogue)).values
        columns[name] = Column(column.type, np.where(gone, empty, column.values))
    return replace(
        catalogue,
        alive=catalogue.alive & ~gone,
        changed=np.where(gone, -1, catalogue.changed),
        columns=columns,
    )


def _facts_without(facts: Triples, gone: BoolArray) -> Triples:
    """The facts that touch no item where `gone`."""
    if not len(facts):
        return facts
    banned = np.append(gone, False)
    kept = ~(banned[facts.heads] | banned[facts.tail_items])
    places = np.flatnonzero(kept)
    return Triples(
        facts.heads[kept],
        tuple(facts.relations[one] for one in places),
        tuple(facts.tails[one] for one in places),
        facts.tail_items[kept],
        tuple(facts.head_ids[one] for one in places) if facts.head_ids else (),
    )
