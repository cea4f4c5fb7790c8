"""Searches of the log with what was clicked after them, as labels of relevance."""

from __future__ import annotations

import re

import numpy as np
import orjson

from plait.data.array_types import Int32Array, Int64Array
from plait.data.types import Dataset
from plait.eventlog import EventLog
from plait.eventlog.impressions import Impression
from plait.ranking.relevance.labelled_searches import LabelledSearches
from plait.ranking.relevance.relevance_trees import query_hash
from plait.splitting.click_attribution import UNKNOWN_RESPONSE, ImpressionItems, clicked_impressions
from plait.splitting.position_bias import fit_click_model
from plait.workspace.impression_payload import shown_ids

__all__ = ["clicked_searches"]

_LEAST_CLICKS = 100
"""With fewer clicks after searches nothing is learned from the log."""

_MOST_QUERIES = 5000
"""How many distinct queries are learned from, the most frequent ones."""

_CONTINUATION = re.compile(r"[0-9a-f]{32}-[0-9]+")
"""The id of a response that continues another: its places do not begin at the top."""


def clicked_searches(log: EventLog, dataset: Dataset) -> LabelledSearches | None:
    """Read the recorded searches of a log, and which of their items an event followed.

    Args:
        log: The log.
        dataset: Its data set, with the interactions that are evidence of preference.

    Returns:
        How relevant the shown items of each distinct query are, from 0 to 1, corrected for the
        place at which they were shown; None if there are too few clicks.
    """
    texts, shown, ranks = _shown(log, dataset)
    if not len(shown) or not len(dataset.interactions):
        return None
    clicked = clicked_impressions(dataset.interactions, shown, dataset.n_items)
    if clicked.sum() < _LEAST_CLICKS:
        return None
    # Searches that differ in case or spacing are one query.
    numbers: dict[int, int] = {}
    spellings: list[str] = []
    codes = []
    for text in texts:
        key = int(query_hash(text))
        if key not in numbers:
            numbers[key] = len(numbers)
            spellings.append(text)
        codes.append(numbers[key])
    frequent = np.argsort(-np.bincount(codes), kind="stable")[:_MOST_QUERIES]
    queries = np.array(codes, np.int64)[shown.answers]
    used = np.isin(queries, frequent)
    keys = queries[used] * dataset.n_items + shown.items[used]
    keys, pairs = np.unique(keys, return_inverse=True)
    model = fit_click_model(pairs, ranks[used], clicked[used])
    rows, items = np.divmod(keys, dataset.n_items)
    return LabelledSearches(
        tuple(spellings[row] for row in np.unique(rows).tolist()),
        np.append(0, np.cumsum(np.unique(rows, return_counts=True)[1])),
        items.astype(np.int32),
        model.relevance,
        np.maximum(model.looks, 1e-3),
        "log",
        unlabelled_is_irrelevant=False,
    )


def _shown(log: EventLog, dataset: Dataset) -> tuple[list[str], ImpressionItems, Int64Array]:
    """The texts of the recorded searches, what each showed, and at which places."""
    texts: list[str] = []
    responses: list[Impression] = []
    items: list[Int32Array] = []
    places: list[Int64Array] = []
    for row in log.impressions():
        payload = orjson.loads(row.payload)
        query = payload["query"]
        text = query.get("text")
        if not text or query.get("candidates") or _CONTINUATION.fullmatch(row.request_id):
            continue
        numbers = dataset.catalogue.numbers(shown_ids(payload))
        texts.append(text)
        responses.append(row)
        items.append(numbers[numbers >= 0])
        places.append(np.flatnonzero(numbers >= 0))
    positions = {row.request_id: position for position, row in enumerate(responses)}
    named = np.array(
        [
            (offset, positions.get(name, UNKNOWN_RESPONSE))
            for offset, name in log.requests(dataset.version)
        ],
        np.int64,
    ).reshape(-1, 2)
    counts = np.array([len(numbers) for numbers in items], np.int64)

    def repeated(values: list[int]) -> Int64Array:
        return np.repeat(np.array(values, np.int64), counts)

    shown = ImpressionItems(
        repeated(list(range(len(responses)))),
        repeated([dataset.merges.root(row.user) for row in responses]).astype(np.int32),
        np.concatenate([np.zeros(0, np.int32), *items]),
        repeated([row.time for row in responses]),
        repeated([row.version for row in responses]),
        named[:, 0],
        named[:, 1],
    )
    return texts, shown, np.concatenate([np.zeros(0, np.int64), *places])
