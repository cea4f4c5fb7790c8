"""What the words of a query and those of an item's title say about how well they match.

The inputs of a ranker that learns from judged searches. All are comparable between queries: shares,
counts, and scores relative to the best item of the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plait.data.array_types import BoolArray, Float32Array, Int32Array, Int64Array
from plait.retrieval.function_words import function_words_of
from plait.retrieval.inverted_index import has_digit
from plait.retrieval.letter_triples import spelling_similarities, triples_of
from plait.retrieval.live_words import IndexView
from plait.retrieval.query_words import Slot, slot_items
from plait.retrieval.title_words import TitleWords, title_words_of
from plait.retrieval.tokens import tokenize

__all__ = ["MATCH_FEATURES", "QueryMatch", "match_features", "quantities"]

_OF_ITEM = (
    "title_words",
    "bm25",
    "bm25_of_best",
    "bm25_of_possible",
    "bm25_behind_best",
    "exact_share",
    "stem_share",
    "part_share",
    "corrected_share",
    "anywhere_share",
    "unmatched_words",
    "unmatched_idf",
    "rarest_unmatched_idf",
    "idf_coverage",
    "idf_coverage_by_stems",
    "title_coverage",
    "title_idf_coverage",
    "rarest_unasked_idf",
    "first_position",
    "mean_position",
    "last_position",
    "span",
    "phrase_share",
    "phrase_words",
    "ordered_share",
    "first_word_match",
    "first_word_position",
    "last_word_match",
    "last_word_position",
    "last_word_before_end",
    "title_numbers",
    "title_begins_with_match",
    "title_ends_with_match",
    "head_matches",
    "head_coverage",
    "numbers_matched",
    "numbers_missing",
    "quantities_equal",
    "quantities_in_conflict",
    "similarity",
    "least_similarity",
    "similarity_by_idf",
    "last_word_similarity",
    "letters_of_query",
    "letters_in_common",
)
_OF_QUERY = (
    "query_words",
    "query_letters",
    "query_numbers",
    "query_quantities",
    "largest_idf",
    "mean_idf",
    "least_idf",
    "first_word_idf",
    "last_word_idf",
    "best_bm25",
    "best_bm25_of_possible",
    "log_matches",
    "log_best_matches",
)
MATCH_FEATURES = (*_OF_ITEM, *_OF_QUERY)
"""The names of the features, in order."""

_EXACT, _STEM, _PART, _CORRECTED = 4, 3, 2, 1
"""How a word of an item matches one of the query: as written, by its stem, by a part or compound,
by a correction."""

_NEAR_BEST = 0.9
"""Items with this share of the best score count as the best matches."""

_FAR = 99
"""The position of what is nowhere in a title."""


@dataclass(frozen=True, slots=True)
class QueryMatch:
    """A query as the index reads it.

    Attributes:
        slots: Its S distinct words.
        quantities: Pairs of slots, a number and the unit behind it.
        matches: The items that match any word, int32 ascending.
        scores: Their BM25, float32.
    """

    slots: Sequence[Slot]
    quantities: Sequence[tuple[int, int]]
    matches: Int32Array
    scores: Float32Array


def match_features(view: IndexView, query: QueryMatch, numbers: Int32Array) -> Float32Array:
    """Compute the features of a query with items.

    Args:
        view: The items.
        query: The query.
        numbers: Item numbers, int32 [K]; those below 0 have an empty title.

    Returns:
        float32 [K, F], a feature for each of `MATCH_FEATURES`.
    """
    if not query.slots:
        return np.full((len(numbers), len(MATCH_FEATURES)), np.nan, np.float32)
    titles = title_words_of(view, numbers)
    kinds = _match_kinds(view, query.slots, titles.words)[:, titles.codes]
    best = np.maximum.reduceat(kinds, titles.starts, axis=1)
    idf = np.array([_idf(view, slot) for slot in query.slots], np.float32)
    asked = [slot.word for slot in query.slots]
    similar = np.maximum.reduceat(
        spelling_similarities(asked, titles.words)[:, titles.codes], titles.starts, axis=1
    )
    similar = np.where(best >= _STEM, np.float32(1), similar)
    anywhere = np.array([slot_items(view, slot)[numbers] for slot in query.slots])
    columns = [
        titles.lengths,
        *_scores(query, idf, numbers),
        *_shares(best, idf, anywhere),
        *_title_shares(view, titles, kinds),
        *_positions(titles, kinds, best),
        *_numbers(view, query, titles, kinds, best),
        *_letters(query.slots, titles, similar, idf),
        *_of_query(query, idf),
    ]
    features = np.empty((len(numbers), len(MATCH_FEATURES)), np.float32)
    for position, column in enumerate(columns):
        features[:, position] = column
    return features


def quantities(slots: Sequence[Slot], text: str) -> list[tuple[int, int]]:
    """Find the numbers with a unit in a query.

    Args:
        slots: The words of the query.
        text: The query.

    Returns:
        Pairs of positions in `slots`: a number, and the unit behind it.
    """
    rows = {slot.word: row for row, slot in enumerate(slots)}
    pairs = (token.words for token in tokenize(text) if len(token.words) == 2)
    return [
        (rows[number], rows[unit])
        for number, unit in pairs
        if number[0].isdigit() and number in rows and unit in rows
    ]


def _match_kinds(view: IndexView, slots: Sequence[Slot], words: Sequence[str]) -> Int64Array:
    """How each word of items matches each word of the query, int64 [S, U]; 0: not at all."""
    kinds = np.zeros((len(slots), len(words)), np.int64)
    slots_of_term: dict[str, list[tuple[int, int]]] = {}
    for row, slot in enumerate(slots):
        for alternative in slot.exact:
            is_whole = alternative.weight >= 1 and len(alternative.terms) == 1
            for term in alternative.terms:
                slots_of_term.setdefault(term, []).append((row, _STEM if is_whole else _PART))
        for alternative in slot.guesses:
            for term in alternative.terms:
                slots_of_term.setdefault(term, []).append((row, _CORRECTED))
    rows_of_word = {slot.word: row for row, slot in enumerate(slots)}
    for column, word in enumerate(words):
        if word in rows_of_word:
            kinds[rows_of_word[word], column] = _EXACT
        for stem in view.index.stemmers.stems(word) if word else ():
            for row, kind in slots_of_term.get(stem, ()):
                kinds[row, column] = max(kinds[row, column], kind)
    return kinds


def _idf(view: IndexView, slot: Slot) -> float:
    """The inverse document frequency of the most frequent term that stands for a word."""
    alternatives = [a for a in slot.exact if a.weight >= 1] or slot.exact
    terms = [term for a in (*alternatives, *slot.guesses) for term in a.terms]
    known = [view.idf(term) for term in terms if len(view.postings(term)[0])]
    return min(known, default=view.index.idf(0))


def _scores(query: QueryMatch, idf: Float32Array, numbers: Int32Array) -> list[npt.ArrayLike]:
    """BM25: as it is, and relative to the best item and to the best possible title."""
    positions = np.searchsorted(query.matches, numbers)
    positions = np.minimum(positions, max(len(query.matches) - 1, 0))
    scores = np.zeros(len(numbers), np.float32)
    best = 0.0
    if len(query.matches):
        is_match = query.matches[positions] == numbers
        scores = np.where(is_match, query.scores[positions], np.float32(0))
        best = float(query.scores.max())
    return [scores, scores / max(best, 1e-9), scores / max(float(idf.sum()), 1e-9), best - scores]


def _shares(best: Int64Array, idf: Float32Array, anywhere: BoolArray) -> list[npt.ArrayLike]:
    """Which words of the query the title has, and how; by number and by inverse frequency."""
    is_missing = best == 0
    total = max(float(idf.sum()), 1e-9)
    missing = np.where(is_missing, idf[:, None], np.float32(0))
    return [
        (best == _EXACT).mean(axis=0),
        (best == _STEM).mean(axis=0),
        (best == _PART).mean(axis=0),
        (best == _CORRECTED).mean(axis=0),
        anywhere.mean(axis=0),
        is_missing.sum(axis=0),
        missing.sum(axis=0),
        missing.max(axis=0),
        1 - missing.sum(axis=0) / total,
        np.where(best >= _STEM, idf[:, None], np.float32(0)).sum(axis=0) / total,
    ]


def _title_shares(view: IndexView, titles: TitleWords, kinds: Int64Array) -> list[npt.ArrayLike]:
    """How much of the title the query asks for."""
    is_asked = (kinds > 0).any(axis=0)
    stems = view.index.stemmers.stems
    by_word = [max(map(view.idf, stems(word))) if word else 0.0 for word in titles.words]
    idf = np.array(by_word, np.float32)[titles.codes]
    asked = np.add.reduceat(is_asked.astype(np.float32), titles.starts)
    asked_idf = np.add.reduceat(np.where(is_asked, idf, np.float32(0)), titles.starts)
    all_idf = np.add.reduceat(idf, titles.starts)
    unasked = np.maximum.reduceat(np.where(is_asked, np.float32(0), idf), titles.starts)
    return [
        asked / np.maximum(titles.lengths, 1),
        asked_idf / np.maximum(all_idf, 1e-9),
        unasked,
    ]


def _positions(titles: TitleWords, kinds: Int64Array, best: Int64Array) -> list[npt.ArrayLike]:
    """Where in the title the words of the query are, and whether in the order of the query."""
    n_slots, n_items = best.shape
    owners = np.repeat(np.arange(n_items), titles.lengths + 1)
    is_best = (kinds > 0) & (kinds == best[:, owners])
    places = np.minimum.reduceat(
        np.where(is_best, titles.places, np.float32(_FAR)), titles.starts, axis=1
    )
    is_there = best > 0
    count = is_there.sum(axis=0)
    last = np.where(is_there, places, np.float32(-1)).max(axis=0)
    first = places.min(axis=0)
    mean = np.where(is_there, places, np.float32(0)).sum(axis=0) / np.maximum(count, 1)
    length = np.maximum(titles.lengths, 1)
    none = count == 0
    is_next = (kinds[:-1, :-1] > 0) & (kinds[1:, 1:] > 0)
    is_next = np.pad(is_next, ((0, 0), (0, 1)))
    pairs = np.maximum.reduceat(is_next, titles.starts, axis=1).sum(axis=0)
    ordered = (is_there[:-1] & is_there[1:] & (places[1:] > places[:-1])).sum(axis=0)
    return [
        first,
        np.where(none, np.float32(_FAR), mean / length),
        np.where(none, np.float32(-1), last / length),
        np.where(none, 0, (last - first + 1) / np.maximum(count, 1)),
        pairs / max(n_slots - 1, 1),
        pairs,
        ordered / max(n_slots - 1, 1),
        best[0],
        places[0],
        best[-1],
        np.where(is_there[-1], places[-1] / length, np.float32(-1)),
        np.where(is_there[-1], titles.lengths - places[-1], np.float32(_FAR)),
    ]


def _numbers(
    view: IndexView, query: QueryMatch, titles: TitleWords, kinds: Int64Array, best: Int64Array
) -> list[npt.ArrayLike]:
    """The ends and the head of the title, numbers, and numbers with a unit."""
    asked = np.asarray((kinds > 0).any(axis=0))
    ends = titles.starts + np.maximum(titles.lengths - 1, 0)
    function_words = function_words_of(view.index.languages)
    is_link = np.array([word in function_words or not word for word in titles.words])
    head_ends = np.minimum.reduceat(
        np.where(is_link[titles.codes], titles.places, np.float32(_FAR)), titles.starts
    ).astype(np.int64)
    heads = titles.starts + np.maximum(head_ends - 1, 0)
    owners = np.repeat(np.arange(len(titles.starts)), titles.lengths + 1)
    in_head = titles.places < head_ends[owners]
    head_asked = np.add.reduceat((asked & in_head).astype(np.float32), titles.starts)
    is_number = np.array([word[:1].isdigit() for word in titles.words])[titles.codes]
    numeric = np.array([slot.word[:1].isdigit() for slot in query.slots])
    matched = best[numeric] > 0
    equal, conflict = _quantities(query, titles, kinds, is_number)
    return [
        np.add.reduceat(is_number.astype(np.float32), titles.starts),
        asked[titles.starts],
        asked[ends],
        asked[heads] & (head_ends > 0),
        head_asked / np.maximum(head_ends, 1),
        matched.sum(axis=0),
        (~matched).sum(axis=0),
        equal,
        conflict,
    ]


def _quantities(
    query: QueryMatch, titles: TitleWords, kinds: Int64Array, is_number: BoolArray
) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    """How many numbers with a unit the title has too, and of how many it has another number."""
    equal = np.zeros(len(titles.starts), np.int64)
    conflict = np.zeros(len(titles.starts), np.int64)
    for number, unit in query.quantities:
        has_unit = np.append(kinds[unit, 1:] > 0, False)
        is_equal = np.maximum.reduceat((kinds[number] > 0) & has_unit, titles.starts)
        is_other = np.maximum.reduceat(is_number & has_unit, titles.starts)
        equal += is_equal
        conflict += is_other & ~is_equal
    return equal, conflict


def _letters(
    slots: Sequence[Slot], titles: TitleWords, similar: Float32Array, idf: Float32Array
) -> list[npt.ArrayLike]:
    """How alike the spelling of the query and that of the title are, by triples of letters."""
    asked = np.bitwise_or.reduce([triples_of(slot.word) for slot in slots])
    masks = np.array([triples_of(word) for word in titles.words])[titles.codes]
    of_titles = np.bitwise_or.reduceat(masks, titles.starts, axis=0)
    common = np.bitwise_count(of_titles & asked).sum(axis=1)
    either = np.bitwise_count(of_titles | asked).sum(axis=1)
    return [
        similar.mean(axis=0),
        similar.min(axis=0),
        (similar * idf[:, None]).sum(axis=0) / max(float(idf.sum()), 1e-9),
        similar[-1],
        common / max(int(np.bitwise_count(asked).sum()), 1),
        common / np.maximum(either, 1),
    ]


def _of_query(query: QueryMatch, idf: Float32Array) -> list[npt.ArrayLike]:
    """How long and how telling the query is, and how much of the catalogue matches."""
    best = float(query.scores.max(initial=0))
    return [
        len(query.slots),
        sum(len(slot.word) for slot in query.slots),
        sum(has_digit(slot.word) for slot in query.slots),
        len(query.quantities),
        idf.max(),
        idf.mean(),
        idf.min(),
        idf[0],
        idf[-1],
        best,
        best / max(float(idf.sum()), 1e-9),
        np.log1p(len(query.matches)),
        np.log1p((query.scores >= _NEAR_BEST * best).sum()),
    ]
