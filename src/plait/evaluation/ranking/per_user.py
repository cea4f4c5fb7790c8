"""One row of the table: what every user got from one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from plait.data.types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.evaluation.ranking.diversity import Likeness, diversity
from plait.metrics.beyond_accuracy import (
    ExposureChances,
    add_absence,
    exposure_chances,
    mean_worth,
    novelty,
)
from plait.metrics.ranking import target_gains, tied_targets, user_metrics
from plait.metrics.ties import Doubles, TieGroups, tie_groups
from plait.splitting.splits import Split

__all__ = [
    "LIFT",
    "POPULARITY",
    "BatchMetrics",
    "ItemStatistics",
    "ModelResult",
    "QueryOutcomes",
    "Scorer",
]

POPULARITY, LIFT = "popularity@", "popularity-lift@"
"""What is measured of a list, and what becomes of it over all who have a history."""


@dataclass(frozen=True, slots=True, eq=False)
class ItemStatistics:
    """What lists are measured by, beside targets; all of it comes from what was fitted on.

    `surprises` and `popularity` float64 [n_items]: what novelty and popularity are the means of.
    `sampled` bool [U]: the queries whose lists are compared by `likeness`.
    """

    surprises: Doubles
    popularity: Doubles
    likeness: Likeness | None = None
    sampled: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class BatchMetrics:
    """One batch of one row: metrics of users float64 [B], gains of their targets; who showed what.

    `lists` float64 [B], metrics of what is shown: NaN where there is nothing to measure. `tied`
    counts targets that a tie alone put in or out.
    """

    users: Mapping[str, Doubles]
    gains: Mapping[str, Doubles]
    lists: Mapping[str, Doubles]
    tied: Doubles
    shown: Mapping[int, ExposureChances]


@dataclass(frozen=True, slots=True, eq=False)
class QueryOutcomes:
    """One batch of candidates int32 [B, K] and what came true among them; shared by all rows.

    `places` int64 [B * K]: the target that a candidate is, counted from the batch's first; -1 none.
    """

    numbers: Int32Array
    places: Int64Array
    start: int
    stop: int


class Scorer:
    """Turns scored lists into metrics, for one split."""

    def __init__(self, split: Split, ks: Sequence[int], gauge: ItemStatistics) -> None:
        self._targets = split.targets
        self._ks = tuple(ks)
        self._gauge = gauge

    def row(self, model: str, *, baseline: bool = False) -> ModelResult:
        """An empty row for this split."""
        size = len(self._gauge.surprises)
        found = ModelResult(model, baseline)
        found.absence = {k: np.zeros(size) for k in self._ks}
        found.exposure = {k: np.zeros(size) for k in self._ks}
        return found

    def asked(self, start: int, numbers: Int32Array) -> QueryOutcomes:
        """What came true among candidates int32 [B, K] of the queries from `start` on."""
        stop = start + len(numbers)
        targets = self._targets.slice(start, stop)
        cells = np.flatnonzero(targets.isin(numbers))
        width = int(targets.values.max(initial=0)) + 1
        wanted = targets.rows * width + targets.values
        order = np.argsort(wanted)
        found = cells // max(numbers.shape[1], 1) * width + numbers.ravel()[cells]
        places = np.full(numbers.size, -1, np.int64)
        places[cells] = order[np.searchsorted(wanted, found, sorter=order)]
        return QueryOutcomes(numbers, places, start, stop)

    def piece(self, asked: QueryOutcomes, scores: Float32Array, valid: BoolArray) -> BatchMetrics:
        """The metrics of one batch from scores [B, K] and which candidates are in the list."""
        ks, batch = self._ks, len(valid)
        groups = tie_groups(scores, valid, max(ks))
        mine = asked.places[groups.cells]
        there = mine >= 0
        hits = np.bincount(groups.members[there], minlength=len(groups.rows))
        wanted = self._targets.slice(asked.start, asked.stop)
        gains = {}
        for name, worth in target_gains(groups, groups.members[there], ks).items():
            gains[name] = np.zeros(len(wanted.values))
            gains[name][mine[there]] = worth
        lists = {k: exposure_chances(groups, asked.numbers, k) for k in ks}
        return BatchMetrics(
            user_metrics(groups, hits, wanted.lengths, ks),
            gains,
            self._lists(asked, groups, lists, batch),
            tied_targets(groups, hits, max(ks)),
            lists,
        )

    def _lists(
        self,
        asked: QueryOutcomes,
        groups: TieGroups,
        lists: Mapping[int, ExposureChances],
        batch: int,
    ) -> dict[str, Doubles]:
        gauge, deepest = self._gauge, max(self._ks)
        found: dict[str, Doubles] = {}
        for k, one in lists.items():
            found[f"novelty@{k}"] = novelty(one, gauge.surprises, batch)
            found[f"{POPULARITY}{k}"] = mean_worth(one, gauge.popularity, batch)
        if gauge.likeness is not None and deepest > 1:
            chosen = np.flatnonzero(gauge.sampled[asked.start : asked.stop])
            few = _of_lists(lists[deepest], chosen, batch)
            worth = np.full(batch, np.nan)
            worth[chosen] = diversity(few, gauge.likeness, len(chosen))
            found[f"diversity@{deepest}"] = worth
        return found


def _of_lists(part: ExposureChances, chosen: Int64Array, batch: int) -> ExposureChances:
    """What the `chosen` lists show, counted anew from 0."""
    place = np.full(batch, -1, np.int64)
    place[chosen] = np.arange(len(chosen))
    kept = place[part.rows] >= 0
    return ExposureChances(place[part.rows[kept]], part.items[kept], part.chances[kept])


@dataclass(slots=True, eq=False)
class ModelResult:
    """A model's metrics user by user, and what it cost.

    `users`, `lists` and `tied` are Piece's for all U users, `gains` for all T targets, once `close`
    was called. By k, float64 [n_items]: `absence`, the log of the chance to be in nobody's list;
    `exposure`, in how many lists an item is expected. `whole`: metrics of all lists together.
    """

    model: str
    baseline: bool = False
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_mb: float = 0.0
    absence: dict[int, Doubles] = field(default_factory=dict)
    exposure: dict[int, Doubles] = field(default_factory=dict)
    users: dict[str, Doubles] = field(default_factory=dict)
    gains: dict[str, Doubles] = field(default_factory=dict)
    lists: dict[str, Doubles] = field(default_factory=dict)
    tied: Doubles = field(default_factory=lambda: np.zeros(0))
    whole: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    brought: int = 0
    _pieces: list[BatchMetrics] = field(default_factory=list)

    def add(self, piece: BatchMetrics) -> None:
        """One more batch; batches come in the order of the queries."""
        for k, one in piece.shown.items():
            add_absence(self.absence[k], one)
            np.add.at(self.exposure[k], one.items, one.chances)
            self.brought += len(one.items)
        self._pieces.append(replace(piece, shown={}))

    def close(self) -> ModelResult:
        """Put the batches together; nothing is added afterwards."""
        self.users = _joined([piece.users for piece in self._pieces])
        self.gains = _joined([piece.gains for piece in self._pieces])
        self.lists = _joined([piece.lists for piece in self._pieces])
        self.tied = np.concatenate([piece.tied for piece in self._pieces])
        self._pieces.clear()
        return self


def _joined(parts: Sequence[Mapping[str, Doubles]]) -> dict[str, Doubles]:
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
