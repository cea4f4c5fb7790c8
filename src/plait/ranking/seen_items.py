"""Items that a user has seen too recently: by event type, with periods by category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plait.data.array_types import BoolArray, Float64Array
from plait.data.catalogue import Catalogue
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.query_controls import SeenRule
from plait.data.ragged import Ragged
from plait.errors import FilterError
from plait.ranking.filters.filter_expression import compile_filter
from plait.utils.timestamps import DAY

__all__ = ["seen_items"]


def seen_items(queries: QueryBatch, rules: Sequence[SeenRule | None]) -> list[tuple[str, Ragged]]:
    """Find the items that each query must not return.

    Args:
        queries: B queries.
        rules: B rules; a query without one has no such items.

    Returns:
        The items, with the reason: "seen" for good, "cooldown" for some days.

    Raises:
        FilterError: A cool-down's expression does not fit the fields of the catalogue.
    """
    events = queries.events
    if events is None:
        events = queries.history
    is_forever = np.zeros(len(events.items), np.bool_)
    is_recent = np.zeros(len(events.items), np.bool_)
    age = (queries.times[events.rows] - events.times) / DAY
    rows_of_rule: dict[SeenRule, list[int]] = {}
    for row, rule in enumerate(rules):
        if rule is not None:
            rows_of_rule.setdefault(rule, []).append(row)
    for rule, rows in rows_of_rule.items():
        counts = _has_type(events, rule, queries)
        if len(rows) < len(rules):
            counts = counts & np.isin(events.rows, rows)
        days = _days(events, rule, queries)
        is_forever |= counts & np.isinf(days)
        is_recent |= counts & np.isfinite(days) & (age < days)
    return [
        ("seen", events.filter(is_forever).ragged),
        ("cooldown", events.filter(is_recent).ragged),
    ]


def _has_type(events: History, rule: SeenRule, queries: QueryBatch) -> BoolArray:
    """Which events are of a type that the rule names, bool [N]; without types all are."""
    if not rule.exclude or events.event_types is None or queries.live is None:
        return np.ones(len(events.items), np.bool_)
    names = queries.live.state.event_types
    numbers = [number for number, name in enumerate(names) if name in rule.exclude]
    return np.isin(events.event_types, numbers)


def _days(events: History, rule: SeenRule, queries: QueryBatch) -> Float64Array:
    """For how many days the item of each event stays away, float64 [N]; infinite: for good."""
    days = np.full(len(events.items), np.inf if rule.days is None else rule.days)
    if not rule.cooldowns or queries.live is None:
        return days
    catalogue = queries.live.state.catalogue
    for cooldown in reversed(rule.cooldowns):  # the first one that matches holds
        days[_mask(cooldown.filter, catalogue)[events.items]] = cooldown.days
    return days


def _mask(expression: str, catalogue: Catalogue) -> BoolArray:
    try:
        return compile_filter(expression).mask(catalogue)
    except FilterError as problem:
        raise FilterError(problem.message, hint=problem.hint, field="seen.cooldown") from None
