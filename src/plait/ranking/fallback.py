"""Fills a list that the models leave short: popular items, then newest, then any that pass.

Every query that asks for items to show (no text, no list of the caller's) gets as many as it asks
for, as long as as many pass the rules, its filter and what it excludes. What the models found keeps
its order and its scores; filled items stand behind it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from plait.data.array_types import ABSENT, BoolArray, Float32Array, Float64Array, Int32Array
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.data.state_view import State
from plait.models.popularity.popular import Popular, PopularConfig
from plait.pipeline.fitted_state import STATE_FILE
from plait.pipeline.recipe import LADDER, LadderStep
from plait.pipeline.stage import Stage
from plait.ranking.item_arrival_times import arrival_times
from plait.ranking.item_variants import best_of_each_group, further_products
from plait.ranking.query_category import (
    category_mask,
    category_of_filter,
    category_of_items,
)

__all__ = ["Fallback", "FallbackConfig", "FilledBy"]

_TOP = 10
"""How many items of a category or context are called popular."""

_SCORE_STEP = 1e-3
"""How far, relative to it, the score of a filled item lies below that of the item before."""


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """Settings of the fallback; a recipe gives the ladder as `fallback`."""

    ladder: tuple[LadderStep, ...] = LADDER
    """Where the missing items come from, step by step: what is popular among users of the same
    context (the segment of `popular`); what is popular in the category that the filter names or in
    that of the item to start from; what else is in the category of that item; what is popular at
    all; the newest; all others, in the order of a hash of their ids."""


@dataclass(frozen=True, slots=True)
class FilledBy:
    """Why an item fills a list.

    Attributes:
        step: The step of the ladder.
        field: The category field that the step rests on, "" for none.
        value: Its value, or that of the context.
        time: When the item came, in microseconds; None if unknown.
        is_top: Whether it is among the ten most popular items of that category or context.
    """

    step: LadderStep
    field: str = ""
    value: str = ""
    time: int | None = None
    is_top: bool = False


class _Pool(NamedTuple):
    """What may fill the list of one query.

    Attributes:
        numbers: The items, int32 [P].
        tiebreak: The order among equals, uint64 [n].
        context_shares: Popularity among users of the same context, float32 [n]; None: no context.
        context: The value of the context.
        shares: Popularity among all, float32 [n].
        category: The field and value that the query is about, ("", "") for none.
        in_category: bool [n], the items of that category; None: all that pass the filter.
        times: When each item came, float64 [n], NaN for unknown.
        least_shares: The share of the tenth item of the context and of the category.
    """

    numbers: Int32Array
    tiebreak: npt.NDArray[np.uint64]
    context_shares: Float32Array | None
    context: str
    shares: Float32Array
    category: tuple[str, str]
    in_category: BoolArray | None
    times: Float64Array
    least_shares: tuple[float, float]


class Fallback(Stage[FallbackConfig]):
    """Appends candidates to lists with fewer than `k` that may be shown, and writes `fill`.

    `fill` is object [B, K]: a `FilledBy` for an appended candidate, else None. The popularity is
    that of the recipe's `popular`, or of an own one where the recipe has none.
    """

    Config = FallbackConfig

    def __init__(self, config: FallbackConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._own: Popular | None = None
        self._of_recipe: Popular | None = None
        self._n_fitted = 0

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the popularity of the recipe.

        Args:
            models: The models of the pipeline.
        """
        stage = copy.copy(self)
        stage._of_recipe = next((model for model in models if isinstance(model, Popular)), None)
        return stage

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Count what is popular, where no model of the recipe does.

        Args:
            dataset: The data set.
            seed: Ignored.
        """
        fitted = self.clone().with_models([] if self._of_recipe is None else [self._of_recipe])
        fitted._n_fitted = dataset.n_items
        if self._of_recipe is None:
            fitted._own = Popular(PopularConfig(), name=self.name).fit(dataset)
        return fitted

    def save(self, folder: Path) -> None:
        """Write the own popularity, if there is one.

        Args:
            folder: An existing folder of this stage alone.
        """
        (folder / "items").write_text(str(self._n_fitted), encoding="utf-8")
        if self._own is not None:
            self._own.save(folder)

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Restore what `save` wrote; a bundle of an older version holds nothing.

        Args:
            config: The settings.
            name: The name of the stage.
            folder: The folder that `save` wrote to.
        """
        stage = cls(config, name=name)
        if (folder / "items").is_file():
            stage._n_fitted = int((folder / "items").read_text(encoding="utf-8"))
        if (folder / STATE_FILE).is_file():
            stage._own = Popular.load(PopularConfig(), name, folder)
        return stage

    def popularity(self, queries: QueryBatch) -> tuple[Float32Array, Int32Array, dict[int, str]]:
        """Return what is popular now, see `Popular.popularity`.

        Args:
            queries: B queries with a live state.

        Returns:
            Shares, float32 [S + 1, n] for the first n items; the segment of each query, int32 [B];
            and the values of the segments.
        """
        model = self._of_recipe or self._own
        names: dict[int, str] = {}
        shares, segments = np.zeros((1, 0), np.float32), np.zeros(len(queries), np.int32)
        if model is not None:
            shares, segments = model.popularity(queries)
            names = model.segment_names
        return shares, segments, names

    def arrivals(self, state: State, time: int) -> Float64Array:
        """Return when items came, see `arrival_times`.

        Args:
            state: The state of the log.
            time: The time of the query.

        Returns:
            float64 [n_items], microseconds; NaN for unknown.
        """
        return arrival_times(state, time, self._n_fitted)

    def fill(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Append what is missing.

        Args:
            queries: B queries, limited.
            items: Their candidates, after the rules.

        Returns:
            The candidates, and behind them those that fill the list.
        """
        present = items.item_numbers >= 0
        if "removed_by" in items.columns:
            present = present & (items.columns["removed_by"] < 0)
        shown = present
        pinned = items.columns.get("pinned", np.full(items.shape, ABSENT))
        if queries.groups is not None:  # a list of products needs k of them, as the policy shows
            groups, is_pinned = queries.groups.of_items(items.item_numbers), present & (pinned >= 0)
            shown = best_of_each_group(groups, (is_pinned * 1,), present, items.item_numbers)
            shown |= is_pinned
        # What is pinned behind the list leaves its place to others.
        missing = queries.k - (shown & (pinned < queries.k)).sum(axis=1)
        if queries.live is None or queries.candidates is not None or missing.max(initial=0) <= 0:
            return items
        rows = [
            row
            for row in np.flatnonzero(missing > 0).tolist()
            if not (queries.texts[row] or "").strip()
        ]
        if not rows:
            return items
        shown_items = np.where(shown, items.item_numbers, ABSENT)
        filled = self._filled(queries, items, shown_items, {row: int(missing[row]) for row in rows})
        return _appended(items, filled, present)

    def _filled(
        self,
        queries: QueryBatch,
        items: CandidateLists,
        shown_items: Int32Array,
        missing: dict[int, int],
    ) -> dict[int, list[tuple[int, FilledBy]]]:
        """By row, the items that fill its list, best first; no variant of `shown_items` [B, K]."""
        assert queries.live is not None
        state = queries.live.state
        popularity, segments, names = self.popularity(queries)
        filled: dict[int, list[tuple[int, FilledBy]]] = {}
        for row, count in missing.items():
            numbers = _allowed(queries, row, items.item_numbers[row])
            shares = _known(popularity[0], state)
            if queries.groups is not None:
                ties = state.catalogue.tiebreak[numbers]
                shown_row = shown_items[row]
                numbers = further_products(
                    queries.groups, numbers, shown_row, shares[numbers], ties
                )
            if not len(numbers):
                continue
            category, in_category = category_of_items(state.catalogue, queries.items[row])
            if in_category is None:
                category = category_of_filter(state.catalogue, queries.filters[row])
            segment = int(segments[row])
            context_shares = _known(popularity[segment], state) if segment else None
            pool = _Pool(
                numbers,
                state.catalogue.tiebreak,
                context_shares,
                names.get(segment, ""),
                shares,
                category,
                in_category,
                self.arrivals(state, int(queries.times[row])),
                (
                    _tenth(context_shares, state.catalogue.alive),
                    _tenth(shares, category_mask(state.catalogue, *category))
                    if category[0]
                    else np.inf,
                ),
            )
            filled[row] = _climb(self.config.ladder, pool, count)
        return filled


def _tenth(shares: Float32Array | None, where: BoolArray) -> float:
    """The tenth largest share of some items, or the smallest of fewer."""
    if shares is None:
        return np.inf
    known = np.sort(shares[where & ~np.isnan(shares)])
    return float(known[-_TOP:][0]) if len(known) else np.inf


def _known(shares: Float32Array, state: State) -> Float32Array:
    """The shares of all items of the state, NaN for those without."""
    missing = max(len(state.catalogue) - len(shares), 0)
    return np.pad(shares, (0, missing), constant_values=np.nan) if missing else shares


def _allowed(queries: QueryBatch, row: int, listed: Int32Array) -> Int32Array:
    """The items that a query allows and that are not among its candidates, removed ones neither."""
    assert queries.live is not None
    allowed = queries.live.state.catalogue.alive.copy()
    if queries.mask is not None:
        allowed &= queries.mask[row if len(queries.mask) > 1 else 0]
    blocked = () if queries.blocked is None else queries.blocked[row]
    excluded = np.concatenate([listed, queries.items[row], blocked]).astype(np.int64)
    allowed[excluded[(excluded >= 0) & (excluded < len(allowed))]] = False
    return np.flatnonzero(allowed).astype(np.int32)


def _climb(ladder: Sequence[LadderStep], pool: _Pool, count: int) -> list[tuple[int, FilledBy]]:
    """Up to `count` items of the pool, step by step."""
    filled: list[tuple[int, FilledBy]] = []
    numbers = pool.numbers
    for step in ladder:
        if len(filled) >= count or not len(numbers):
            break
        keys = _keys(step, pool, numbers)
        if keys is None:
            continue
        best = _best(numbers, keys, pool.tiebreak, count - len(filled))
        filled += [(number, _filled_by(step, pool, number)) for number in best.tolist()]
        numbers = numbers[~np.isin(numbers, best)]
    return filled


def _filled_by(step: LadderStep, pool: _Pool, number: int) -> FilledBy:
    time = None if np.isnan(pool.times[number]) else int(pool.times[number])
    if step == "popular-in-context" and pool.context_shares is not None:
        is_top = bool(pool.context_shares[number] >= pool.least_shares[0])
        return FilledBy(step, "", pool.context, time, is_top)
    if step in ("popular-in-category", "category"):
        is_top = bool(pool.shares[number] >= pool.least_shares[1])
        return FilledBy(step, *pool.category, time, is_top)
    return FilledBy(step, time=time)


def _keys(step: LadderStep, pool: _Pool, numbers: Int32Array) -> npt.NDArray[Any] | None:
    """What a step ranks items by, [P], NaN for those it does not bring; None: it brings none."""
    keys: npt.NDArray[Any]
    if step == "popular-in-context":
        if pool.context_shares is None:
            return None
        keys = pool.context_shares[numbers]
    elif step == "popular-in-category":
        if not pool.category[0]:
            return None
        keys = pool.shares[numbers]
    elif step == "category":
        if pool.in_category is None:
            return None
        keys = np.nan_to_num(pool.times[numbers], nan=-np.inf)
    elif step == "most-popular":
        keys = pool.shares[numbers]
    elif step == "newest":
        keys = pool.times[numbers]
    else:
        keys = np.zeros(len(numbers))
    if pool.in_category is not None and step not in ("most-popular", "newest", "catalogue"):
        keys = np.where(pool.in_category[numbers], keys, np.nan)
    return keys


def _best(
    numbers: Int32Array, keys: npt.NDArray[Any], tiebreak: npt.NDArray[np.uint64], count: int
) -> Int32Array:
    """The items with the largest keys, up to `count`; those without a key are left out."""
    is_known = ~np.isnan(keys)
    numbers, keys = numbers[is_known], keys[is_known]
    if len(numbers) > count:
        smallest = np.partition(keys, len(keys) - count)[len(keys) - count]
        numbers, keys = numbers[keys >= smallest], keys[keys >= smallest]
    return numbers[np.lexsort((tiebreak[numbers], -keys))][:count]


def _appended(
    items: CandidateLists, filled: dict[int, list[tuple[int, FilledBy]]], present: BoolArray
) -> CandidateLists:
    """The candidates and behind them the filled ones, whose scores fall below all others."""
    batch, width = items.item_numbers.shape
    more = max(map(len, filled.values()), default=0)
    if not more:
        return items
    numbers = np.full((batch, more), ABSENT, np.int32)
    fill = np.full((batch, width + more), None, object)
    for row, entries in filled.items():
        numbers[row, : len(entries)] = [number for number, _ in entries]
        fill[row, width : width + len(entries)] = [filled_by for _, filled_by in entries]
    longer = items.with_more(numbers).with_columns(fill=fill)
    if "score" not in longer.columns:
        return longer
    score = longer.columns["score"]
    for row, entries in filled.items():
        known = items.columns["score"][row][present[row]]
        lowest = float(np.min(known[np.isfinite(known)], initial=0.0))
        steps = np.arange(1, len(entries) + 1) * _SCORE_STEP * max(1.0, abs(lowest))
        score[row, width : width + len(entries)] = lowest - steps
    return longer
