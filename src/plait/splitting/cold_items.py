"""New items under control: drawn items lose every interaction, and targets show who finds them.

A cold item has its fields and no interaction, as an item that was put a moment ago. Models are
fitted without it; at query time it is in the catalogue, and it is ranked among all other items.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from plait.data.array_types import ABSENT, BoolArray
from plait.data.dataset import Dataset, ranking_target_mask
from plait.errors import ProtocolError
from plait.splitting.known_items import without_items
from plait.splitting.splits import Seen, Split, leave_one_out

__all__ = ["cold_items"]


def cold_items(
    dataset: Dataset,
    fold: Literal["test", "validation"] = "test",
    seen: Seen = "remove",
    *,
    cold_ratio: float = 0.1,
    target_events: tuple[str, ...] = (),
    seed: int = 0,
    **options: Any,
) -> Split:
    """Split off the last target event of each user, and every interaction of drawn items.

    The test fold trains on everything before the last target events. The validation fold knows
    nothing of the cold items of the test, and draws as many others: a fusion that learns on it
    learns how new items are to be ranked.

    Args:
        dataset: the data set.
        fold: "test" or "validation".
        seen: "remove" drops targets that the user has interacted with before. Items that a user
            has seen are known even if they are cold.
        cold_ratio: the share of the items with target events that is cold in each fold, drawn
            from the items in the order of their first event.
        target_events: target event types; none: all.
        seed: seeds the draws of items and queries.
        options: what else `leave_one_out` takes: `event_weights` and `max_queries`.

    Returns:
        The split, with `cold`.

    Raises:
        ProtocolError: if no items are left to test, to learn from or to fit.
    """
    drawn = _draw_items(dataset, cold_ratio, target_events, seed)
    cold = drawn[fold]
    if fold == "validation":
        unknown = drawn["test"]
        known = dataset.keep(~unknown[dataset.interactions.items])
        dataset = without_items(known, unknown)
    split = leave_one_out(
        dataset, fold, seen, target_events=target_events, seed=seed, refit=True, **options
    )
    warm_events = split.train.keep(~cold[split.train.interactions.items])
    version = dataset.version + 1
    catalogue = warm_events.catalogue
    changed = np.where(cold, version, catalogue.changed)
    asked = replace(warm_events, catalogue=replace(catalogue, changed=changed), version=version)
    counts = np.bincount(warm_events.interactions.items, minlength=dataset.n_items)
    return replace(
        split,
        train=without_items(warm_events, cold),
        query_time_data=asked,
        queries=_without_cold_events(split, cold),
        new=counts == 0,
        cold=cold,
    )


def _without_cold_events(split: Split, cold: BoolArray) -> Any:
    """The queries without the events of cold items; what users have seen stays as it is."""
    queries = split.queries
    events = queries.events
    assert events is not None
    events = events.filter(~cold[events.items])
    return replace(
        queries,
        users=np.where(events.lengths > 0, queries.users, ABSENT).astype(np.int32),
        history=queries.history.filter(~cold[queries.history.items]),
        rejected=queries.rejected.filter(~cold[queries.rejected.values]),
        events=events,
    )


def _draw_items(
    dataset: Dataset, share: float, target_events: tuple[str, ...], seed: int
) -> dict[str, BoolArray]:
    """The cold items of both folds, bool [n_items] each."""
    interactions = dataset.interactions
    targets = interactions.items[ranking_target_mask(dataset, target_events)]
    eligible = np.unique(targets)
    size = round(share * len(eligible))
    if not size or 2 * size >= len(eligible):
        raise ProtocolError(
            f"{share:g} of the {len(eligible)} items with events are {size} for each of test and "
            f"validation, which leaves {max(len(eligible) - 2 * size, 0)} to fit on: all three "
            "need items",
            hint="give another --cold, or ingest more events",
            field="cold",
        )
    first = np.full(dataset.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, interactions.items, interactions.offsets)
    in_log_order = eligible[np.argsort(first[eligible])]
    drawn = in_log_order[np.random.default_rng(seed).permutation(len(in_log_order))]
    folds = {"test": drawn[:size], "validation": drawn[size : 2 * size]}
    masks = {name: np.zeros(dataset.n_items, np.bool_) for name in folds}
    for name, items in folds.items():
        masks[name][items] = True
    return masks
