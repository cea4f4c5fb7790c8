"""What a query asks for: its words, and the terms of items that stand for each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int32Array
from plait.retrieval.inverted_index import has_digit
from plait.retrieval.live_words import IndexView
from plait.retrieval.stems import COMPOUNDING
from plait.retrieval.synonyms import SynonymTable
from plait.retrieval.tokens import Token, tokenize
from plait.retrieval.units import unit_of_word

__all__ = ["Alternative", "Slot", "query_slots", "slot_items", "slot_scores"]

_MAX_SLOTS, _MAX_CORRECTED = 64, 16
_MAX_ALTERNATIVES = 30
_ONE_EDIT_LENGTH, _TWO_EDITS_LENGTH = 4, 7
_MIN_PREFIX, _MIN_COMPOUND_PART, _MIN_OTHER_PART, _MIN_SPLIT_PART = 3, 4, 3, 2
_SPLIT_WEIGHT, _COMPOUND_HEAD_WEIGHT, _COMPOUND_PART_WEIGHT = 0.9, 0.6, 0.4
_SYNONYM_WEIGHT = 0.9
_CORRECTION_WEIGHTS = {1: 0.8, 2: 0.6}
_PREFIX_WEIGHT = 0.6
_LINKS = ("s", "es", "n", "en", "er", "e")
"""What compounds put between their parts."""
_BELOW_EXACT = 0.9
"""The best corrected match is worth this share of the worst exact one at most."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Terms of which an item needs all to match a word of the query.

    Attributes:
        terms: The stems.
        weight: What a match counts, 1 for the word itself.
    """

    terms: tuple[str, ...]
    weight: float = 1.0


@dataclass(slots=True)
class Slot:
    """A word of a query.

    Attributes:
        word: The word as typed, folded.
        exact: What stands for the word itself: its stems, the word joined with a neighbour, parts.
        guesses: What may stand for it, since no item has it: words that differ by a typing error.
        corrections: The words of `guesses` as items write them, the likeliest first; none if an
            item has a stem of the word itself.
    """

    word: str
    exact: list[Alternative] = field(default_factory=list)
    guesses: list[Alternative] = field(default_factory=list)
    corrections: tuple[str, ...] = ()


def query_slots(
    view: IndexView,
    text: str,
    *,
    is_fuzzy: bool,
    synonyms: SynonymTable | None = None,
    stop_words: Collection[str] = (),
) -> list[Slot]:
    """Read a query.

    Args:
        view: The items.
        text: What a person typed.
        is_fuzzy: Whether a word that no item has may stand for similar ones.
        synonyms: Other terms that stand for words of the query; None: there are none.
        stop_words: Folded words that are passed over if the query has any other.

    Returns:
        One slot for each distinct word, in order.
    """
    slots: dict[str, Slot] = {}
    words: list[str] = []
    for token in tokenize(text):
        words += token.words
        for word in token.words:
            if word not in slots and len(slots) < _MAX_SLOTS:
                slots[word] = Slot(word)
        _add_exact(view, token, slots)
    for first, second in pairwise(list(slots)):
        joined = first + second
        if view.count(joined) > 0:
            for word in (first, second):
                slots[word].exact += _stems(view, joined)
    slots = {word: slot for word, slot in slots.items() if word not in stop_words} or slots
    known = set() if synonyms is None else _add_synonyms(slots, words, synonyms)
    unknown = [s for word, s in slots.items() if view.count(word) <= 0 and word not in known]
    for slot in unknown[:_MAX_CORRECTED] if is_fuzzy else ():
        _add_guesses(view, slot)
    return list(slots.values())


def _add_synonyms(
    slots: Mapping[str, Slot], words: Sequence[str], synonyms: SynonymTable
) -> set[str]:
    """Add the terms that stand for words of the query; the words that have any."""
    known: set[str] = set()
    for part, terms in synonyms.matches(words[:_MAX_SLOTS]):
        for word in part:
            if word in slots:
                known.add(word)
                slots[word].exact.append(Alternative(terms, _SYNONYM_WEIGHT / len(terms)))
    return known


def _stems(view: IndexView, word: str, weight: float = 1.0) -> list[Alternative]:
    return [Alternative((stem,), weight) for stem in view.index.stemmers.stems(word)]


def _add_exact(view: IndexView, token: Token, slots: dict[str, Slot]) -> None:
    """Add what stands for the words of a token."""
    joined = [token.joined] if token.joined else []
    joined += [piece for piece in token.pieces if piece[0].isdigit()]  # "2x4"
    for word in token.words:
        if word not in slots:
            continue
        exact = slots[word].exact
        exact += _stems(view, word)
        unit = unit_of_word(word)
        for other in [*joined, unit] if unit else joined:
            exact += _stems(view, other)
        if set(view.index.languages) & COMPOUNDING:
            exact += _compounds(view, word)
        if view.count(word) <= 0:
            exact += _parts(view, token)


def _parts(view: IndexView, token: Token) -> list[Alternative]:
    """The parts of a word that no item has: its n-grams, or two words that items have."""
    if token.pieces and not token.words[0][0].isdigit() and not token.words[0].isascii():
        ngrams = [piece for piece in token.pieces if len(piece) > 1] or token.pieces
        return [Alternative(tuple(ngrams), _SPLIT_WEIGHT)]
    if len(token.words) > 1:
        return []
    splits = sorted(_splits(view, token.words[0]), reverse=True)
    return [Alternative((first, second), _SPLIT_WEIGHT) for _, first, second in splits[:1]]


def _splits(view: IndexView, word: str) -> Iterator[tuple[int, str, str]]:
    """The stems of two words that items have together, with how many items have both."""
    for at in range(1, len(word)):
        left, right = word[:at], word[at:]
        is_boundary = left[-1].isdigit() != right[0].isdigit()
        if min(len(left), len(right)) < _MIN_SPLIT_PART and not is_boundary:
            continue
        for ending in ("", *_LINKS) if set(view.index.languages) & COMPOUNDING else ("",):
            stem = left.removesuffix(ending) if left.endswith(ending) else ""
            first, second = _known_stem(view, stem), _known_stem(view, right)
            if first and second:
                together = np.intersect1d(view.postings(first)[0], view.postings(second)[0])
                if len(together):
                    yield len(together), first, second


def _known_stem(view: IndexView, part: str) -> str:
    """The stem of a part of a word; "" if no item has the part, or a longer one in another form."""
    stem = view.index.stemmers.stems(part)[0] if part else ""
    is_known = view.count(part) > 0 or (
        len(part) >= _MIN_COMPOUND_PART and len(view.postings(stem)[0]) > 0
    )
    return stem if is_known else ""


def _compounds(view: IndexView, word: str) -> Iterator[Alternative]:
    """Terms of compounds that have the word, or its stem, as their last part or as their first."""
    if not word.isalpha():
        return
    compounds: dict[str, bool] = {}
    for stem in view.index.stemmers.stems(word):
        if len(stem) >= _MIN_COMPOUND_PART:
            compounds |= _long_enough(view.terms_around(stem), stem)
    if len(word) >= _MIN_COMPOUND_PART:
        for other, is_head in _long_enough(view.words_around(word), word).items():
            compounds |= dict.fromkeys(view.index.stemmers.stems(other), is_head)
    for term, is_head in compounds.items():
        yield Alternative((term,), _COMPOUND_HEAD_WEIGHT if is_head else _COMPOUND_PART_WEIGHT)


def _long_enough(words: Sequence[tuple[str, bool]], part: str) -> dict[str, bool]:
    """The words whose other part is no mere ending, and whether they end in `part`."""
    least = len(part) + _MIN_OTHER_PART
    return {word: is_head for word, is_head in words[:_MAX_ALTERNATIVES] if len(word) >= least}


def _add_guesses(view: IndexView, slot: Slot) -> None:
    """Add what may stand for a word that no item has: one error, the beginning, two errors."""
    word = slot.word
    if has_digit(word):
        return
    near = [
        (other, edits)
        for other, edits in view.near(word, 2 if len(word) >= _TWO_EDITS_LENGTH - 2 else 1)
        if len(other) >= _TWO_EDITS_LENGTH  # "nothing" is no "thing" with two errors
        or (edits == 1 and max(len(word), len(other)) >= _ONE_EDIT_LENGTH)
    ]
    nearest = near[0][1] if near else 0
    beginnings: list[str] = []
    if nearest != 1 and len(word) >= _MIN_PREFIX and not _matches(view, slot):
        beginnings = view.words_with_prefix(word, _MAX_ALTERNATIVES)
    guesses = [(other, _PREFIX_WEIGHT) for other in beginnings] or [
        (other, _CORRECTION_WEIGHTS[edits])
        for other, edits in near[:_MAX_ALTERNATIVES]
        if edits == nearest
    ]
    own = {alternative.terms for alternative in slot.exact}
    slot.guesses = [
        alternative
        for other, weight in guesses
        for alternative in _stems(view, other, weight)
        if alternative.terms not in own
    ]
    if not _matches(view, slot):
        slot.corrections = tuple(other for other, _ in guesses)


def _matches(view: IndexView, slot: Slot) -> bool:
    """Whether an item has what stands for the word itself."""
    return any(len(_posting(view, alternative)[0]) for alternative in slot.exact)


def slot_items(view: IndexView, slot: Slot) -> BoolArray:
    """Tell which items match a word of the query.

    Args:
        view: The items.
        slot: The word.

    Returns:
        bool [n].
    """
    is_match = np.zeros(view.n_items, np.bool_)
    for alternative in (*slot.exact, *slot.guesses):
        is_match[_posting(view, alternative)[0]] = True
    return is_match


def slot_scores(view: IndexView, slot: Slot) -> tuple[Int32Array, Float32Array]:
    """Score the items that match a word of the query.

    Args:
        view: The items.
        slot: The word.

    Returns:
        Item numbers, int32 without repetitions, and their scores, float32 above 0: that of the best
        alternative. All exact matches are above all guesses.
    """
    numbers, scores = _best(view, slot.exact, None)
    if not slot.guesses:
        return numbers, scores
    idf = min(view.idf(term) for guess in slot.guesses for term in guess.terms)
    guessed, guessed_scores = _best(view, slot.guesses, idf)
    if len(numbers) and len(guessed):
        ceiling = _BELOW_EXACT * float(scores.min())
        guessed_scores = guessed_scores * min(1.0, ceiling / float(guessed_scores.max()))
    is_new = ~np.isin(guessed, numbers)
    return (
        np.concatenate([numbers, guessed[is_new]]),
        np.concatenate([scores, guessed_scores[is_new].astype(np.float32)]),
    )


def _best(
    view: IndexView, alternatives: Sequence[Alternative], idf: float | None
) -> tuple[Int32Array, Float32Array]:
    """The items of any alternative, and the score of the best that each has."""
    postings = [_posting(view, alternative, idf) for alternative in alternatives]
    if len(postings) == 1:
        return postings[0]
    if not postings:
        return np.zeros(0, np.int32), np.zeros(0, np.float32)
    numbers = np.concatenate([items for items, _ in postings])
    scores = np.concatenate([weights for _, weights in postings])
    order = np.lexsort((-scores, numbers))
    numbers, scores = numbers[order], scores[order]
    is_first = np.append(True, numbers[1:] != numbers[:-1]) if len(numbers) else order > 0
    return numbers[is_first], scores[is_first]


def _posting(
    view: IndexView, alternative: Alternative, idf: float | None = None
) -> tuple[Int32Array, Float32Array]:
    """The items that have all terms of an alternative, and the sums of their scores."""
    term, *others = alternative.terms
    numbers, weights = view.postings(term)
    scores = weights * np.float32(alternative.weight * (view.idf(term) if idf is None else idf))
    for other in others:
        other_numbers, other_weights = view.postings(other)
        numbers, at, other_at = np.intersect1d(
            numbers, other_numbers, assume_unique=True, return_indices=True
        )
        idf_other = view.idf(other) if idf is None else idf
        scores = scores[at] + other_weights[other_at] * np.float32(alternative.weight * idf_other)
    return numbers, scores
