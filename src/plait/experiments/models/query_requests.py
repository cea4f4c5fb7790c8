"""Queries with external ids as the batches that a fitted model answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import polars as pl

from plait.data.array_types import BoolArray, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.query import Query, context_with_user
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.errors import InputError, NotFoundError
from plait.ingest.list_frames import parse_id_column
from plait.utils.number_arguments import whole_number
from plait.utils.plain_arguments import without_numpy
from plait.utils.timestamps import MAX_TIME, MIN_TIME, to_micros

__all__ = ["QueryRequests", "read_queries"]

_SERVED_ONLY = (
    *("session", "event_types", "boosts", "pins", "fields", "language", "group_by", "shown"),
)
"""What the rules and the log of a home answer, and a single model cannot."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryRequests:
    """B checked queries; ids are strings.

    Attributes:
        users: The ids; "" for a query without a user.
        history: The items that each query adds to the history of its user, oldest first.
        items: The items to which similar ones are sought.
        exclude: Items that may not be in the list.
        candidates: The items to choose from; None: all.
        texts: Words to search for.
        contexts: Free values such as time, place or device.
        filters: Filter expressions.
        ks: int64 [B], how many items each query asks for.
        times: When each query is made, microseconds since 1970 UTC; None: after all training data.
        seen: "keep", "remove" or None for each query.
    """

    users: list[str]
    history: list[list[str]]
    items: list[list[str]]
    exclude: list[list[str]]
    candidates: list[list[str] | None]
    texts: list[str | None]
    contexts: list[Any]
    filters: list[str | None]
    ks: Int64Array
    times: list[int | None]
    seen: list[str | None]

    def __len__(self) -> int:
        return len(self.users)

    @property
    def places(self) -> list[str]:
        """The places of the queries, from 0, as the owners of their lists."""
        return list(map(str, range(len(self))))

    def batches(self, size: int) -> Iterator[tuple[int, QueryRequests]]:
        """Split into smaller batches.

        Args:
            size: The most queries in one batch.

        Yields:
            The place of the first query, and the batch.
        """
        for start in range(0, len(self), size):
            parts = {part.name: getattr(self, part.name) for part in fields(self)}
            yield (
                start,
                QueryRequests(**{name: part[start : start + size] for name, part in parts.items()}),
            )

    def batch(
        self, known: QueryBatch, catalogue: Catalogue, allowed: Callable[[str | None], BoolArray]
    ) -> QueryBatch:
        """Add to the queries of users what each query states.

        Args:
            known: B queries of the users, from the training data.
            catalogue: The items by number.
            allowed: Returns the items that meet a filter, bool [1, n_items].

        Returns:
            B queries, without what they block.

        Raises:
            NotFoundError: If one of `items` is unknown.
            InputError: If a filter is not valid.
        """
        history = _numbers(self.history, catalogue)
        latest = known.times + history.lengths
        stated = zip(self.times, latest.tolist(), strict=True)
        times = np.array([late if time is None else time for time, late in stated], np.int64)
        contexts = [
            context_with_user(context, before["user"]) if "user" in before else context
            for context, before in zip(self.contexts, known.contexts, strict=True)
        ]
        assert known.events is not None
        return replace(
            known,
            history=known.history.followed_by(history, times),
            events=known.events.followed_by(history, times),
            seen=known.seen.hstack(history),
            items=self._anchors(catalogue),
            texts=tuple(self.texts),
            contexts=tuple(contexts),
            exclude=_numbers(self.exclude, catalogue),
            times=times,
            mask=self._mask(catalogue, allowed),
            k=int(self.ks.max(initial=1)),
        )

    def blocked(self, queries: QueryBatch, default: Ragged | None) -> Ragged:
        """Collect the items that the queries must not get.

        Args:
            queries: B queries, as `batch` returns them.
            default: What queries must not get that do not state `seen`; None: anything may come.
        """
        excluded = queries.exclude.hstack(queries.items)
        removes = np.array([seen == "remove" for seen in self.seen], np.bool_)
        excluded = excluded.hstack(queries.seen.filter(removes[queries.seen.rows]))
        if default is None:
            return excluded
        is_default = np.array([seen is None for seen in self.seen], np.bool_)
        return excluded.hstack(default.filter(is_default[default.rows]))

    def frame(self, lists: pl.DataFrame, start: int) -> pl.DataFrame:
        """Name the queries of lists, and cut each list at its length.

        Args:
            lists: The columns user (a place, as in `places`), item, rank and score.
            start: The place of the first of these queries among all.

        Returns:
            The columns query, user, item, rank and score.
        """
        rows = lists["user"].cast(pl.Int64)
        users = pl.Series([user or None for user in self.users], dtype=pl.String)
        frame = lists.select(
            (rows + start).alias("query"), users.gather(rows).alias("user"), "item", "rank", "score"
        )
        return frame.filter(lists["rank"] <= pl.Series(self.ks).gather(rows))

    def _anchors(self, catalogue: Catalogue) -> Ragged:
        """The numbers of the items to which similar ones are sought."""
        for ids in self.items:
            for item in ids:
                if catalogue.number(item) < 0:
                    raise NotFoundError(f"no item {item!r}", field="items")
        return _numbers(self.items, catalogue)

    def _mask(self, catalogue: Catalogue, allowed: Callable[[str | None], BoolArray]) -> BoolArray:
        """The items that each query may get, bool [B or 1, n_items]."""
        masks = {filter_: allowed(filter_) for filter_ in set(self.filters)}
        if len(masks) == 1 and all(ids is None for ids in self.candidates):
            return next(iter(masks.values()))
        mask = np.concatenate([masks[filter_] for filter_ in self.filters])
        for row, ids in enumerate(self.candidates):
            if ids is not None:
                is_candidate = np.zeros(len(catalogue), np.bool_)
                numbers = catalogue.numbers(ids)
                is_candidate[numbers[numbers >= 0]] = True
                mask[row] &= is_candidate
        return mask


