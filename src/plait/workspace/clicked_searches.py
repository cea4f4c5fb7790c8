"""Searches of the log with what was clicked after them, as labels of relevance."""

from __future__ import annotations

import numpy as np

from plait.data.types import Dataset
from plait.eventlog import EventLog
from plait.ranking.relevance.labelled_searches import LabelledSearches
from plait.splitting.position_bias import fit_click_model
from plait.workspace.recorded_searches import recorded_searches

__all__ = ["clicked_searches"]

_LEAST_CLICKS = 100
"""With fewer clicks after searches nothing is learned from the log."""

_MOST_QUERIES = 5000
"""How many distinct queries are learned from, the most frequent ones."""


def clicked_searches(log: EventLog, dataset: Dataset) -> LabelledSearches | None:
    """Read the recorded searches of a log, and which of their items an event followed.

    Args:
        log: The log.
        dataset: Its data set, with the interactions that are evidence of preference.

    Returns:
        How relevant the shown items of each distinct query are, from 0 to 1, corrected for the
        place at which they were shown; None if there are too few clicks.
    """
    searches = recorded_searches(log, dataset)
    clicked, shown = searches.clicked, searches.shown
    if clicked.sum() < _LEAST_CLICKS:
        return None
    spellings, codes = searches.distinct_queries()
    frequent = np.argsort(-np.bincount(codes), kind="stable")[:_MOST_QUERIES]
    queries = codes[shown.answers]
    used = np.isin(queries, frequent)
    keys = queries[used] * dataset.n_items + shown.items[used]
    keys, pairs = np.unique(keys, return_inverse=True)
    model = fit_click_model(pairs, searches.places[used], clicked[used])
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
