"""The sentences of explanations in each language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

__all__ = ["field_name", "sentence"]

_FRENCH = "fr"


@lru_cache(maxsize=1 << 10)
def sentence(language: str, key: str, count: int | None = None) -> str:
    """Look up a sentence.

    Args:
        language: One of `plait.pipeline.reason_templates.LANGUAGES`.
        key: What the sentence says.
        count: The number in it, which its plural form depends on.

    Returns:
        The sentence with its placeholders.
    """
    text: str | Mapping[str, str] = _sentences()[language][key]
    if isinstance(text, str):
        return text
    is_one = count in (0, 1) if language == _FRENCH else count == 1
    return text["one" if is_one else "other"]


@lru_cache(maxsize=1 << 10)
def field_name(language: str, field: str) -> str:
    """Name a field of items.

    Args:
        language: The language of the sentence.
        field: The name in the catalogue.

    Returns:
        Its word in the language, else the name with spaces between its words.
    """
    words: Mapping[str, str] = _sentences()["fields"][language]
    return words.get(field.casefold(), field.replace("_", " ").replace(".", " ").strip())


@cache
def _sentences() -> Mapping[str, Any]:
    text = Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
