"""Completes the last word of a text by the words of the items that have the words before it."""

from __future__ import annotations

import numpy as np

from plait.data.array_types import BoolArray
from plait.features.text_folding import fold
from plait.pipeline.query_completion import Completion
from plait.retrieval.live_words import IndexView
from plait.retrieval.query_words import query_slots, slot_scores

__all__ = ["complete_text"]

_MOST_CANDIDATES = 60
"""How many of the words with a prefix, the most frequent ones, are looked up with those before."""

_MIN_CORRECTED = 4
"""A shorter beginning is not corrected."""

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def complete_text(view: IndexView, text: str, k: int) -> list[Completion]:
    """Complete the last word of a text.

    Args:
        view: The items.
        text: What a person has typed so far.
        k: The most completions.

    Returns:
        Texts, those of most items first; of words with one stem the most frequent one. Where no
        word begins as typed, words whose beginning differs by one error.
    """
    typed = text.rsplit(maxsplit=1)[-1] if text and not text[-1].isspace() else ""
    prefix = fold(typed).strip()
    if not prefix or not prefix.isalnum():
        return []
    head = text[: len(text) - len(typed)]
    allowed = _items_of(view, head)
    words = _words(view, prefix)
    if not words and len(prefix) >= _MIN_CORRECTED:
        words = [word for other in _with_one_error(prefix) for word in _words(view, other)]
        words = sorted(set(words), key=lambda word: (-view.count(word), word))
    counts: dict[str, tuple[str, int]] = {}
    for word in words[:_MOST_CANDIDATES]:
        stem = view.index.stemmers.stems(word)[0]
        if stem not in counts:
            items, _ = view.postings(stem)
            counts[stem] = word, len(items) if allowed is None else int(allowed[items].sum())
    present = [(word, count) for word, count in counts.values() if count]
    present.sort(key=lambda entry: (-entry[1], entry[0]))
    return [Completion(head + word, count) for word, count in present[:k]]


def _words(view: IndexView, prefix: str) -> list[str]:
    """The words that begin with a prefix, and the prefix itself, the most frequent first."""
    words = view.words_with_prefix(prefix)
    return [prefix, *words] if view.count(prefix) > 0 else words


def _items_of(view: IndexView, head: str) -> BoolArray | None:
    """The items that have all words of a text, bool [n]; None where it has no word."""
    slots = query_slots(view, head, is_fuzzy=True) if head.strip() else []
    if not slots:
        return None
    counts = np.zeros(view.n_items, np.int32)
    for slot in slots:
        counts[slot_scores(view, slot)[0]] += 1
    has_all: BoolArray = counts == len(slots)
    return has_all


def _with_one_error(prefix: str) -> list[str]:
    """The beginnings that one typing error turns into `prefix`."""
    places = range(len(prefix))
    swapped = [prefix[:n] + prefix[n + 1] + prefix[n] + prefix[n + 2 :] for n in places[:-1]]
    shorter = [prefix[:n] + prefix[n + 1 :] for n in places]
    changed = [prefix[:n] + letter + prefix[n + 1 :] for n in places for letter in _LETTERS]
    longer = [prefix[:n] + letter + prefix[n:] for n in places for letter in _LETTERS]
    return list(dict.fromkeys([*swapped, *shorter, *changed, *longer]))
