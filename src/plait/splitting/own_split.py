"""A split of one's own: training, validation and test data instead of one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from plait.data.array_types import BoolArray, Int64Array
from plait.data.dataset import Dataset, Interactions, ranking_target_mask, user_item_keys
from plait.data.ragged import Ragged
from plait.errors import InputError
from plait.splitting.eval_queries import EvalQueries
from plait.splitting.known_items import alive_items
from plait.splitting.splits import (
    Seen,
    Split,
    last_window_split,
    leave_one_out,
    window,
)

__all__ = ["OwnSplit", "joined"]


@dataclass(frozen=True, slots=True, eq=False)
class OwnSplit:
    """Three data sets with the same numbers of users, items and event types.

    Attributes:
        train: The data to fit on.
        test: The interactions to predict.
        validation: The interactions that early stopping and fusion learn from; None: a part of
            `train`.
    """

    train: Dataset
    test: Dataset
    validation: Dataset | None = None

    def __post_init__(self) -> None:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, part in parts.items():
            if part is None:
                continue
            if not len(part.interactions):
                raise InputError(
                    f"{name} holds no interactions", hint="pass a table with rows", field=name
                )
            is_aligned = (
                tuple(part.users.ids) == tuple(self.train.users.ids)
                and tuple(part.catalogue.ids) == tuple(self.train.catalogue.ids)
                and part.event_types == self.train.event_types
            )
            if not is_aligned:
                raise InputError(
                    f"{name} has other users, items or event types than train",
                    hint="split one data set, or pass the tables to Workspace.evaluate",
                    field=name,
                )

    @property
    def known(self) -> Dataset:
        """What is known when the test queries are made: train and validation data."""
        return self.train if self.validation is None else joined(self.train, self.validation)

    def keep_users(self, users: BoolArray) -> OwnSplit:
        """Keep the interactions of some users, in all parts.

        Args:
            users: bool [n_users].
        """

        def keep(part: Dataset) -> Dataset:
            return part.keep(users[part.interactions.users])

        validation = None if self.validation is None else keep(self.validation)
        return OwnSplit(keep(self.train), keep(self.test), validation)

    def test_queries(
        self,
        seen: Seen | None,
        *,
        target_events: tuple[str, ...] = (),
        event_weights: Mapping[str, float] | None = None,
        refit: bool = False,
    ) -> Split:
        """Make a query for each user of the test data.

        The history of a query is everything of the user in the train and validation data, its time
        that of the last event of the history or, if later, of the user's first test event.

        Args:
            seen: "remove" drops targets that the user has interacted with before.
            target_events: Target event types; none: all.
            event_weights: Weights of the histories by event type.
            refit: Whether models may be fitted on the validation data too.

        Returns:
            The split; `train` is the training data, under `refit` with the validation data.
        """
        known = self.known
        train = known if refit else self.train
        return _queries_for(known, train, self.test, seen, target_events, event_weights)

    def validation_queries(
        self,
        seen: Seen | None,
        *,
        target_events: tuple[str, ...] = (),
        event_weights: Mapping[str, float] | None = None,
        max_queries: int = 0,
        seed: int = 0,
    ) -> Split:
        """Make a query for each user of the validation data.

        Without validation data they are held out from the training data in the way of the test: a
        last window of time if all of the test is later than the training data, else the last event
        of each user.

        Args:
            seen: "remove" drops targets that the user has interacted with before.
            target_events: Target event types; none: all.
            event_weights: Weights of the histories by event type.
            max_queries: How many queries are drawn; 0: all.
            seed: Seeds the draw.

        Returns:
            The split.
        """
        train = self.train
        if self.validation is not None:
            return _queries_for(
                train, train, self.validation, seen, target_events, event_weights, max_queries, seed
            )
        is_timed = self.test.clock == train.clock == "time"
        test_times, train_times = self.test.interactions.times, train.interactions.times
        if is_timed and test_times.min() >= train_times.max() and window(train) > 0:
            split = last_window_split(
                train,
                seen,
                target_events=target_events,
                event_weights=event_weights,
                max_queries=max_queries,
                seed=seed,
            )
            if split is not None:
                return split
        return leave_one_out(
            train,
            "test",
            seen,
            target_events=target_events,
            event_weights=event_weights,
            max_queries=max_queries,
            seed=seed,
            refit=True,
        )


def joined(first: Dataset, second: Dataset) -> Dataset:
    """Put the interactions of two data sets with the same numbers together.

    Args:
        first: The earlier part: at equal times its interactions come first.
        second: The later part. Without times all of its interactions come later.

    Returns:
        `first` with the interactions of both, ordered by user and time.
    """
    before, after = first.interactions, second.interactions
    columns = {
        name: np.concatenate([getattr(before, name), getattr(after, name)])
        for name in Interactions.__slots__
    }
    shift = int(before.offsets.max(initial=0)) + 1
    columns["offsets"] = np.concatenate([before.offsets, after.offsets + shift])
    part = np.repeat([0, 1], [len(before), len(after)])
    has_times = first.clock == second.clock == "time"
    keys = (part, columns["times"]) if has_times else (columns["times"], part)
    order = np.lexsort((columns["offsets"], *keys, columns["users"]))
    rows = Interactions(**{name: column[order] for name, column in columns.items()})
    if not has_times:
        starts = np.searchsorted(rows.users, rows.users)
        rows = replace(rows, times=(np.arange(len(rows)) - starts).astype(np.int64))
    return replace(first, interactions=rows, clock="time" if has_times else "position")


def _queries_for(
    known: Dataset,
    train: Dataset,
    targets: Dataset,
    seen: Seen | None,
    target_events: tuple[str, ...],
    event_weights: Mapping[str, float] | None,
    max_queries: int = 0,
    seed: int = 0,
) -> Split:
    """A query for each user of `targets` with the history in `known`."""
    events = targets.interactions.take(ranking_target_mask(targets, target_events))
    keys = np.unique(user_item_keys(events, known.n_items))
    is_seen = np.zeros(len(keys), np.bool_)
    if seen == "remove":
        is_seen = np.isin(keys, user_item_keys(known.interactions, known.n_items))
    users, items = np.divmod(keys[~is_seen], max(known.n_items, 1))
    users, counts = np.unique(users, return_counts=True)
    starts, stops = (
        np.searchsorted(known.interactions.users, users, side) for side in ("left", "right")
    )
    eval_queries = EvalQueries(
        users.astype(np.int32),
        starts.astype(np.int64),
        stops.astype(np.int64),
        _query_times(known, events, users, stops, counts=stops - starts),
        Ragged.from_lengths(items.astype(np.int32), counts.astype(np.int64)),
    ).sampled(max_queries, seed)
    fitted_on, asked = alive_items(train), alive_items(known)
    is_new = asked.catalogue.alive & ~fitted_on.catalogue.alive
    changed = np.where(is_new, known.version + 1, asked.catalogue.changed)
    catalogue = replace(asked.catalogue, changed=changed)
    query_time_data = replace(
        fitted_on, catalogue=catalogue, version=known.version + int(is_new.any())
    )
    return Split.of(
        known,
        fitted_on,
        query_time_data,
        eval_queries,
        event_weights,
        seen=seen,
        excluded=int(is_seen.sum()),
    )


def _query_times(
    known: Dataset, events: Interactions, users: Int64Array, stops: Int64Array, counts: Int64Array
) -> Int64Array:
    """int64 [B]: the last event of each history or, if later, the user's first target event."""
    if known.clock != "time":
        return np.zeros(len(users), np.int64)
    first = events.times[np.searchsorted(events.users, users)]
    last = np.full(len(users), np.iinfo(np.int64).min)
    last[counts > 0] = known.interactions.times[stops[counts > 0] - 1]
    times: Int64Array = np.maximum(first, last)
    return times
