"""Recommends popular items: counts that decay exponentially with age, by user segment if set.

A user counts once for an item, and neither one user nor newcomers nor the burst of a day outweigh
the others (`robust_counts`). Between two fits the counts follow the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import (
    ABSENT,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
)
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.data.state_view import State
from plait.models.popularity.half_life_selection import (
    best_half_life,
    decay_weights,
    select_half_life,
)
from plait.models.popularity.live_counts import (
    FittedCounts,
    LiveCounts,
    newest_cells,
    normalize,
)
from plait.models.popularity.robust_counts import (
    NEWCOMER_LIMIT,
    DailyCells,
    first_days,
    items_by_user,
    robust_interactions,
    user_weight,
)
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.fitted_state import read_state, write_state
from plait.pipeline.full_catalogue_scorer import mask_disallowed, take_scores
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.reason_templates import Claim, ReasonTemplates
from plait.pipeline.search_space import Choice, Range, tunable
from plait.pipeline.stage import Stage
from plait.pipeline.topk import top_k

__all__ = ["Popular", "PopularConfig"]

_COUNTS = "robust_counts"
"""The folder of the counts that later events are added to."""

_HALF_LIVES = Choice((None, 0.0, 0.5, 2.0, 7.0, 28.0, 112.0, 365.0))


@dataclass(frozen=True, slots=True)
class PopularConfig:
    """Settings of `popular`."""

    half_life_days: float | None = tunable(None, _HALF_LIVES, Limit(least=0))
    """After how many days the weight of an interaction halves; 0: never. By default the half-life
    that predicts held-out events best. Without times nothing decays."""
    segment_by: str = ""
    """A user field ("country"); the popularity among users of the same value is mixed in."""
    segment_weight: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0, most=1))
    """The share of the segment's popularity in a score."""
    newcomer_limit: float = bounded_field(NEWCOMER_LIMIT, Limit(least=0))
    """Up to how many times the number that the other users of a day let expect those count who came
    for an item; a large number: all of them."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings without effect beside the others: a search need not vary them."""
        return () if self.segment_by else ("segment_weight",)


