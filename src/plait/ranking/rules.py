"""Rules: what must not be shown, said before anything is retrieved and checked after; and pins.

`limit` sets what retrievers must leave out, `apply` marks what is there all the same, with the
reason. The caller's own list (rank) is ordered, not shortened by what the user has seen; deleted,
filtered, rejected and excluded items are marked there too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    BoolArray,
    CandidateLists,
    Dataset,
    Int32Array,
    Int64Array,
    QueryBatch,
)
from plait.errors import FilterError
from plait.pipeline.constraints import Limit, bounded_field
from plait.pipeline.stage import Stage
from plait.ranking.filters.filter import compile_filter

__all__ = ["Pin", "Rules", "RulesConfig"]

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An item that is shown at a fixed place, 1 the first."""

    item: str
    place: int = bounded_field(1, Limit(least=1))


@dataclass(frozen=True, slots=True)
class RulesConfig:
    """What `rules` can be told.

    Expressions are those of `plait.ranking.filters.filter`; empty: no rule.
    """

    seen: Literal["once", "off", "cooldown"] = "once"
    """Items that the user knows: never again, no rule, or not again for some days."""
    cooldown_days: float = bounded_field(30.0, Limit(least=0, most=1_000_000))
    """For how long a "cooldown" keeps an item away after the user's last event with it."""
    available: str = ""
    """Only what passes may be shown, `available == true`; the rest is marked "unavailable"."""
    allow: str = ""
    """Only what passes may be shown; the rest is marked "filtered"."""
    deny: str = ""
    """What passes may not be shown."""
    pins: tuple[str | Pin, ...] = field(default_factory=tuple)
    """Items with a place of their own where neither words nor items are asked with: ids, which
    take places 1, 2, ... in their order, or tables with `item` and `place`."""

    def __post_init__(self) -> None:
        for one in (self.available, self.allow, self.deny):
            if one:
                compile_filter(one)


