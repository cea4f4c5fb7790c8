"""The metrics of lists by name, in the definitions of several libraries.

With T targets of a user, h of them among the first k items of a list of n items, r_i = 1 if the
item at rank i is a target, else 0. A name without a library is that of `plait evaluate`, RecBole
and RecTools, where they agree:

- `recall`: h / T; `recall@min`, `recall@lenskit`: h / min(k, T), which `plait evaluate` reports
  under the name recall;
- `precision`: h / k; `precision@lenskit`: h / min(k, n);
- `f1`: the harmonic mean of precision and recall@min; `f1@rectools`: of precision and recall;
- `hit_rate`: 1 if h > 0; `mrr`: 1 / rank of the first target, 0 without one;
- `ndcg`: sum of r_i / log2(i + 1), divided by that of min(k, T) targets at the top;
  `ndcg@rectools`: divided by that of k targets, for any T; `ndcg@lenskit`: with the discount
  1 / log2(i), 1 for the first rank;
- `map`: sum of r_i * precision at i, divided by min(k, T); `map@rectools`: by T; `map@lenskit`: by
  min(k, n, T);
- `rbp`: (1 - p) * sum of r_i * p^(i - 1) with p = 0.8 (Moffat and Zobel, 2008); `rbp@lenskit`: with
  p = 0.85.

Items of equal score stand in random order: the metrics are expectations over it
(`plait.metrics.ranking`). Those that a user passes as a function see ties in the order of the
frame. The metrics beyond accuracy are those of `plait.experiments.scores.beyond_accuracy`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array, Int64Array
from plait.errors import InputError
from plait.metrics.dcg import ideal_dcg
from plait.metrics.expected_gains import clipped_discounts, expected_gains, geometric_weights
from plait.metrics.ranking import user_metrics
from plait.metrics.ties import TieGroups, tie_groups

__all__ = ["METRIC_NAMES", "Metric", "RankedLists", "metric_values", "own_metric_values"]

Metric = str | Callable[[list[str], set[str]], float]
"""The name of a metric, or a function of a list of items and the set of targets."""

METRIC_NAMES = (
    *("ndcg", "ndcg@rectools", "ndcg@lenskit", "recall", "recall@min", "recall@lenskit"),
    *("precision", "precision@lenskit", "f1", "f1@rectools", "hit_rate", "mrr"),
    *("map", "map@rectools", "map@lenskit", "rbp", "rbp@lenskit"),
)

_LENSKIT_PERSISTENCE = 0.85
"""The p of LensKit's RBP."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedLists:
    """The lists of U users, up to K items each.

    Attributes:
        scores: float64 [U, K], best first; minus infinity pads.
        is_hit: bool [U, K], which items are targets.
        n_targets: int64 [U], how many targets each user has.
        items: By user the ids of the list.
        targets: By user the ids of the targets.
        numbers: int32 [U, K], item numbers of a catalogue, -1 pads.
        target_rows: int64 [T], the user of each target.
        target_numbers: int32 [T], the item number of each target.
    """

    scores: Float64Array
    is_hit: BoolArray
    n_targets: Int64Array
    items: Sequence[list[str]]
    targets: Sequence[set[str]]
    numbers: Int32Array
    target_rows: Int64Array
    target_numbers: Int32Array

    def groups(self, depth: int) -> TieGroups:
        """Return the first items of the lists as groups of equal scores.

        Args:
            depth: How many positions to cover.
        """
        # In float64 nothing is rounded into a tie.
        return tie_groups(self.scores, np.isfinite(self.scores), depth)

    def with_targets(self, counts: BoolArray) -> tuple[Int64Array, RankedLists]:
        """Return the lists of the users who have certain targets, with these targets alone.

        Args:
            counts: bool [n], by item number, which targets count.

        Returns:
            int64 [V], the users, and their lists.
        """
        is_target = counts[self.target_numbers]
        n_targets = np.bincount(self.target_rows[is_target], minlength=len(self.items))
        rows = np.flatnonzero(n_targets)
        position = np.cumsum(n_targets > 0) - 1
        part = RankedLists(
            self.scores[rows],
            self.is_hit[rows] & counts[self.numbers[rows]],
            n_targets[rows],
            [self.items[row] for row in rows.tolist()],
            [self.targets[row] for row in rows.tolist()],
            self.numbers[rows],
            position[self.target_rows[is_target]],
            self.target_numbers[is_target],
        )
        return rows, part

    @property
    def lengths(self) -> Int64Array:
        """The length of each list, int64 [U]."""
        lengths: Int64Array = np.isfinite(self.scores).sum(axis=1)
        return lengths


