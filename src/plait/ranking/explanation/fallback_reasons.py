"""Why an item that no model found fills a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.ranking.fallback import FilledBy
from plait.utils.timestamps import DAY

__all__ = ["FALLBACK_TEMPLATES", "fallback_reason"]

NEW_FOR = 30 * DAY
"""For how long an item is new, in microseconds."""

FALLBACK_TEMPLATES: Mapping[str, str] = {
    "popular-in-context": "Popular in {value}",
    "popular-in-category": "Popular in {value}",
    "category": "Also in {value}",
    "most-popular": "Others showed interest",
    "newest": "New here",
    "catalogue": "From the catalogue",
}
"""A sentence for each step of the ladder; `{value}` is the context's value or the category."""


def fallback_reason(
    filled_by: FilledBy, time: int, templates: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Explain why an item fills a list.

    Args:
        filled_by: The step of the ladder and what it rests on.
        time: The time of the query, in microseconds.
        templates: Other sentences by step.

    Returns:
        One reason as other items have them: `model` is the step of the ladder, `fact` the category.
    """
    step: str = filled_by.step
    is_old = filled_by.time is None or time - filled_by.time > NEW_FOR
    template = (
        templates.get(step)
        or FALLBACK_TEMPLATES["catalogue" if step == "newest" and is_old else step]
    )
    fact = {"field": filled_by.field, "value": filled_by.value} if filled_by.field else None
    text = template.replace("{value}", filled_by.value)
    return [{"model": step, "rank": None, "because": None, "fact": fact, "text": text}]
