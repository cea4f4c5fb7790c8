"""Exclusion rules, applied before retrieval and checked after it; and pinned items.

`limit` sets what retrievers leave out; `apply` marks the candidates that break a rule, with the
reason. The caller's own list is not shortened by what the user has seen or what no catalogue
names, but deleted, unavailable, filtered, rejected and excluded items are marked there too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from plait.data.catalogue import Catalogue
from plait.data.query_controls import Cooldown, SeenRule
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
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.stage import Stage
from plait.ranking.availability import (
    AUTO,
    Availability,
    availability_of,
    check_availability_fields,
)
from plait.ranking.boost_and_bury import boost_factors
from plait.ranking.filters.filter_expression import compile_filter
from plait.ranking.item_variants import (
    VARIANT,
    product_groups,
    requested_groups,
    with_own_variants,
)
from plait.ranking.seen_items import seen_items
from plait.utils.timestamps import DAY

__all__ = ["Pin", "Rules", "RulesConfig"]


@dataclass(frozen=True, slots=True)
class Pin:
    """An item with a fixed rank.

    Attributes:
        item: The external id.
        place: The rank, from 1.
    """

    item: str
    place: int = bounded_field(1, Limit(least=1))


@dataclass(frozen=True, slots=True)
class RulesConfig:
    """Settings of `rules`.

    Expressions are those of `plait.ranking.filters.filter_expression`; empty: no rule.
    """

    seen: Literal["once", "off", "cooldown"] = "once"
    """Items that the user has interacted with: never again, no rule, or not again for some days."""
    cooldown_days: float = bounded_field(30.0, Limit(least=0, most=1_000_000))
    """For how long a "cooldown" keeps an item away after the user's last event with it."""
    seen_events: tuple[str, ...] = field(default_factory=tuple)
    """The event types by which an item counts as seen, such as "purchase"; none: all."""
    cooldowns: tuple[Cooldown, ...] = field(default_factory=tuple)
    """Periods for some items in place of what `seen` says: tables with `filter` and `days`; the
    first one that matches holds."""
    uncatalogued: Literal["hide", "show"] = "hide"
    """Whether ids that no item event has described (shipping, vouchers) may be shown where there
    is a catalogue; they train the models in any case."""
    availability: tuple[str, ...] = (AUTO,)
    """The fields that say whether an item is in stock; "auto" stands for those with known names
    (`plait.ranking.availability`), unless `available` says it; none: no such rule."""
    available: str = ""
    """Only matching items may be shown, `available == true`; others are marked "unavailable"."""
    group_by: str = ""
    """The field of which each value is shown once, by its best item: "auto" for the field that
    names an item's product (`plait.ranking.item_variants`), the name of a field, or none."""
    anchor_variants: Literal["hide", "show"] = "hide"
    """Whether "more like this" may show other variants of the item that is asked about."""
    allow: str = ""
    """Only matching items may be shown; others are marked "filtered"."""
    deny: str = ""
    """Matching items may not be shown."""
    pins: tuple[str | Pin, ...] = field(default_factory=tuple)
    """Items with a fixed rank in answers to queries without text and items: ids, which take the
    ranks 1, 2, ... in their order, or tables with `item` and `place`."""

    def __post_init__(self) -> None:
        cooldowns = (cooldown.filter for cooldown in self.cooldowns)
        for expression in filter(None, (self.available, self.allow, self.deny, *cooldowns)):
            compile_filter(expression)


