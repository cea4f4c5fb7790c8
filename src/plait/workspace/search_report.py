"""What people searched for in vain, and which synonyms their next searches suggest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from plait.data.types import Dataset
from plait.eventlog import EventLog
from plait.retrieval.tokens import tokenize
from plait.workspace.recorded_searches import RecordedSearches, recorded_searches

__all__ = ["QuerySummary", "Reformulation", "SearchReport", "search_report"]

_NEXT = 5 * 60 * 1_000_000
"""Within how many microseconds a person's next search counts as another wording."""

_LEAST_SEARCHES = 5
"""Of how many searches a query is called low in clicks."""

_LOW = 0.5
"""Below this share of the click-through of all searches with results a query is low."""

_LEAST_PAIRS = 2
"""From how many persons a synonym is proposed."""


@dataclass(frozen=True, slots=True)
class QuerySummary:
    """A query in the log.

    Attributes:
        query: The words.
        searches: How often it was searched for.
        clicked: After how many of these searches an item was clicked.
    """

    query: str
    searches: int
    clicked: int


@dataclass(frozen=True, slots=True)
class Reformulation:
    """A search without a click, and what the same persons searched for next.

    Attributes:
        query: The words.
        next_query: The words of the next search.
        persons: How many persons did so.
        clicked: How many of them clicked an item then.
    """

    query: str
    next_query: str
    persons: int
    clicked: int


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What searches say of a catalogue.

    Attributes:
        searches: How many searches are recorded.
        queries: How many distinct queries.
        click_through: The share of searches with results after which an item was clicked.
        without_results: Queries without results, the most frequent first.
        low_click_through: Queries with results that few click, those with most searches without a
            click first.
        reformulated: Queries that were worded anew, the most frequent first.
        synonyms: Lines for the file of synonyms, for review: what stood in the place of a word of
            which the search led nowhere.
    """

    searches: int
    queries: int
    click_through: float
    without_results: Sequence[QuerySummary]
    low_click_through: Sequence[QuerySummary]
    reformulated: Sequence[Reformulation]
    synonyms: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return asdict(self)


def search_report(log: EventLog, dataset: Dataset, k: int) -> SearchReport:
    """Summarise the recorded searches of a log.

    Args:
        log: The log.
        dataset: Its data set, with the interactions that count as clicks.
        k: The most entries of each list.
    """
    searches = recorded_searches(log, dataset)
    names, codes = searches.distinct_queries()
    n_names = len(names)
    n_searches = len(searches.texts)
    has_click = np.bincount(searches.shown.answers[searches.clicked], minlength=n_searches) > 0
    has_items = (searches.counts > 0) | searches.filtered  # a filter is no fault of words
    total = np.bincount(codes, minlength=n_names)
    clicked = np.bincount(codes[has_click], minlength=n_names)
    n_answered = np.bincount(codes[has_items], minlength=n_names)
    overall = float(has_click[has_items].mean()) if has_items.any() else 0.0
    in_vain = np.flatnonzero(n_answered == 0)
    is_low = (n_answered >= _LEAST_SEARCHES) & (clicked < _LOW * overall * n_answered)
    low = np.flatnonzero(is_low)

    def summaries(rows: Any, order: Any) -> list[QuerySummary]:
        ranked = rows[np.lexsort((rows, -order[rows]))][:k].tolist()
        return [QuerySummary(names[row], int(total[row]), int(clicked[row])) for row in ranked]

    reformulated = _reformulations(searches, codes, has_click, names)
    return SearchReport(
        n_searches,
        len(names),
        overall,
        summaries(in_vain, total),
        summaries(low, total - clicked),
        reformulated[:k],
        list(dict.fromkeys(_synonyms(reformulated)))[:k],
    )


def _reformulations(
    searches: RecordedSearches, codes: Any, has_click: Any, names: Sequence[str]
) -> list[Reformulation]:
    """What persons searched for next, within minutes of a search without a click."""
    order = np.lexsort((searches.times, searches.persons))
    persons: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    clickers: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for before, after in pairwise(order.tolist()):
        person = int(searches.persons[before])
        is_same = person >= 0 and person == searches.persons[after]
        is_soon = searches.times[after] - searches.times[before] <= _NEXT
        if is_same and is_soon and not has_click[before] and codes[before] != codes[after]:
            pair = int(codes[before]), int(codes[after])
            persons[pair].add(person)
            if has_click[after]:
                clickers[pair].add(person)
    rows = [
        Reformulation(names[first], names[second], len(group), len(clickers[first, second]))
        for (first, second), group in persons.items()
    ]
    return sorted(rows, key=lambda row: (-row.persons, row.query, row.next_query))


def _synonyms(rows: Sequence[Reformulation]) -> Iterator[str]:
    """Lines of synonyms: where one term was put in the place of another, and then clicked."""
    for row in rows:
        if row.clicked < _LEAST_PAIRS:
            continue
        before, after = (_words(text) for text in (row.query, row.next_query))
        old, new = before - after, after - before
        if sum(old.values()) == sum(new.values()) == 1:
            yield f"{next(iter(old))} => {next(iter(new))}"


def _words(text: str) -> Counter[str]:
    return Counter(word for token in tokenize(text) for word in token.words)
