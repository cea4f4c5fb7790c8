"""Splits a data set by a protocol: training, validation and test data of every window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from plait.data.types import Dataset
from plait.evaluation.protocol import Protocol
from plait.splitting.cold_items import cold_items
from plait.splitting.cold_users import cold_users
from plait.splitting.held_out_users import held_out_users
from plait.splitting.own_split import OwnSplit
from plait.splitting.splits import Split, leave_one_out, time_split
from plait.training.pipeline_fit import MakeSplit

__all__ = ["Fold", "make_folds"]

MAX_QUERIES = 10_000
"""Number of queries that a fusion learns from at most."""


class Fold(NamedTuple):
    """The splits of one test window.

    Attributes:
        learn: The validation split, which a fusion may learn from.
        test: The test split.
        refit: Whether models are fitted again on `test.train` once the fusion is learned.
        window: First day of the window, "" if there is only one window.
        ranker_split: Makes the split that a ranker learns from where the models are not fitted
            again: the last event of each user in the training data; None: it learns from `learn`.
    """

    learn: Split
    test: Split
    refit: bool
    window: str = ""
    ranker_split: MakeSplit | None = None


def make_folds(
    dataset: Dataset,
    protocol: Protocol,
    event_weights: Mapping[str, float],
    split: OwnSplit | None = None,
) -> list[Fold]:
    """Split a data set by a resolved protocol that ranks.

    Args:
        dataset: The data set.
        protocol: The protocol.
        event_weights: Weights of event types in histories, as in a recipe.
        split: The parts of one's own split, for the protocol "split".

    Returns:
        One fold for each test window, oldest first.
    """
    options: dict[str, Any] = {
        "target_events": protocol.goal,
        "event_weights": event_weights,
        "seed": protocol.seed,
    }
    if split is not None:
        return [_own_fold(split, protocol, options)]
    if protocol.name == "time":
        windows = range(protocol.windows, 0, -1)
        return [_time_fold(dataset, protocol, back, options) for back in windows]
    if protocol.name in ("cold-items", "cold-users"):
        return [_cold_start_fold(dataset, protocol, options)]
    last_event = {**options, "max_queries": MAX_QUERIES}
    split_off: Callable[..., Split]
    if protocol.name == "leave-one-out":
        split_off = partial(leave_one_out, dataset, seen=protocol.seen, **options)
    else:
        options |= {"test_user_ratio": protocol.test_users, "fold_in_ratio": protocol.fold_in}
        split_off = partial(held_out_users, dataset, seen=protocol.seen or "remove", **options)
    learn = split_off(fold="validation", max_queries=MAX_QUERIES)
    test = split_off(fold="test", refit=protocol.refit)
    if protocol.refit:
        return [Fold(learn, test, refit=True)]
    inner = partial(
        leave_one_out, learn.train, seen=protocol.seen or "remove", refit=True, **last_event
    )
    return [Fold(learn, test, refit=False, ranker_split=inner)]


def _cold_start_fold(dataset: Dataset, protocol: Protocol, options: dict[str, Any]) -> Fold:
    """The fold of new items or users: a fusion learns on others that are as new as the test's."""
    split_off: Callable[..., Split] = partial(cold_items, cold_ratio=protocol.cold)
    if protocol.name == "cold-users":
        events, share = protocol.events, protocol.test_users
        split_off = partial(cold_users, events=events, test_user_ratio=share)
    split_off = partial(split_off, dataset, seen=protocol.seen or "remove", **options)
    learn = split_off(fold="validation", max_queries=MAX_QUERIES)
    return Fold(learn, split_off(fold="test"), refit=True)


def _own_fold(split: OwnSplit, protocol: Protocol, options: dict[str, Any]) -> Fold:
    """The fold of one's own split; without validation data a part of train stands in for them."""
    seen, refit = protocol.seen, protocol.refit or split.validation is None
    last_event = {**options, "max_queries": MAX_QUERIES}
    learn = split.validation_queries(seen, **last_event)
    weights = options["event_weights"]
    test = split.test_queries(seen, target_events=protocol.goal, event_weights=weights, refit=refit)
    if refit:
        return Fold(learn, test, refit=True)
    inner = partial(leave_one_out, learn.train, seen=seen, refit=True, **last_event)
    return Fold(learn, test, refit=False, ranker_split=inner)


def _time_fold(dataset: Dataset, protocol: Protocol, back: int, options: Mapping[str, Any]) -> Fold:
    """The test window that begins `back` windows before the last event."""
    split = partial(time_split, dataset, seen=protocol.seen, **options)
    cut = protocol.cut(dataset, back)
    end = cut + protocol.length if back > 1 else None
    before = cut - protocol.length
    # Without events to fit on there is nothing to learn from: the validation window is empty.
    close = cut if before >= int(dataset.interactions.times.min()) else before
    learn = split(cut=before, until=close, max_queries=MAX_QUERIES)
    day = datetime.fromtimestamp(cut / 1e6, UTC).date().isoformat()
    window = day if protocol.windows > 1 else ""
    return Fold(learn, split(cut=cut, until=end), refit=True, window=window)
