"""Finds the words of a text that occur in an item."""

from __future__ import annotations

import unicodedata

from plait.data.catalogue import Catalogue
from plait.features.text import Analyzer, document, word_fields
from plait.ranking.explanation.safe_text import safe_text
from plait.utils.text_cache import text_cache

__all__ = ["matched_words", "title_words"]

_MAX_WORDS = 6
_MAX_TEXT = 2_000
_MIN_STEM = 3
_LONG_STEM = 5
_ENDINGS = frozenset({"e", "en", "er", "es", "n", "s", "x"})
"""Endings by which long words differ from each other; short ones by an "s" alone."""


def matched_words(catalogue: Catalogue, number: int, text: str) -> tuple[str, ...]:
    """Find the words of an item that a text asks for.

    Args:
        catalogue: The items.
        number: The number of the item.
        text: What a person typed.

    Returns:
        The words as the item spells them, in the order of the text: those of the text, and those
        that differ from them in a short ending only ("mugs", "mug"); letters and digits alone.
    """
    spelled: dict[str, str] = {}
    beginning = document(catalogue, number, word_fields(catalogue))[:_MAX_TEXT]
    for word in _words(safe_text(beginning)):
        spelled.setdefault(_folded(word), word)
    matches: dict[str, None] = {}
    for asked in map(_folded, _words(safe_text(text[:_MAX_TEXT]))):
        if asked in spelled:
            matches[spelled[asked]] = None
            continue
        close = next((word for word in spelled if _is_inflection(asked, word)), None)
        if close is not None:
            matches[spelled[close]] = None
    return tuple(matches)[:_MAX_WORDS]


@text_cache(1 << 14, longest=200)
def title_words(title: str) -> frozenset[str]:
    """List the words of a title.

    Args:
        title: Safe text.

    Returns:
        Its words, folded; those of a letter or two only if they are no Latin ones.
    """
    words = map(_folded, _words(title))
    return frozenset(word for word in words if len(word) >= _MIN_STEM or not word.isascii())


@text_cache(4096, longest=200)
def _words(text: str) -> tuple[str, ...]:
    return tuple(Analyzer("").normalize(text).split())


def _folded(word: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _is_inflection(first: str, second: str) -> bool:
    short, long = sorted((first, second), key=len)
    if not long.startswith(short) or len(short) < _MIN_STEM:
        return False
    ending = long[len(short) :]
    return ending == "s" or (len(short) >= _LONG_STEM and ending in _ENDINGS)