class Rules(Stage[RulesConfig]):
    """Writes `removed_by`, and `pinned`: the rank of a pinned item from 0, -1 for others."""

    Config = RulesConfig
    test_variants = ({"seen": "cooldown"},)
    writes = ("removed_by", "pinned")

    def __init__(self, config: RulesConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._sellable: tuple[Catalogue, Availability] | None = None
        fields = self.config.availability
        self.availability_fields = fields
        """The fields that are read; the expression `available` takes the place of "auto"."""
        if self.config.available:
            self.availability_fields = tuple(name for name in fields if name != AUTO)

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Check that the expressions fit the fields of the catalogue.

        Args:
            dataset: The data set.
            seed: Ignored.

        Raises:
            FilterError: A field of an expression is unknown or has another type.
            InputError: A field of `availability` or `group_by` is unknown or has another type.
        """
        config = self.config
        cooldowns = (cooldown.filter for cooldown in config.cooldowns)
        for expression in filter(None, (config.available, config.allow, config.deny, *cooldowns)):
            compile_filter(expression).mask(dataset.catalogue)
        fields = [name for name in config.availability if name != AUTO]
        check_availability_fields(dataset.catalogue, fields, f"{self.name}.availability")
        product_groups(dataset.catalogue, config.group_by)
        return self.clone()

    def limit(self, queries: QueryBatch) -> QueryBatch:
        """Set `blocked`, `mask`, `pinned` and `groups`.

        Args:
            queries: B queries.

        Raises:
            FilterError: A filter does not fit the fields of the catalogue.
            InputError: The queries name a field in `group_by` that the catalogue lacks.
        """
        if self.config.group_by or queries.group_by:
            groups = requested_groups(queries, self.config.group_by)
            queries = replace(queries, groups=groups)
        masks, blocked_items = removals = self._masks(queries), self._blocked_items(queries)
        blocked = blocked_items[0][1]
        for _, items in blocked_items[1:]:
            if len(items.values):
                blocked = blocked.hstack(items) if len(blocked.values) else items
        pinned = None
        if queries.pins is not None:
            pinned = Ragged.from_rows([[number for number, _ in pins] for pins in queries.pins])
        elif self.config.pins:
            pins, _ = self._pins(queries)
            has_pins = self._has_pins(queries)
            if len(pins) and has_pins.any():
                counts = np.where(has_pins, len(pins), 0).astype(np.int64)
                pinned = Ragged.from_lengths(np.tile(pins, int(has_pins.sum())), counts)
        mask = functools.reduce(np.logical_and, [mask for _, mask in masks]) if masks else None
        cache = {**queries.cache, self.name: removals}
        return replace(queries, blocked=blocked, mask=mask, pinned=pinned, cache=cache)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Mark candidates that may not be shown, with the first reason; set the ranks of pins.

        Args:
            queries: B queries.
            items: Their candidates.
        """
        numbers = items.item_numbers
        items = items.mark_removed(np.zeros(numbers.shape, np.bool_), "deleted")
        pinned = np.full(numbers.shape, ABSENT, np.int32)
        if queries.pins is not None or self.config.pins:
            self._set_pinned_ranks(queries, numbers, pinned)
        if self.name in queries.cache:
            masks, blocked_items = queries.cache[self.name]
        else:
            masks, blocked_items = self._masks(queries), self._blocked_items(queries)
        removals = [(reason, _outside(numbers, mask)) for reason, mask in masks]
        for reason, blocked in blocked_items:
            is_blocked = blocked.isin(numbers)
            is_yielding = queries.pins is not None and reason in ("seen", "cooldown")
            if is_yielding or reason == VARIANT:
                is_blocked &= pinned < 0
            removals.append((reason, is_blocked))
        for reason, is_removed in removals:
            if is_removed.any():
                items = items.mark_removed(is_removed, reason)
        if queries.boosts is not None:
            items = items.with_columns(boost=boost_factors(queries, numbers))
        return items.with_columns(pinned=pinned)

    def _set_pinned_ranks(
        self, queries: QueryBatch, numbers: Int32Array, pinned: Int32Array
    ) -> None:
        """Write the ranks of pinned candidates to `pinned`, int32 [B, K]."""
        if queries.pins is not None:  # those of a query replace the recipe's
            for row, pins in enumerate(queries.pins):
                for number, rank in pins:
                    pinned[row, numbers[row] == number] = rank
        else:
            has_pins = self._has_pins(queries)[:, None]
            for number, rank in zip(*self._pins(queries), strict=True):
                pinned[(numbers == number) & has_pins] = rank
        if queries.shown is not None:  # a rank counts from the first response
            n_shown = queries.shown.lengths[:, None].astype(np.int32)
            pinned[:] = np.where(pinned < n_shown, ABSENT, pinned - n_shown)

    @functools.cached_property
    def _seen_rule(self) -> SeenRule | None:
        """The rule of seen items where it goes by type of event or kind of item, else None."""
        config = self.config
        if not (config.seen_events or config.cooldowns):
            return None
        days = {"once": None, "off": 0.0, "cooldown": config.cooldown_days}[config.seen]
        types = tuple(event_type.strip().lower() for event_type in config.seen_events)
        return SeenRule(types, days, config.cooldowns)

    def _blocked_items(self, queries: QueryBatch) -> list[tuple[str, Ragged]]:
        """The items that each query must not return, with the reason; exclusions come first."""
        blocked = [("excluded", queries.exclude), ("hidden", queries.rejected)]
        rule = self._seen_rule
        if queries.seen_rules is not None:  # a query's own setting overrides the recipe's
            blocked += seen_items(queries, queries.seen_rules)
        elif queries.keep_seen is not None:
            if not queries.keep_seen.all():
                is_removed = ~queries.keep_seen
                seen = queries.seen.values[is_removed[queries.seen.rows]]
                counts = np.where(is_removed, queries.seen.lengths, 0)
                blocked.append(("seen", Ragged.from_lengths(seen, counts)))
        elif queries.candidates is None and rule is not None:
            blocked += seen_items(queries, [rule] * len(queries))
        elif queries.candidates is None and self.config.seen == "once":
            blocked.append(("seen", queries.seen))
        elif queries.candidates is None and self.config.seen == "cooldown":
            history = queries.history
            if queries.events is not None:  # the history may be cut, what is known is not
                history = queries.events.filter(queries.events.weights > 0)
            since = queries.times[history.rows] - np.int64(self.config.cooldown_days * DAY)
            blocked.append(("cooldown", history.filter(history.times > since).ragged))
        if queries.groups is not None and queries.groups.are_products:
            groups = queries.groups
            blocked = [(reason, groups.with_variants(items)) for reason, items in blocked]
        anchors = queries.items
        if len(anchors.values) and self.config.anchor_variants == "hide":
            anchors = with_own_variants(queries)
        return [*blocked, *_shown_before(queries), ("anchor", anchors)]

    def _masks(self, queries: QueryBatch) -> list[tuple[str, BoolArray]]:
        """Masks bool [1 or B, n], each with the reason why other items are removed."""
        if queries.live is None:
            if any(queries.filters):
                raise FilterError("a filter needs the live catalogue", field="filter")
            return []
        catalogue = queries.live.state.catalogue
        masks = [("deleted", catalogue.alive[None, :])]
        latest = self._sellable  # other threads may replace it
        if latest is None or latest[0] is not catalogue:
            latest = catalogue, availability_of(catalogue, self.availability_fields)
            self._sellable = latest
        sellable = latest[1]
        hides = self.config.uncatalogued == "hide" and queries.candidates is None
        if hides and sellable.catalogued is not None:
            masks.append(("uncatalogued", sellable.catalogued))
        in_stock = sellable.mask(queries.times) if sellable.has_times else sellable.in_stock
        if in_stock is not None and not queries.is_replayed:
            masks.append(("unavailable", in_stock))
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
            masks.append(("filtered", _query_filters(queries, catalogue)))
        return masks

    def _has_pins(self, queries: QueryBatch) -> BoolArray:
        """Whether a query has neither text nor items, bool [B]: only then pins are shown."""
        has_text = np.array([bool(text and text.strip()) for text in queries.texts], np.bool_)
        return ~(has_text | (queries.items.lengths > 0))

    def _pins(self, queries: QueryBatch) -> tuple[Int32Array, Int64Array]:
        """The numbers and the ranks from 0 of the pinned items that exist."""
        if queries.live is None:
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        pins = [
            Pin(pin, position) if isinstance(pin, str) else pin
            for position, pin in enumerate(self.config.pins, 1)
        ]
        numbers = queries.live.state.catalogue.numbers(pin.item for pin in pins)
        ranks = np.array([pin.place - 1 for pin in pins], np.int64)
        return numbers[numbers >= 0], ranks[numbers >= 0]


def _shown_before(queries: QueryBatch) -> list[tuple[str, Ragged]]:
    """What earlier responses have shown, and what shares its groups, with the reason."""
    if queries.shown is None:
        return []
    blocked = [("excluded", queries.shown)]
    if queries.groups is not None:
        blocked.append((VARIANT, queries.groups.with_variants(queries.shown)))
    return blocked


def _query_filters(queries: QueryBatch, catalogue: Catalogue) -> BoolArray:
    """The filters of the queries themselves, bool [1 or B, n]."""
    if len(set(queries.filters)) == 1:
        return compile_filter(str(queries.filters[0])).mask(catalogue)[None, :]
    no_filter = np.ones(len(catalogue), np.bool_)
    return np.stack(
        [
            compile_filter(expression).mask(catalogue) if expression else no_filter
            for expression in queries.filters
        ]
    )


def _outside(numbers: Int32Array, mask: BoolArray) -> BoolArray:
    """The candidates that a mask [1 or B, n] excludes or does not contain, bool [B, K]."""
    width = mask.shape[1]
    is_item: BoolArray = numbers >= 0
    if not width:
        return is_item
    is_known = is_item & (numbers < width)
    rows = np.zeros((1, 1), np.int64) if len(mask) == 1 else np.arange(len(mask))[:, None]
    is_removed: BoolArray = is_item & ~(is_known & mask[rows, np.where(is_known, numbers, 0)])
    return is_removed
