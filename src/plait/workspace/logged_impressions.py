"""The impressions of a home as evaluation data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson

from plait.data.types import Dataset
from plait.errors import ProtocolError
from plait.evaluation.protocol import Protocol
from plait.eventlog import EventLog
from plait.pipeline.recipe import Recipe
from plait.splitting.click_attribution import (
    ANSWERS,
    UNKNOWN_RESPONSE,
    ImpressionItems,
    with_impressions,
)
from plait.workspace.impression_payload import shown_ids

__all__ = ["with_answers"]


def with_answers(
    log: EventLog, dataset: Dataset, protocol: Protocol, recipe: Recipe, flush: Callable[[], None]
) -> Dataset:
    """Add the recorded impressions to a data set if the protocol measures them.

    Nothing is changed for other protocols.

    Args:
        log: The log.
        dataset: A snapshot of the log.
        protocol: The protocol.
        recipe: The recipe that names the target events.
        flush: Stores impressions that are still buffered.

    Returns:
        The data set, with impressions as negative events if the protocol asks for them.

    Raises:
        ProtocolError: If no impression of a known user is recorded, or an event type has the name
            that stands for impressions.
    """
    if not protocol.of_answers or dataset.clock != "time" or not len(dataset.interactions):
        return dataset  # without times or events the protocol itself says what is missing
    if ANSWERS in dataset.event_types:
        raise ProtocolError(
            f"interactions of kind {ANSWERS!r} are in the log, so --negative {ANSWERS} may mean "
            "them, or what answers showed",
            hint="ingest them into another home under another name",
            field="negative",
        )
    flush()
    showings, recorded = _showings(log, dataset)
    if not len(showings):
        raise ProtocolError(
            f"{recorded:,} answers are recorded, and none showed an item to a known user",
            hint="answers are recorded under the setting impressions = true, for impressions_days; "
            "or name a kind of event that is a miss",
            field="negative",
        )
    return with_impressions(dataset, showings, protocol.goals(dataset, recipe))


def _showings(log: EventLog, dataset: Dataset) -> tuple[ImpressionItems, int]:
    """What was shown to users that the data set knows, and how many answers there are in all."""
    answers: dict[str, int] = {}
    responses: list[tuple[int, int, int]] = []
    items = []
    recorded = 0
    for row in log.impressions():
        recorded += 1
        user = dataset.merges.root(row.user)
        if not 0 <= user < dataset.n_users:
            continue  # an unknown user has no misses: the clicks alone would mislead
        shown = dataset.catalogue.numbers(shown_ids(orjson.loads(row.payload)))
        answers[row.request_id] = len(responses)
        responses.append((user, row.time, row.version))
        items.append(shown[shown >= 0])
    named = [
        (offset, answers.get(name, UNKNOWN_RESPONSE))
        for offset, name in log.requests(dataset.version)
    ]
    events = np.array(named, np.int64).reshape(-1, 2)
    counts = [len(entry) for entry in items]
    rows = np.repeat(np.array(responses, np.int64).reshape(-1, 3), counts, axis=0)
    showings = ImpressionItems(
        np.repeat(np.arange(len(responses)), counts),
        rows[:, 0].astype(np.int32),
        np.concatenate([np.zeros(0, np.int32), *items]),
        rows[:, 1],
        rows[:, 2],
        events[:, 0],
        events[:, 1],
    )
    return showings, recorded
