"""Completes the last word of a text by the words of the items that have the words before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from plait.data.array_types import BoolArray, Int32Array
from plait.features.text_folding import fold, mark_class
from plait.pipeline.query_completion import Completion
from plait.retrieval.live_words import IndexView
from plait.retrieval.query_words import query_slots, slot_items

__all__ = ["complete_text"]

_MOST_CANDIDATES = 60
"""How many of the words with a prefix, the most frequent ones, are looked up with those before."""

_MIN_CORRECTED = 4
"""A shorter beginning is not corrected."""

_MOST_READ, _MOST_SPELLINGS = 10, 3
"""How many items are read for the spelling of a word, and how many of its spellings are enough."""

_LONGEST_READ = 2_000
"""How many characters of a text are read for a spelling."""


Texts = Callable[[int], Sequence[str]]


def complete_text(
    view: IndexView, text: str, k: int, item_texts: Texts | None = None
) -> list[Completion]:
    """Complete the last word of a text.

    Args:
        view: The items.
        text: What a person has typed so far.
        k: The most completions.
        item_texts: Returns the texts of an item, from which the spelling of a word is read; None:
            words are shown folded.

    Returns:
        Texts, those of most items first; of words with one stem the most frequent one, as items
        write it. Where no word begins as typed, words whose beginning differs by one error.
    """
    typed = text.rsplit(maxsplit=1)[-1] if text and not text[-1].isspace() else ""
    prefix = fold(typed).strip()
    if not prefix or not prefix.isalnum():
        return []
    head = text[: len(text) - len(typed)]
    allowed = _items_of(view, head)
    words = _words(view, prefix)
    if not words and len(prefix) >= _MIN_CORRECTED:
        words = [word for other in _with_one_error(view, prefix) for word in _words(view, other)]
        words = sorted(set(words), key=lambda word: (-view.count(word), word))
    items_by_stem: dict[str, tuple[str, Int32Array]] = {}
    for word in words[:_MOST_CANDIDATES]:
        stem = view.index.stemmers.stems(word)[0]
        if stem not in items_by_stem:
            items, _ = view.postings(stem)
            items_by_stem[stem] = word, items if allowed is None else items[allowed[items]]
    present = [(word, items) for word, items in items_by_stem.values() if len(items)]
    present.sort(key=lambda entry: (-len(entry[1]), entry[0]))
    return [
        Completion(head + (_spelling(word, items, item_texts) if item_texts else word), len(items))
        for word, items in present[:k]
    ]


def _spelling(word: str, items: Int32Array, item_texts: Texts) -> str:
    """A folded word as most of the first items write it, in small letters if titles shout."""
    spellings: Counter[str] = Counter()
    for number in items[:_MOST_READ].tolist():
        for text in item_texts(number):
            written = _word_pattern().findall(text[:_LONGEST_READ])
            spelling = next((other for other in written if fold(other) == word), "")
            if spelling:
                spellings[spelling.lower() if text.isupper() else spelling] += 1
                break
        if spellings.total() == _MOST_SPELLINGS:
            break
    return max(spellings, key=lambda spelling: (spellings[spelling], spelling), default=word)


@cache
def _word_pattern() -> re.Pattern[str]:
    """Words of any script as texts write them."""
    return re.compile(rf"[^\W_][\w{mark_class()}]*")


def _words(view: IndexView, prefix: str) -> list[str]:
    """The words that begin with a prefix, and the prefix itself, the most frequent first."""
    words = view.words_with_prefix(prefix, _MOST_CANDIDATES)
    return [prefix, *words] if view.count(prefix) > 0 else words


def _items_of(view: IndexView, head: str) -> BoolArray | None:
    """The items that have all words of a text, bool [n]; None where it has no word."""
    slots = query_slots(view, head, is_fuzzy=True) if head.strip() else []
    if not slots:
        return None
    has_all: BoolArray = np.logical_and.reduce([slot_items(view, slot) for slot in slots])
    return has_all


def _with_one_error(view: IndexView, prefix: str) -> list[str]:
    """The beginnings of words that one typing error turns into `prefix`, and some of no word."""
    beginnings: list[str] = []
    for at in range(len(prefix)):
        start, rest = prefix[:at], prefix[at:]
        letters = view.next_letters(start)
        if not letters:  # no word begins like this, so that the error is further to the left
            break
        beginnings += [start + rest[1:], start + rest[1:2] + rest[0] + rest[2:]]
        beginnings += [start + letter + tail for letter in letters for tail in (rest[1:], rest)]
    return list(dict.fromkeys(beginnings))
