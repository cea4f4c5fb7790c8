"""Why an item that no model found fills a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plait.ranking.fallback import FilledBy
from plait.utils.timestamps import DAY

__all__ = ["FALLBACK_SENTENCES", "fallback_reason"]

NEW_FOR = 30 * DAY
"""For how long an item is new, in microseconds."""

_MAX_VALUE = 60

FALLBACK_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "popular": "Popular in {value}",
        "interest": "Others showed interest",
        "category": "Also in {value}",
        "new": "New here",
        "catalogue": "From the catalogue",
    },
    "de": {
        "popular": "Beliebt in {value}",
        "interest": "Andere haben sich dafür interessiert",
        "category": "Auch in {value}",
        "new": "Neu hier",
        "catalogue": "Aus dem Sortiment",
    },
    "fr": {
        "popular": "Populaire dans {value}",
        "interest": "D’autres s’y sont intéressés",
        "category": "Aussi dans {value}",
        "new": "Nouveau ici",
        "catalogue": "Du catalogue",
    },
    "es": {
        "popular": "Popular en {value}",
        "interest": "Otros se han interesado",
        "category": "También en {value}",
        "new": "Nuevo aquí",
        "catalogue": "Del catálogo",
    },
    "zh": {
        "popular": "{value}中的热门",
        "interest": "其他人感兴趣",
        "category": "同属{value}",
        "new": "新上架",
        "catalogue": "来自商品目录",
    },
}
"""By language, a sentence for each claim; `{value}` is the category or the context's value."""


def fallback_reason(
    filled_by: FilledBy, time: int, templates: Mapping[str, str], language: str = "en"
) -> list[dict[str, Any]]:
    """Explain why an item fills a list.

    Args:
        filled_by: The step of the ladder and what it rests on.
        time: The time of the query, in microseconds.
        templates: Other sentences by step.
        language: One of the languages of `FALLBACK_SENTENCES`; others are answered in English.

    Returns:
        One reason as other items have them: `model` is the step of the ladder, `fact` the category.
    """
    sentences = FALLBACK_SENTENCES.get(language, FALLBACK_SENTENCES["en"])
    template = templates.get(filled_by.step) or sentences[_claim(filled_by, time)]
    value = filled_by.value
    shown = value if len(value) <= _MAX_VALUE else value[: _MAX_VALUE - 1].rstrip() + "…"
    fact = {"field": filled_by.field, "value": value} if filled_by.field else None
    text = template.replace("{value}", shown)
    step: str = filled_by.step
    return [{"model": step, "rank": None, "because": None, "fact": fact, "text": text}]


def _claim(filled_by: FilledBy, time: int) -> str:
    """What is true of the item."""
    if filled_by.step in ("popular-in-context", "popular-in-category"):
        return "popular" if filled_by.is_top else "interest"
    if filled_by.step == "most-popular":
        return "interest"
    if filled_by.step == "category":
        return "category"
    is_new = filled_by.time is not None and time - filled_by.time <= NEW_FOR
    return "new" if filled_by.step == "newest" and is_new else "catalogue"
