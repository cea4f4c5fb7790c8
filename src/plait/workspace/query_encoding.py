"""From questions as they come from outside to the arrays that stages read."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from plait.data.catalogue import Catalogue
from plait.data.ragged import Ragged
from plait.data.types import ABSENT, History, Query, QueryBatch, StateView
from plait.errors import InputError, NotFoundError, TooLargeError
from plait.schema.coercion import MAX_ID
from plait.utils.timestamps import to_micros

__all__ = ["MOST", "encode_queries", "group_by_batch_key", "validate_query"]

MOST = 1000
"""The largest k, and the longest history, anchor or candidate list that a question may bring."""

LONGEST_EXCLUDE = 10_000
LONGEST_TEXT = 2_000
LONGEST_CONTEXT = 16 * 1024
LONGEST_FILTER = 10_000


def validate_query(query: Query) -> Query:
    """The question with ids as strings, in tuples; InputError names the first wrong field."""
    k: Any = query.k
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MOST:
        raise InputError(f"k is {k!r}", hint=f"give a whole number from 1 to {MOST}", field="k")
    if query.seen not in (None, "keep", "remove"):
        raise InputError(f"seen is {query.seen!r}", hint='say "keep" or "remove"', field="seen")
    if not isinstance(query.context, Mapping):
        raise InputError("context is no object", hint='like {"device": "phone"}', field="context")
    _check_size(query.context)
    candidates = query.candidates
    return replace(
        query,
        k=int(k),
        time=_time(query),
        user=None if query.user is None else _id(query.user, "user"),
        text=_text(query.text),
        filter=_filter(query.filter),
        history=_ids(query.history, "history", MOST),
        items=_ids(query.items, "items", MOST),
        exclude=_ids(query.exclude, "exclude", LONGEST_EXCLUDE),
        candidates=None if candidates is None else _ids(candidates, "items", MOST),
    )


def _check_size(context: Mapping[str, Any]) -> None:
    """It is kept with the answer."""
    if not context:
        return
    try:
        size = len(orjson.dumps(dict(context), option=orjson.OPT_SERIALIZE_NUMPY))
    except (TypeError, ValueError) as problem:
        said = f"context holds what JSON cannot say: {problem}"
        raise InputError(said, field="context") from problem
    if size > LONGEST_CONTEXT:
        said = f"context has {size} bytes as JSON, at most {LONGEST_CONTEXT} are read"
        raise TooLargeError(said, field="context")


def _time(query: Query) -> int | None:
    """When the question is asked: its time, else what its context says, else None for now."""
    given = query.time
    if given is None:
        said = query.context.get("time")
        return None if said is None else to_micros(said, "context.time")
    if not isinstance(given, int):
        raise InputError(f"time is {given!r}", hint="microseconds since 1970", field="time")
    return given


def group_by_batch_key(queries: Sequence[Query]) -> list[list[int]]:
    """Places of questions that may share one batch: those that differ in nothing batch-wide."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, one in enumerate(queries):
        key = (one.seen is None, one.candidates is None, one.seed, one.target)
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def encode_queries(
    queries: Sequence[Query], live: StateView, users: Catalogue, kinds: Mapping[str, float]
) -> QueryBatch:
    """One batch for questions of one group. The only look-up about the users of a request.

    `users` are the users' fields, `kinds` what the recipe says interactions are worth: above zero
    they are history, below zero they hide the item, and all of them have been seen.
    """
    state = live.state
    catalogue = state.catalogue
    now = time.time_ns() // 1000
    times = np.array([now if one.time is None else one.time for one in queries], np.int64)
    numbers = state.user_numbers([one.user for one in queries])
    past = state.history(numbers, kinds)
    hidden = past.filter(past.weights < 0).ragged
    known = past if (past.weights > 0).all() else past.filter(past.weights > 0)
    history = _with_session(known, queries, catalogue, times)
    seen = past.ragged if history is known else past.ragged.hstack(_session(queries, catalogue))
    first = queries[0]
    return QueryBatch(
        users=numbers,
        history=history,
        seen=seen,
        rejected=hidden,
        items=_ragged([one.items for one in queries], catalogue),
        texts=tuple(one.text for one in queries),
        contexts=_contexts(queries, numbers, users),
        filters=tuple(one.filter for one in queries),
        exclude=_ragged([one.exclude for one in queries], catalogue),
        times=times,
        k=max(one.k for one in queries),
        seed=first.seed,
        target=first.target,
        keep_seen=_keep(queries),
        candidates=None if first.candidates is None else _candidates(queries, catalogue),
        live=live,
    )