def read_queries(source: Any, k: Any) -> QueryRequests | None:
    """Read queries, if a source is one or a list of them.

    Args:
        source: A query, a list of queries, or anything else.
        k: How many items each query asks for; None: what it states itself.

    Returns:
        The queries; None if the source holds none.

    Raises:
        InputError: If a value is wrong, only some entries are queries, or a query states what only
            a home answers.
    """
    if isinstance(source, Query):
        source = [source]
    if not isinstance(source, list | tuple) or not any(isinstance(row, Query) for row in source):
        return None
    for row, query in enumerate(source):
        if not isinstance(query, Query):
            message = f"row {row + 1} of users is {query!r}, expected a query as the others"
            raise InputError(message, hint="plait.Query(user=...)", field="users")
        _check(query)
    users = _ids([[] if query.user is None else [query.user] for query in source], "user")
    candidates = _ids([query.candidates or () for query in source], "candidates")
    return QueryRequests(
        users=[ids[0] if ids else "" for ids in users],
        history=_ids([query.history for query in source], "history"),
        items=_ids([query.items for query in source], "items"),
        exclude=_ids([query.exclude for query in source], "exclude"),
        candidates=[
            None if query.candidates is None else ids
            for query, ids in zip(source, candidates, strict=True)
        ],
        texts=[query.text for query in source],
        contexts=[query.context for query in source],
        filters=[query.filter for query in source],
        ks=np.array(
            [whole_number(query.k if k is None else k, "k", least=1) for query in source], np.int64
        ),
        times=[None if query.time is None else _micros(query.time) for query in source],
        seen=[query.seen for query in source],
    )


def _check(query: Any) -> None:
    """Raise InputError for a query that a fitted model cannot answer."""
    plain = Query()
    for name in _SERVED_ONLY:
        if getattr(query, name) != getattr(plain, name):
            raise InputError(
                f"a fitted model has no {name} of queries",
                hint="plait.open(home, recipe=...) answers them",
                field=name,
            )
    if query.seen not in (None, "keep", "remove"):
        message = f"seen is {query.seen!r}, expected 'keep', 'remove' or None"
        raise InputError(message, hint="plait.open(home, recipe=...) has rules", field="seen")
    for name in ("text", "filter"):
        value = getattr(query, name)
        if not isinstance(value, str | None):
            raise InputError(f"{name} is {value!r}, expected a text", field=name)
    if not isinstance(query.context, Mapping):
        message = f"context is {query.context!r}, expected a mapping"
        raise InputError(message, hint='such as {"device": "phone"}', field="context")


def _micros(time: Any) -> int:
    """A whole number is in microseconds; other times are read as everywhere."""
    plain = without_numpy(time)
    if isinstance(plain, int):
        return whole_number(plain, "time", least=MIN_TIME, greatest=MAX_TIME - 1)
    return to_micros(plain)


def _ids(rows: Sequence[Any], name: str) -> list[list[str]]:
    """Lists of ids, as strings."""
    for ids in rows:
        if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
            raise InputError(f"{name} is {ids!r}, expected a list of ids", field=name)
    lists = [list(ids) for ids in rows]
    role = "user" if name == "user" else "item"
    try:
        parsed = parse_id_column([item for ids in lists for item in ids], role, name)
    except InputError as problem:
        problem.field = name
        raise
    every = iter(parsed.to_list())
    return [list(itertools.islice(every, len(ids))) for ids in lists]


def _numbers(id_lists: Sequence[Sequence[str]], catalogue: Catalogue) -> Ragged:
    """The numbers of ids; unknown items are left out."""
    numbers = catalogue.numbers([item for ids in id_lists for item in ids])
    lengths = np.array([len(ids) for ids in id_lists], np.int64)
    return Ragged.from_lengths(numbers, lengths).filter(numbers >= 0)
