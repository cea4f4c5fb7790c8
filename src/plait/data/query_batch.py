"""A batch of queries as arrays: what stages read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from plait.data.array_types import ABSENT, BoolArray, Int32Array, Int64Array
from plait.data.history import History
from plait.data.product_groups import ProductGroups
from plait.data.query_controls import Boost, SeenRule
from plait.data.ragged import Ragged, offsets_of
from plait.data.state_view import StateView

__all__ = ["QueryBatch"]

_PER_QUERY = (
    *("users", "history", "seen", "rejected", "items", "texts", "contexts", "filters", "exclude"),
    *("times", "keep_seen", "candidates", "blocked", "pinned"),
    *("events", "seen_rules", "boosts", "pins", "companions", "languages", "shown"),
)
"""The fields of a batch that have one entry for each query; `mask` may have one for all."""


@dataclass(frozen=True, eq=False)
class QueryBatch:
    """B queries as arrays; what stages read.

    Attributes:
        users: int32 [B], user numbers, -1 unknown.
        history: The events of positive weight of each user, oldest first.
        seen: All items that each user interacted with.
        rejected: The items that each user rejected (negative feedback).
        items: The items to which similar ones are sought.
        texts: The words to search for.
        contexts: Free values such as time, place or device.
        filters: Filter expressions.
        exclude: Items that may not be in the response.
        times: int64 [B], when each query is made, microseconds since 1970 UTC.
        k: How many items to return.
        keep_seen: bool [B], whether seen items may be returned; None: as the rules say.
        candidates: The items to rank; None: the models retrieve candidates.
        blocked: By query, items that need not be retrieved.
        mask: bool [B or 1, n_items], which items may be retrieved; None: all.
        pinned: Items that the rules add to the candidates.
        events: All events of each user, of any weight, oldest first; None: not known.
        seen_rules: By query, which seen items may not be returned; None: as `keep_seen` says.
        boosts: By query, which items move up or down.
        pins: By query, the numbers and the ranks from 0 of items with a fixed rank.
        companions: By query, items that share users with `items`, best first; they come first.
        languages: The language of the reasons by query; None: as the recipe says.
        shown: By query, the items of the earlier responses that it continues, in the places that
            pins and boosts count from; None: it is the first.
        group_by: The field of which each value is shown once, for all queries of the batch; "":
            no groups; None: as the rules say.
        groups: The groups that the rules made of it.
        is_replayed: Whether an evaluation asks again what was asked in the past: today's stock
            says nothing about it.
        live: The state, where there is one.
        cache: By stage name, what `retrieve` computed and `score` needs again; it lasts as long
            as the batch.
    """

    users: Int32Array
    history: History
    seen: Ragged
    rejected: Ragged
    items: Ragged
    texts: tuple[str | None, ...]
    contexts: tuple[Mapping[str, Any], ...]
    filters: tuple[str | None, ...]
    exclude: Ragged
    times: Int64Array
    k: int = 10
    keep_seen: BoolArray | None = None
    candidates: Ragged | None = None
    blocked: Ragged | None = None
    mask: BoolArray | None = None
    pinned: Ragged | None = None
    events: History | None = None
    seen_rules: tuple[SeenRule | None, ...] | None = None
    boosts: tuple[tuple[Boost, ...], ...] | None = None
    pins: tuple[tuple[tuple[int, int], ...], ...] | None = None
    companions: Ragged | None = None
    languages: tuple[str | None, ...] | None = None
    shown: Ragged | None = None
    group_by: str | None = None
    groups: ProductGroups | None = None
    is_replayed: bool = False
    live: StateView | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of_histories(
        history: History, *, times: Int64Array | None = None, k: int = 10
    ) -> QueryBatch:
        """Build queries that consist of a history alone, as evaluation uses them.

        Args:
            history: B histories.
            times: int64 [B], when each query is made; None: zeros.
            k: How many items to return.

        Returns:
            B queries of unknown users who have seen the items of their histories.
        """
        batch = len(history)
        nothing = Ragged.empty(batch)
        return QueryBatch(
            users=np.full(batch, ABSENT, np.int32),
            history=history,
            seen=history.ragged,
            rejected=nothing,
            items=nothing,
            texts=(None,) * batch,
            contexts=({},) * batch,
            filters=(None,) * batch,
            exclude=nothing,
            times=np.zeros(batch, np.int64) if times is None else times,
            k=k,
        )

    def __len__(self) -> int:
        return len(self.users)

    @cached_property
    def effective_history(self) -> History:
        """What models start from: the items of a query if it has any, else its history.

        The items of a query have time 0 and weight 1.
        """
        if not len(self.items.values):
            return self.history
        lengths = self.items.lengths
        past = self.history.filter(np.repeat(lengths == 0, self.history.lengths))
        order = np.argsort(np.concatenate([past.rows, self.items.rows]), kind="stable")
        n_items = len(self.items.values)
        return History(
            offsets_of(past.lengths + lengths),
            np.concatenate([past.items, self.items.values])[order],
            np.concatenate([past.times, np.zeros(n_items, np.int64)])[order],
            np.concatenate([past.weights, np.ones(n_items, np.float32)])[order],
        )

    def slice(self, start: int, stop: int) -> QueryBatch:
        """Select consecutive queries, with an empty cache.

        Args:
            start: The first query.
            stop: The query after the last.

        Returns:
            `stop` - `start` queries.
        """
        selected: dict[str, Any] = {"cache": {}}
        for name in _PER_QUERY:
            value = getattr(self, name)
            if isinstance(value, Ragged | History):
                selected[name] = value.slice(start, stop)
            elif value is not None:
                selected[name] = value[start:stop]
        if self.mask is not None and len(self.mask) > 1:
            selected["mask"] = self.mask[start:stop]
        return replace(self, **selected)

    def take(self, rows: Int64Array) -> QueryBatch:
        """Select queries, with an empty cache.

        Args:
            rows: int64 [R], their numbers in any order.

        Returns:
            R queries.
        """
        selected: dict[str, Any] = {"cache": {}}
        for name in _PER_QUERY:
            value = getattr(self, name)
            if isinstance(value, Ragged | History):
                selected[name] = value.take(rows)
            elif isinstance(value, tuple):
                selected[name] = tuple(value[row] for row in rows.tolist())
            elif value is not None:
                selected[name] = value[rows]
        if self.mask is not None and len(self.mask) > 1:
            selected["mask"] = self.mask[rows]
        return replace(self, **selected)

    def batches(self, size: int) -> Iterator[tuple[int, QueryBatch]]:
        """Split into smaller batches.

        Args:
            size: The most queries in one batch.

        Yields:
            The index of the first query, and the batch.
        """
        for start in range(0, len(self), size):
            yield start, self.slice(start, min(start + size, len(self)))