def require_known_items(items: Iterable[str], catalogue: Catalogue) -> None:
    """Raise NotFoundError for the first of `items` that is not in the catalogue."""
    for one in items:
        if catalogue.number(one) < 0:
            raise NotFoundError(
                f"no item {one!r}",
                hint="import it with plait ingest --items, or PUT /v1/items/{id}",
                field="item",
            )


def _ragged(rows: Sequence[Sequence[str]], catalogue: Catalogue) -> Ragged:
    """Numbers of outside ids; unknown ones are left out."""
    if not any(rows):
        return Ragged.empty(len(rows))
    found = [[number for number in map(catalogue.number, row) if number >= 0] for row in rows]
    return Ragged.from_rows(found)


def _candidates(queries: Sequence[Query], catalogue: Catalogue) -> Ragged:
    """The callers' own lists without unknown items and repetition."""
    return _ragged([tuple(dict.fromkeys(one.candidates or ())) for one in queries], catalogue)


def _session(queries: Sequence[Query], catalogue: Catalogue) -> Ragged:
    return _ragged([one.history for one in queries], catalogue)


def _with_session(
    past: History, queries: Sequence[Query], catalogue: Catalogue, times: np.ndarray
) -> History:
    """The events of the log and behind them, at the time of asking, those of the question."""
    if not any(one.history for one in queries):
        return past
    session = _session(queries, catalogue)
    rows = np.concatenate([past.rows, session.rows])
    order = np.argsort(rows, kind="stable")
    counts = past.lengths + session.lengths
    more = len(session.values)
    # One moment after another, so that what came first in the list is not taken for one basket.
    back = History(session.offsets, session.values, times[:0], np.zeros(0, np.float32)).event_age
    return History(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([past.items, session.values])[order],
        np.concatenate([past.times, times[session.rows] - back])[order],
        np.concatenate([past.weights, np.ones(more, np.float32)])[order],
    )


def _contexts(
    queries: Sequence[Query], numbers: np.ndarray, users: Catalogue
) -> tuple[Mapping[str, Any], ...]:
    """Each question's own context, and under "user" what is known of the user."""
    if not users.columns:
        return tuple(one.context for one in queries)
    return tuple(
        one.context if number == ABSENT else _with_user(one.context, users.fields(number))
        for one, number in zip(queries, numbers.tolist(), strict=True)
    )


def _with_user(context: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    said = context.get("user")
    return {**context, "user": {**known, **said} if isinstance(said, Mapping) else known}


def _keep(queries: Sequence[Query]) -> np.ndarray | None:
    if queries[0].seen is None:
        return None
    return np.array([one.seen == "keep" for one in queries], np.bool_)


def _ids(found: Any, name: str, most: int) -> tuple[str, ...]:
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise InputError(f"{name} is no list of ids", hint='like ["a", "b"]', field=name)
    listed = tuple(_id(one, name) for one in found)
    if len(listed) > most:
        raise TooLargeError(f"{name} has {len(listed)} ids, at most {most} are read", field=name)
    return listed


def _id(one: Any, name: str) -> str:
    if isinstance(one, str):
        if len(one) > MAX_ID:  # it would be kept with the answer, and it names nobody
            said = f"{name} holds an id of {len(one)} characters, ids have at most {MAX_ID}"
            raise TooLargeError(said, field=name)
        return one
    if isinstance(one, int | np.integer) and not isinstance(one, bool):
        return str(one)
    raise InputError(f"{name} holds {one!r}", hint="ids are strings", field=name)


def _string(one: Any, name: str) -> str:
    if one is None:
        return ""
    if not isinstance(one, str):
        raise InputError(f"{name} is {one!r}", hint="give a string", field=name)
    return one


def _filter(given: Any) -> str | None:
    found = _string(given, "filter")
    if len(found) > LONGEST_FILTER:
        said = f"filter has {len(found)} characters, at most {LONGEST_FILTER} are read"
        raise TooLargeError(said, field="filter")
    return found or None


def _text(text: Any) -> str | None:
    found = _string(text, "text").strip()
    if len(found) > LONGEST_TEXT:
        raise TooLargeError(
            f"text has {len(found)} characters, at most {LONGEST_TEXT} are read", field="text"
        )
    return found or None