class Popular(Stage[PopularConfig]):
    """Scores an item by its decayed share of all interactions; NaN without an interaction.

    Where there is a live state, what it has seen since the fit counts too.

    `describe` gives the half-life in use. `select_setting` chooses the one that predicts targets
    best, unless the config sets it.
    """

    Config = PopularConfig
    fusion_defaults = FusionDefaults(
        weight=0.3, item_query_weight=0.05, rare_item_query_weight=0.3, missing_score="zero"
    )
    reason_templates = ReasonTemplates(
        like_query_item="",
        context=(Claim.POPULAR_IN, Claim.POPULAR, Claim.OTHERS),
        default=(Claim.POPULAR, Claim.OTHERS),
    )
    test_variants = ({"segment_by": "country"},)
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_shares": Float32Array,
        "_rankings": Int32Array,
        "_segments": Mapping[str, int],
        "_half_life_days": float,
    }

    def __init__(self, config: PopularConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._shares: Float32Array = np.zeros((1, 0), np.float32)
        """A row for all users, and one for each segment."""
        self._rankings: Int32Array = np.zeros((1, 0), np.int32)
        """Item numbers by falling score for each row of `_shares`, -1 behind the last."""
        self._segments: Mapping[str, int] = {}
        """The row of each value of the user field."""
        self._half_life_days = self.config.half_life_days or 0.0
        self._fitted_counts: FittedCounts | None = None
        """None: nothing counts that comes after the fit (not fitted, or by an older version)."""
        self._live: LiveCounts | None = None

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self.clone()
        is_timed = dataset.clock == "time"
        if is_timed and self.config.half_life_days is None:
            fitted._half_life_days = best_half_life(dataset, self.config.newcomer_limit)
        robust = robust_interactions(dataset.interactions, is_timed=is_timed)
        counted = robust.interactions
        most_newcomers = self.config.newcomer_limit * robust.newcomer_ratio()
        masks: list[Any] = [slice(None)]
        if self.config.segment_by:
            dataset.users.check_fields([self.config.segment_by], "segment_by")
            segments = _user_values(dataset, self.config.segment_by)[counted.users]
            names = sorted(set(segments.tolist()) - {""})
            fitted._segments = {name: row for row, name in enumerate(names, 1)}
            masks += [segments == name for name in names]
        decay = decay_weights(counted.times, fitted._half_life_days if is_timed else 0.0)
        unit = user_weight(dataset.event_weights)
        cells: list[DailyCells] = []
        counts = np.zeros((len(masks), dataset.n_items))
        for row, mask in enumerate(masks):
            items, amounts = counted.items[mask], counted.weights[mask].astype(np.float64)
            if is_timed:
                cells.append(robust.cells(mask, decay))
                items = cells[-1].items
                amounts = cells[-1].saturated(unit, most_newcomers)
            counts[row] = np.bincount(items, amounts, dataset.n_items)
        fitted._shares = normalize(counts)
        rows, newest = newest_cells(cells)
        fitted._fitted_counts = FittedCounts(
            dataset.version,
            counts.sum(axis=1),
            int(dataset.interactions.times.max(initial=0)),
            is_timed,
            fitted._half_life_days,
            dict(dataset.event_weights),
            self.config.segment_by,
            fitted._segments,
            unit,
            items_by_user(counted, dataset.n_users),
            first_days(dataset.interactions, dataset.n_users),
            most_newcomers,
            rows,
            newest,
        )
        scores = (fitted._scores(fitted._shares, row) for row in range(len(counts)))
        rankings = []
        for values in scores:
            order = np.lexsort((dataset.catalogue.tiebreak, np.nan_to_num(-values, nan=np.inf)))
            rankings.append(np.where(np.isnan(values[order]), ABSENT, order).astype(np.int32))
        fitted._rankings = np.stack(rankings)
        return fitted

    def select_setting(self, dataset: Dataset, queries: QueryBatch, targets: Ragged) -> Self:
        is_set = self.config.half_life_days is not None
        if is_set or dataset.clock != "time" or not len(targets.values):
            return self
        limit = self.config.newcomer_limit
        days = select_half_life(dataset, targets, queries.blocked, limit)
        config = replace(self.config, half_life_days=days)
        return type(self)(config, name=self.name).fit(dataset)

    def save(self, folder: Path) -> None:
        super().save(folder)
        if self._fitted_counts is not None:
            (folder / _COUNTS).mkdir()
            write_state(folder / _COUNTS, {"fit": self._fitted_counts}, {"fit": FittedCounts})

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        stage = super().load(config, name, folder)
        if (folder / _COUNTS).is_dir():
            stage._fitted_counts = read_state(folder / _COUNTS, {"fit": FittedCounts})["fit"]
        return stage

    def describe(self) -> dict[str, Any]:
        return {"half_life_days": self._half_life_days}

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        shares = queries.cache[self.name] = self._current_shares(queries)
        segments = self._segment_rows(queries)
        if shares is not self._shares and queries.live is not None:
            dense = np.stack([self._scores(shares, segment) for segment in segments.tolist()])
            allowed = mask_disallowed(dense, queries)
            return CandidateLists(top_k(allowed, k, ties=queries.live.state.catalogue.tiebreak)[0])
        numbers = np.full((len(queries.users), k), ABSENT, np.int32)
        for segment in np.unique(segments):
            rows = np.flatnonzero(segments == segment)
            best = _top_allowed(self._rankings[segment], queries, rows, k)
            numbers[rows, : best.shape[1]] = best
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        shares = queries.cache.get(self.name)
        if shares is None:
            shares = self._current_shares(queries)
        scores = np.full(numbers.shape, np.nan, np.float32)
        segments = self._segment_rows(queries)
        for segment in np.unique(segments):
            rows = np.flatnonzero(segments == segment)
            values = self._scores(shares, segment)
            dense = np.broadcast_to(values, (len(rows), len(values)))
            scores[rows] = take_scores(dense, numbers[rows])
        return scores

    @property
    def segment_names(self) -> dict[int, str]:
        """The value of the user field by segment, from 1."""
        return {row: name for name, row in self._segments.items()}

    def popularity(self, queries: QueryBatch) -> tuple[Float32Array, Int32Array]:
        """Return what is popular now, for steps that fill lists or sort them.

        Args:
            queries: B queries.

        Returns:
            The share of each item, float32 [S + 1, n]: among all users, then by segment; NaN
            without an interaction. And the segment of each query, int32 [B], 0 for none.
        """
        return self._current_shares(queries), self._segment_rows(queries)

    def follow(self, state: State) -> None:
        """Count the interactions that came since, if they are many.

        Args:
            state: The state of the log.
        """
        live = self._live_counts()
        if live is not None:
            live.follow(state)

    def counts(self, state: State) -> Float64Array:
        """Return the decayed count of each item, among all users.

        Args:
            state: The state of the log.

        Returns:
            float64 [n], in a unit of the fit; 0 without an interaction.
        """
        live = self._live_counts()
        return (
            np.nan_to_num(self._shares[0]).astype(np.float64)
            if live is None
            else live.counts(state)
        )

    def _live_counts(self) -> LiveCounts | None:
        if self._live is None and self._fitted_counts is not None:
            self._live = LiveCounts(self._fitted_counts, self._shares)
        return self._live

    def _current_shares(self, queries: QueryBatch) -> Float32Array:
        """The shares of the fit, or with what came since."""
        if queries.live is None or self._fitted_counts is None:
            return self._shares
        live = self._live or self._live_counts()
        assert live is not None
        state = queries.live.state
        shares = live.shares(state)  # may be of a later state than that of the queries
        return self._shares if shares is None else shares[:, : len(state.catalogue)]

    def _segment_rows(self, queries: QueryBatch) -> Int32Array:
        """The row of `_shares` that each query reads."""
        rows = np.zeros(len(queries.users), np.int32)
        if self._segments:
            for row, context in enumerate(queries.contexts):
                field, user = self.config.segment_by, context.get("user")
                inherited = user.get(field) if isinstance(user, Mapping) else None
                rows[row] = self._segments.get(str(context.get(field, inherited)), 0)
        return rows

    def _scores(self, shares: Float32Array, segment: int) -> Float32Array:
        """The score of every item for a row of `shares`."""
        overall: Float32Array = shares[0]
        if segment == 0:
            return overall
        weight: Any = np.float32(self.config.segment_weight)
        mixed: Float32Array = (1 - weight) * overall + weight * np.nan_to_num(shares[segment])
        return mixed


def _user_values(dataset: Dataset, field: str) -> Any:
    """A field of every user as strings, object [n_users]; "" where there is no value."""
    if field not in dataset.users.columns:
        return np.full(dataset.n_users, "", object)
    values = (dataset.users.columns[field].get(user) for user in range(dataset.n_users))
    return np.array(["" if value is None else str(value) for value in values], object)


def _top_allowed(ranking: Int32Array, queries: QueryBatch, rows: Int64Array, k: int) -> Int32Array:
    """The k best items that each of the queries `rows` allows, int32 [len(rows), up to k]."""
    ranking = ranking[ranking >= 0]
    mask, blocked = queries.mask, queries.blocked
    if mask is not None and len(mask) == 1:
        ranking = ranking[mask[0, ranking]]
    if (mask is None or len(mask) == 1) and len(rows):
        n_blocked = 0 if blocked is None else int(blocked.lengths[rows].max())
        ranking = ranking[: k + n_blocked]
    allowed = np.ones((len(rows), len(ranking)), np.bool_)
    if mask is not None and len(mask) > 1:
        allowed &= mask[rows][:, ranking]
    if blocked is not None and len(blocked.values):
        n_items = max(int(ranking.max(initial=-1)), int(blocked.values.max())) + 1
        is_blocked = np.zeros(n_items, np.bool_)
        for index, row in enumerate(rows):
            is_blocked[blocked[row]] = True
            allowed[index] &= ~is_blocked[ranking]
            is_blocked[blocked[row]] = False
    first = np.argsort(~allowed, axis=1, kind="stable")[:, :k]
    is_allowed = np.take_along_axis(allowed, first, axis=1)
    return np.where(is_allowed, ranking[first], ABSENT).astype(np.int32)