def metric_values(
    lists: RankedLists, names: Sequence[str], ks: Sequence[int]
) -> dict[str, Float64Array]:
    """Compute metrics of every user.

    Args:
        lists: The lists of U users, each of which has a target.
        names: Names of `METRIC_NAMES`.
        ks: The cut-offs.

    Returns:
        float64 [U] by metric and cut-off: "ndcg@10", "ndcg@rectools@10".
    """
    groups = lists.groups(max(ks))
    standard = user_metrics(groups, groups.hits(lists.is_hit), lists.n_targets, ks)
    values: dict[str, Float64Array] = {}
    for k in ks:
        at_k = {name: standard[f"{name}@{k}"] for name in ("recall", "precision", "ndcg", "map")}
        variants = _variants(lists, groups, k, at_k)
        for name in names:
            values[f"{name}@{k}"] = variants[name] if name in variants else standard[f"{name}@{k}"]
    return values


def _variants(
    lists: RankedLists, groups: TieGroups, k: int, at_k: Mapping[str, Float64Array]
) -> dict[str, Float64Array]:
    """The metrics that are not those of `plait evaluate`; `at_k` holds these at the cut-off."""
    targets = lists.n_targets
    ideal, shown = np.minimum(k, targets), np.minimum(k, lists.lengths)
    gain, is_hit = ideal_dcg(k), lists.is_hit.astype(np.float64)
    clipped = clipped_discounts(k)
    recall, precision = at_k["recall"] * ideal / targets, at_k["precision"]
    some = np.maximum(shown, 1)
    return {
        "recall": recall,
        "recall@min": at_k["recall"],
        "recall@lenskit": at_k["recall"],
        "precision@lenskit": precision * k / some,
        "f1@rectools": 2 * precision * recall / np.where(recall > 0, precision + recall, 1.0),
        "ndcg@rectools": at_k["ndcg"] * gain[ideal] / gain[k],
        "ndcg@lenskit": expected_gains(groups, clipped, is_hit) / np.cumsum(clipped)[ideal - 1],
        "map@rectools": at_k["map"] * ideal / targets,
        "map@lenskit": at_k["map"] * ideal / np.minimum(ideal, some),
        "rbp@lenskit": expected_gains(groups, geometric_weights(k, _LENSKIT_PERSISTENCE), is_hit),
    }


def own_metric_values(
    lists: RankedLists, metrics: Mapping[str, Callable[[list[str], set[str]], float]]
) -> dict[str, Float64Array]:
    """Compute metrics that are functions.

    Args:
        lists: The lists of U users.
        metrics: By name a function of the whole list and the set of targets of one user.

    Returns:
        float64 [U] by name.

    Raises:
        InputError: If a function does not return a number.
    """
    values: dict[str, Float64Array] = {}
    for name, metric in metrics.items():
        numbers = [metric(*pair) for pair in zip(lists.items, lists.targets, strict=True)]
        try:
            values[name] = np.array(numbers, np.float64)
        except (TypeError, ValueError) as problem:
            message = f"metric {name!r} does not return a number: {problem}"
            raise InputError(message, field="metrics") from problem
        if values[name].shape != (len(lists.items),) or not np.isfinite(values[name]).all():
            raise InputError(f"metric {name!r} does not return a finite number", field="metrics")
    return values
