"""Warnings about one's own split and about sampled candidates."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import Int64Array
from plait.data.dataset import Dataset, ranking_target_mask, user_item_keys
from plait.evaluation.results.data_warnings import DataWarning
from plait.splitting.own_split import OwnSplit
from plait.splitting.splits import Split

__all__ = ["sampling_warnings", "split_warnings"]


def split_warnings(split: OwnSplit | None, test: Split, goal: tuple[str, ...]) -> list[DataWarning]:
    """Check the parts of one's own split.

    Args:
        split: The parts; None for a split that a protocol made.
        test: Its test queries.
        goal: Target event types.

    Returns:
        All checks, raised or not: cold-users, cold-items, test-before-train, leak.
    """
    if split is None:
        return []
    known, rows = split.known, split.test.interactions
    cold = float((test.queries.users < 0).mean()) if len(test) else 0.0
    targets = rows.take(ranking_target_mask(split.test, goal)).items
    is_known = np.bincount(known.interactions.items, minlength=known.n_items) > 0
    cold_items = _share(~is_known[targets])
    listed = known.catalogue.alive | is_known
    hopeless = _share(~listed[targets])
    unlisted = f", {hopeless:.1%} no item of the catalogue either: no model can list them"
    before = 0.0
    if known.clock == "time":
        last = np.full(known.n_users, np.iinfo(np.int64).min)
        np.maximum.at(last, known.interactions.users, known.interactions.times)
        before = _share(rows.times < last[rows.users])
    leaked = _share(np.isin(_row_keys(split.test), _row_keys(known)))
    return [
        _warning("cold-users", cold, f"{cold:.1%} of the test users are in no training data"),
        _warning(
            "cold-items",
            cold_items,
            f"{cold_items:.1%} of the test events name items without an event in the training data"
            + unlisted * bool(hopeless),
        ),
        _warning(
            "test-before-train",
            before,
            f"{before:.1%} of the test events are earlier than a training event of the same user: "
            "models and histories hold the future",
        ),
        _warning(
            "leak",
            leaked,
            f"{leaked:.1%} of the test events are in the training data too (same user, item, event "
            "type and time): the figures are too high",
        ),
    ]


def sampling_warnings(n_sampled: int, test: Split) -> list[DataWarning]:
    """Warn of sampled candidates.

    Args:
        n_sampled: How many items are drawn beside the targets; 0: all items are candidates.
        test: The test queries.

    Returns:
        A warning if candidates are sampled.
    """
    if not n_sampled:
        return []
    items = int(test.query_time_data.catalogue.alive.sum())
    text = (
        f"each list ranks the targets among {n_sampled} drawn items instead of all {items:,}: the "
        "figures are higher than on all items, and may order models otherwise"
    )
    return [DataWarning("sampled-candidates", float(n_sampled), True, text)]


def _warning(name: str, share: float, text: str) -> DataWarning:
    return DataWarning(name, share, share > 0, text)


def _row_keys(dataset: Dataset) -> Int64Array:
    """int64 [N]: equal for interactions of the same user, item, event type and time."""
    rows = dataset.interactions
    times = rows.times if dataset.clock == "time" else np.zeros(len(rows), np.int64)
    pairs = user_item_keys(rows, dataset.n_items)
    columns = np.stack([pairs, rows.event_types.astype(np.int64), times], axis=1)
    return np.ascontiguousarray(columns).view([("", np.int64)] * 3).ravel()


def _share(mask: np.typing.NDArray[np.bool_]) -> float:
    return float(mask.mean()) if len(mask) else 0.0
