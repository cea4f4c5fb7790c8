"""The recorded searches of a log, what they showed, and what an event followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from plait.data.array_types import BoolArray, Int64Array
from plait.data.types import Dataset
from plait.eventlog import EventLog
from plait.ranking.relevance.relevance_trees import query_hash
from plait.splitting.click_attribution import (
    UNKNOWN_RESPONSE,
    ImpressionItems,
    clicked_impressions,
)
from plait.workspace.impression_payload import shown_ids

__all__ = ["RecordedSearches", "recorded_searches"]

_CONTINUATION = re.compile(r"[0-9a-f]{32}-[0-9]+")
"""The id of a response that continues another: its places do not begin at the top."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedSearches:
    """N searches, oldest first, that showed M items.

    Attributes:
        texts: The words of each search.
        persons: The number of the user, else of the session, of each; -1 unknown, int64 [N].
        times: When each was answered, microseconds since 1970 UTC, int64 [N].
        counts: How many items each showed, int64 [N].
        filtered: Which searches had a filter, bool [N].
        shown: The shown items.
        places: Their places in the response, from 0 on, int64 [M].
        clicked: Which of them an event followed, bool [M].
    """

    texts: tuple[str, ...]
    persons: Int64Array
    times: Int64Array
    counts: Int64Array
    filtered: BoolArray
    shown: ImpressionItems
    places: Int64Array
    clicked: BoolArray

    def distinct_queries(self) -> tuple[list[str], Int64Array]:
        """Return the distinct queries; those that differ in case or spacing are one.

        Returns:
            The first spelling of each, and the query of each search, int64 [N].
        """
        numbers: dict[int, int] = {}
        spellings: list[str] = []
        codes = np.zeros(len(self.texts), np.int64)
        for row, text in enumerate(self.texts):
            key = int(query_hash(text))
            if key not in numbers:
                numbers[key] = len(numbers)
                spellings.append(text)
            codes[row] = numbers[key]
        return spellings, codes


def recorded_searches(log: EventLog, dataset: Dataset) -> RecordedSearches:
    """Read the recorded searches of a log; continuations and lists of the caller are left out.

    Args:
        log: The log.
        dataset: Its data set, with the interactions that count as clicks.
    """
    texts, responses, items, places = [], [], [], []
    for row in log.impressions():
        payload = orjson.loads(row.payload)
        query = payload["query"]
        text = query.get("text")
        if not text or query.get("candidates") or _CONTINUATION.fullmatch(row.request_id):
            continue
        numbers = dataset.catalogue.numbers(shown_ids(payload))
        texts.append(text)
        persons = dataset.merges.root(row.user), payload.get("session", -1)
        is_filtered = bool(query.get("filter"))
        responses.append((row.request_id, *persons, row.time, row.version, is_filtered))
        items.append(numbers[numbers >= 0])
        places.append(np.flatnonzero(numbers >= 0))
    table = np.array([entry[1:] for entry in responses], np.int64).reshape(-1, 5)
    counts = np.array([len(numbers) for numbers in items], np.int64)
    repeated = np.repeat(table, counts, axis=0)
    named = _named_responses(log, dataset, [str(entry[0]) for entry in responses])
    shown = ImpressionItems(
        np.repeat(np.arange(len(counts)), counts),
        repeated[:, 0].astype(np.int32),
        np.concatenate([np.zeros(0, np.int32), *items]),
        repeated[:, 2],
        repeated[:, 3],
        named[:, 0],
        named[:, 1],
    )
    clicked = np.zeros(len(shown), np.bool_)
    if len(shown) and len(dataset.interactions):
        clicked = clicked_impressions(dataset.interactions, shown, dataset.n_items)
    of_searches = np.where(table[:, 0] >= 0, table[:, 0], table[:, 1])
    all_places = np.concatenate([np.zeros(0, np.int64), *places])
    return RecordedSearches(
        tuple(texts),
        of_searches,
        table[:, 2],
        counts,
        table[:, 4] > 0,
        shown,
        all_places,
        clicked,
    )


def _named_responses(log: EventLog, dataset: Dataset, request_ids: list[str]) -> Any:
    """The offsets of events that name a request, and the number of its response, int64 [R, 2]."""
    positions = {request_id: position for position, request_id in enumerate(request_ids)}
    rows = [
        (offset, positions.get(name, UNKNOWN_RESPONSE))
        for offset, name in log.requests(dataset.version)
    ]
    return np.array(rows, np.int64).reshape(-1, 2)
