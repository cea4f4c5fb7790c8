"""Reasons of items that fill a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.ranking.explanation.reason_writer import MAX_LENGTH, OWN_SENTENCE
from plait.ranking.explanation.safe_text import safe_text, shortened
from plait.ranking.explanation.sentences import sentence
from plait.ranking.fallback import FilledBy
from plait.utils.timestamps import DAY

__all__ = ["fallback_reason"]

NEW_FOR = 30 * DAY
"""For how long an item is new, in microseconds."""

_KEYS: Mapping[str, str] = {
    "popular-in-context": "filled_context",
    "popular-in-category": "filled_category",
    "category": "filled_category",
    "most-popular": "filled_others",
    "newest": "filled_newest",
    "catalogue": "filled_catalogue",
}
"""The sentence of each step of the ladder; `{value}` is the context's value or the category."""

_LONGEST_VALUE = 60


def fallback_reason(
    filled_by: FilledBy, time: int, templates: Mapping[str, str], language: str
) -> list[dict[str, Any]]:
    """Explain why an item fills a list.

    Args:
        filled_by: The step of the ladder and what it rests on.
        time: The time of the query, in microseconds.
        templates: Other sentences by step.
        language: The language of the sentence.

    Returns:
        One reason as other items have them: `model` is the step of the ladder, `fact` the category.
    """
    step: str = filled_by.step
    is_old = filled_by.time is None or time - filled_by.time > NEW_FOR
    own = templates.get(step)
    key = "filled_catalogue" if step == "newest" and is_old else _KEYS[step]
    value = shortened(safe_text(filled_by.value), _LONGEST_VALUE)
    text = (own or sentence(language, key)).replace("{value}", value)
    return [
        {
            "model": step,
            "rank": None,
            "because": None,
            "fact": {"field": filled_by.field, "value": filled_by.value}
            if filled_by.field
            else None,
            "text": shortened(text, MAX_LENGTH),
            "key": OWN_SENTENCE if own else key,
            "action": None,
            "words": [],
            "count": None,
        }
    ]
