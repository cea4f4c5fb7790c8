"""Rules: what must not be shown, said before anything is retrieved and checked after; and pins.

`limit` sets what retrievers must leave out, `apply` marks what is there all the same, with the
reason. The caller's own list (rank) is ordered, not shortened by what the user has seen; deleted,
filtered, rejected and excluded items are marked there too.
"""

from __future__ import annotations

import functools
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
        blocked = queries.exclude
        for _, one in self._blocks(queries)[1:]:
            if len(one.values):
                blocked = blocked.hstack(one) if len(blocked.values) else one
        pinned = None
        if self.config.pins:
            pins, _ = self._pins(queries)
            asked = self._pinning(queries)
            if len(pins) and asked.any():
                counts = np.where(asked, len(pins), 0).astype(np.int64)
                pinned = Ragged.from_lengths(np.tile(pins, int(asked.sum())), counts)
        return replace(queries, blocked=blocked, mask=self._mask(queries), pinned=pinned)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Marks what may not be shown with the first reason found; places pins."""
        items = items.mark_removed(np.zeros(items.item_numbers.shape, np.bool_), "deleted")
        wrong = [(why, _outside(items.item_numbers, mask)) for why, mask in self._masks(queries)]
        wrong += [(why, one.isin(items.item_numbers)) for why, one in self._blocks(queries)]
        for why, where in wrong:
            if where.any():
                items = items.mark_removed(where, why)
        pinned = np.full(items.item_numbers.shape, ABSENT, np.int32)
        if self.config.pins:
            asked = self._pinning(queries)[:, None]
            for number, place in zip(*self._pins(queries), strict=True):
                pinned[(items.item_numbers == number) & asked] = place
        return items.with_columns(pinned=pinned)

    def _blocks(self, queries: QueryBatch) -> list[tuple[str, Ragged]]:
        """What each query may not get, with the reason."""
        blocks = [
            ("excluded", queries.exclude),
            ("hidden", queries.rejected),
            ("anchor", queries.items),
        ]
        if queries.keep_seen is not None:  # what the queries say goes before the setting
            if not queries.keep_seen.all():
                blocks.append(("seen", _only(queries.seen, ~queries.keep_seen)))
        elif queries.candidates is None and self.config.seen == "once":
            blocks.append(("seen", queries.seen))
        elif queries.candidates is None and self.config.seen == "cooldown":
            blocks.append(("cooldown", self._recent(queries)))
        return blocks

    def _recent(self, queries: QueryBatch) -> Ragged:
        """What each user took in the last days; everything, where the query has no time."""
        history = queries.history
        since = queries.times[history.rows] - np.int64(self.config.cooldown_days * DAY)
        return history.filter(history.times > since).ragged

    def _mask(self, queries: QueryBatch) -> BoolArray | None:
        """bool [1 or B, n]: what may be shown at all; None without a live catalogue."""
        masks = [mask for _, mask in self._masks(queries)]
        return functools.reduce(np.logical_and, masks) if masks else None

    def _masks(self, queries: QueryBatch) -> list[tuple[str, BoolArray]]:
        """Masks bool [1 or B, n] with the reason why the others are out."""
        if queries.live is None:
            if any(queries.filters):
                raise FilterError("a filter needs the live catalogue", field="filter")
            return []
        catalogue = queries.live.state.catalogue
        masks = [("deleted", catalogue.alive[None, :])]
        for reason, rule in (
            ("unavailable", self.config.available),
            ("filtered", self.config.allow),
        ):
            if rule:
                masks.append((reason, compile_filter(rule).mask(catalogue)[None, :]))
        if self.config.deny:
            denied = compile_filter(self.config.deny).mask(catalogue)
            masks.append(("filtered", ~denied[None, :]))
        if set(queries.filters) - {None, ""}:
            masks.append(("filtered", _asked(queries, catalogue)))
        return masks

    def _pinning(self, queries: QueryBatch) -> BoolArray:
        """bool [B]: the queries that pins are meant for."""
        anchored = (queries.items.lengths > 0).tolist()
        spoken = [bool(one and one.strip()) for one in queries.texts]
        return np.array([not (a or s) for a, s in zip(anchored, spoken, strict=True)], np.bool_)

    def _pins(self, queries: QueryBatch) -> tuple[Int32Array, Int64Array]:
        """Numbers and places (from 0) of the pinned items that the catalogue knows."""
        if queries.live is None:
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        pins = [
            Pin(one, place) if isinstance(one, str) else one
            for place, one in enumerate(self.config.pins, 1)
        ]
        numbers = queries.live.state.catalogue.numbers(one.item for one in pins)
        places = np.array([one.place - 1 for one in pins], np.int64)
        return numbers[numbers >= 0], places[numbers >= 0]


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
    counts = np.where(chosen, rows.lengths, 0)
    return Ragged.from_lengths(rows.values[chosen[rows.rows]], counts)
