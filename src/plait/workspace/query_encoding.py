"""Encodes validated queries as arrays for stages."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.query import context_with_user
from plait.data.query_controls import SeenRule
from plait.data.ragged import Ragged
from plait.data.types import ABSENT, History, Query, QueryBatch, StateView
from plait.pipeline.candidate_union import COMPANIONS
from plait.state import LiveState

__all__ = ["HISTORY_LIMIT", "encode_queries", "group_by_batch_key"]

HISTORY_LIMIT = 5000
"""How many events of a user the models see by default, the newest."""


def group_by_batch_key(queries: Sequence[Query]) -> list[list[int]]:
    """Group queries that may share one batch.

    Args:
        queries: The queries.

    Returns:
        The positions of the queries of each group: those that agree on whether they override the
        treatment of seen items, on whether they bring their own candidates, and on `group_by`.
    """
    groups: dict[tuple[str, bool, str | None], list[int]] = {}
    for position, query in enumerate(queries):
        key = (type(query.seen).__name__, query.candidates is None, query.group_by)
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def encode_queries(
    queries: Sequence[Query],
    state: LiveState,
    live: StateView,
    event_weights: Mapping[str, float],
    history_limit: int = HISTORY_LIMIT,
) -> QueryBatch:
    """Encode queries of one group as a batch.

    Args:
        queries: B queries that agree in what `group_by_batch_key` looks at.
        state: The state to look users and items up in.
        live: The same state with the deltas of the stages.
        event_weights: The weight of each event type: above zero it is history, below zero it hides.
        history_limit: The most events of a user that the models see.

    Returns:
        The batch.
    """
    catalogue, now = state.catalogue, time.time_ns() // 1000
    times = np.array([now if query.time is None else query.time for query in queries], np.int64)
    nothing = Ragged(np.zeros(0, np.int32), np.zeros(len(queries) + 1, np.int64))
    user_numbers, history, events = _histories(queries, state, times, event_weights, history_limit)
    rejected = nothing
    if len(events.weights) and events.weights.min() <= 0:
        rejected = events.filter(events.weights < 0).ragged
        history = history.filter(history.weights > 0)
    candidates = keep_seen = None
    if queries[0].candidates is not None:
        distinct = [dict.fromkeys(query.candidates or ()) for query in queries]
        candidates = _ragged(distinct, catalogue)
    anchors = _ragged_if_any([query.items for query in queries], catalogue) or nothing
    excluded = _ragged_if_any([query.exclude for query in queries], catalogue) or nothing
    if isinstance(queries[0].seen, str):
        keep_seen = np.array([query.seen == "keep" for query in queries], np.bool_)
    batch = QueryBatch(
        users=user_numbers,
        history=history,
        seen=Ragged(events.items, events.offsets),
        rejected=rejected,
        items=anchors,
        texts=tuple(query.text for query in queries),
        contexts=_contexts(queries, user_numbers, state.users),
        filters=tuple(query.filter for query in queries),
        exclude=excluded,
        times=times,
        k=max(query.k for query in queries),
        keep_seen=keep_seen,
        candidates=candidates,
        events=events,
        group_by=queries[0].group_by,
        live=live,
        languages=tuple(query.language for query in queries),
        shown=_ragged_if_any([query.shown for query in queries], catalogue),
    )
    return _with_controls(batch, queries, state) if _have_controls(queries) else batch


def _have_controls(queries: Sequence[Query]) -> bool:
    """Whether any query has boosts, pins, event types or a rule of seen items of its own."""
    return any(
        query.boosts or query.pins or query.event_types or isinstance(query.seen, SeenRule)
        for query in queries
    )


def _histories(
    queries: Sequence[Query],
    state: LiveState,
    times: Int64Array,
    event_weights: Mapping[str, float],
    history_limit: int,
) -> tuple[Int32Array, History, History]:
    """The users; the newest events of each user, session and request; and, for what is seen, all
    of them, of which repetitions may be missing where there are more.
    """
    user_numbers = state.users.numbers([query.user for query in queries])
    if state.merges.targets:
        user_numbers = state.merges.root_numbers(user_numbers)
    sessions = None
    if any(query.session for query in queries):
        sessions = state.users.numbers([query.session for query in queries])
    past = state.history(user_numbers, event_weights, sessions, history_limit)
    known = past
    if len(past.items) >= history_limit and past.lengths.max() >= history_limit:
        known = state.distinct_history(user_numbers, event_weights, sessions)
    if any(query.history for query in queries):
        stated = _ragged([query.history for query in queries], state.catalogue)
        is_whole = known is past
        past = past.followed_by(stated, times)
        known = past if is_whole else known.followed_by(stated, times)
    return user_numbers, past, known


def _with_controls(batch: QueryBatch, queries: Sequence[Query], state: LiveState) -> QueryBatch:
    """The batch with rules of seen items, boosts, pins and companions."""
    described = state.catalogue.described
    evidence = []
    for row, query in enumerate(queries):
        anchors = batch.items[row]
        if query.event_types and described[anchors].any():  # shipping in a cart is no anchor
            anchors = anchors[described[anchors]]
        evidence.append(state.companions(anchors, query.event_types) if query.event_types else None)
    rows = [[] if shared is None else shared.items.tolist() for shared in evidence]
    rules = tuple(query.seen for query in queries if isinstance(query.seen, SeenRule))
    return replace(
        batch,
        seen_rules=rules or None,
        boosts=tuple(query.boosts for query in queries),
        pins=_pins(queries, state.catalogue) if any(query.pins for query in queries) else None,
        companions=Ragged.from_rows(rows) if any(rows) else None,
        cache={COMPANIONS: evidence},
    )


def _pins(
    queries: Sequence[Query], catalogue: Catalogue
) -> tuple[tuple[tuple[int, int], ...], ...]:
    """The numbers and the ranks from 0 of the pinned items that exist."""
    return tuple(
        tuple(
            (catalogue.number(pin.item), pin.position - 1)
            for pin in query.pins
            if catalogue.number(pin.item) >= 0
        )
        for query in queries
    )


def _ragged(id_lists: Sequence[Iterable[str]], catalogue: Catalogue) -> Ragged:
    """The numbers of external ids; unknown ids are left out."""
    rows = [[number for number in map(catalogue.number, ids) if number >= 0] for ids in id_lists]
    return Ragged.from_rows(rows)


def _ragged_if_any(id_lists: Sequence[Iterable[str]], catalogue: Catalogue) -> Ragged | None:
    """The numbers of external ids, None without any id."""
    return _ragged(id_lists, catalogue) if any(id_lists) else None


def _contexts(
    queries: Sequence[Query], user_numbers: Int32Array, users: Catalogue
) -> tuple[Mapping[str, Any], ...]:
    """The contexts, with what is known of the user under "user"; what a query states goes first."""
    contexts = [query.context for query in queries]
    for row, number in enumerate(user_numbers.tolist() if users.columns else ()):
        if number != ABSENT:
            contexts[row] = context_with_user(contexts[row], users.fields(number))
    return tuple(contexts)