class Rules(Stage[RulesConfig]):
    """Leaves `removed_by`, and `pinned`: the place of a pinned item from 0, -1 for others."""

    Config = RulesConfig
    test_variants = ({"seen": "cooldown"},)
    writes = ("removed_by", "pinned")

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Check that the expressions fit the fields of the catalogue; FilterError otherwise."""
        for text in (self.config.available, self.config.allow, self.config.deny):
            if text:
                compile_filter(text).mask(dataset.catalogue)
        return type(self)(self.config, name=self.name)

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """Sets `blocked`, `mask` and `pinned`. FilterError for a filter that does not fit."""
        blocked = Ragged.empty(len(queries))
        for _, one in self._blocks(queries):
            if len(one.values):
                blocked = blocked.hstack(one) if len(blocked.values) else one
        pins, _ = self._pins(queries)
        asked = self._pinning(queries)
        pinned = None
        if len(pins) and asked.any():
            counts = np.where(asked, len(pins), 0).astype(np.int64)
            pinned = Ragged.from_lengths(np.tile(pins, int(asked.sum())), counts)
        return replace(queries, blocked=blocked, mask=self._mask(queries), pinned=pinned)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Marks what may not be shown with the first reason found; places pins."""
        items = items.mark_removed(np.zeros(items.shape, np.bool_), "deleted")
        wrong = [(why, _outside(items.item_numbers, mask)) for why, mask in self._masks(queries)]
        wrong += [(why, one.isin(items.item_numbers)) for why, one in self._blocks(queries)]
        for why, where in wrong:
            if where.any():
                items = items.mark_removed(where, why)
        pinned = np.full(items.shape, ABSENT, np.int32)
        asked = self._pinning(queries)[:, None]
        for number, place in zip(*self._pins(queries), strict=True):
            pinned[(items.item_numbers == number) & asked] = place
        return items.with_columns(pinned=pinned)

    def _blocks(self, queries: QueryBatch) -> Iterator[tuple[str, Ragged]]:
        """What each query may not get, with the reason."""
        yield "excluded", queries.exclude
        yield "hidden", queries.rejected
        yield "anchor", queries.items
        never, later = self._seen(queries)
        if never.any():
            yield "seen", _only(queries.seen, never)
        if later.any():
            yield "cooldown", _only(self._recent(queries), later)

    def _seen(self, queries: QueryBatch) -> tuple[BoolArray, BoolArray]:
        """bool [B] twice: whose seen items never come back, and whose after a cool-down."""
        batch = len(queries)
        rule = self.config.seen if queries.candidates is None else "off"
        never, later = np.full(batch, rule == "once"), np.full(batch, rule == "cooldown")
        if queries.keep_seen is not None:
            never, later = ~queries.keep_seen, np.zeros(batch, np.bool_)
        return never, later

    def _recent(self, queries: QueryBatch) -> Ragged:
        """What each user took in the last days; everything, where the query has no time."""
        history = queries.history
        since = queries.times[history.rows] - np.int64(self.config.cooldown_days * DAY)
        return history.filter(history.times > since).ragged

    def _mask(self, queries: QueryBatch) -> BoolArray | None:
        """bool [1 or B, n]: what may be shown at all; None without a live catalogue."""
        masks = [mask for _, mask in self._masks(queries)]
        if not masks:
            return None
        joined: BoolArray = masks[0]
        for one in masks[1:]:
            joined = np.logical_and(joined, one)
        return joined

    def _masks(self, queries: QueryBatch) -> Iterator[tuple[str, BoolArray]]:
        """Masks bool [1 or B, n] with the reason why the others are out."""
        catalogue = _catalogue(queries)
        if catalogue is None:
            if any(queries.filters):
                raise FilterError("a filter needs the live catalogue", field="filter")
            return
        yield "deleted", catalogue.alive[None, :]
        if self.config.available:
            yield "unavailable", compile_filter(self.config.available).mask(catalogue)[None, :]
        if self.config.allow:
            yield "filtered", compile_filter(self.config.allow).mask(catalogue)[None, :]
        if self.config.deny:
            yield "filtered", ~compile_filter(self.config.deny).mask(catalogue)[None, :]
        asked = set(queries.filters) - {None, ""}
        if asked:
            yield "filtered", _asked(queries, catalogue)

    def _pinning(self, queries: QueryBatch) -> BoolArray:
        """bool [B]: the queries that pins are meant for."""
        anchored = (queries.items.lengths > 0).tolist()
        spoken = [bool(one and one.strip()) for one in queries.texts]
        return np.array([not (a or s) for a, s in zip(anchored, spoken, strict=True)], np.bool_)

    def _pins(self, queries: QueryBatch) -> tuple[Int32Array, Int64Array]:
        """Numbers and places (from 0) of the pinned items that the catalogue knows."""
        catalogue = _catalogue(queries)
        if catalogue is None or not self.config.pins:
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        pins = [
            Pin(one, place) if isinstance(one, str) else one
            for place, one in enumerate(self.config.pins, 1)
        ]
        numbers = catalogue.numbers(one.item for one in pins)
        places = np.array([one.place - 1 for one in pins], np.int64)
        return numbers[numbers >= 0], places[numbers >= 0]


def _catalogue(queries: QueryBatch) -> Catalogue | None:
    return None if queries.live is None else queries.live.state.catalogue


def _asked(queries: QueryBatch, catalogue: Catalogue) -> BoolArray:
    """The filters of the queries themselves, bool [1 or B, n]."""
    if len(set(queries.filters)) == 1:
        return compile_filter(str(queries.filters[0])).mask(catalogue)[None, :]
    everything = np.ones(len(catalogue), np.bool_)
    masks = [compile_filter(one).mask(catalogue) if one else everything for one in queries.filters]
    return np.stack(masks)


def _outside(numbers: Int32Array, mask: BoolArray) -> BoolArray:
    """bool [B, K]: candidates that `mask` [1 or B, n] rules out or does not know."""
    width = mask.shape[1]
    inside = (numbers >= 0) & (numbers < width)
    if not width:
        return numbers >= 0
    rows = np.zeros((1, 1), np.int64) if len(mask) == 1 else np.arange(len(mask))[:, None]
    allowed: BoolArray = mask[rows, np.where(inside, numbers, 0)]
    out: BoolArray = (numbers >= 0) & ~(inside & allowed)
    return out


def _only(rows: Ragged, chosen: BoolArray) -> Ragged:
    """The rows where `chosen` bool [B] holds; the others are empty."""
    if chosen.all():
        return rows
    counts = np.where(chosen, rows.lengths, 0)
    return Ragged.from_lengths(rows.values[chosen[rows.rows]], counts)
