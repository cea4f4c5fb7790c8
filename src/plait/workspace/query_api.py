"""The part of a workspace that answers: recommend, search, similar, rank, next, why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Unpack

from plait.data.types import Query
from plait.errors import InputError
from plait.pipeline.query_completion import Completion
from plait.utils.timestamps import to_micros
from plait.workspace.live_model import LiveModel
from plait.workspace.query_service import QueryService
from plait.workspace.query_validation import MAX_ITEMS, QueryOptions, parse_query, validate_query
from plait.workspace.response import Response
from plait.workspace.response_list import ResponseList

__all__ = ["QueryApi", "batch_size"]

BATCH_SIZE = 32
"""How many queries are computed at a time where there are many."""

BATCH_ITEMS = 1000
"""About how many items they ask for together: other queries are answered in between."""


def batch_size(k: int) -> int:
    """Return how many queries are computed at a time where there are many.

    Args:
        k: How many items each asks for.

    Returns:
        At least 1: long lists are computed one by one, in little memory.
    """
    return min(BATCH_SIZE, max(1, BATCH_ITEMS // k))


class QueryApi:
    """Answers queries with what is fitted, each response aware of every write before it.

    Args:
        queries: Runs queries; what HTTP stands on too.

    Attributes:
        host: Holds the model that answers.
        queries: Runs queries; what HTTP stands on too.
    """

    host: LiveModel

    def __init__(self, queries: QueryService) -> None:
        self.queries = queries

    def recommend(
        self, user: str | None = None, k: int = 10, **options: Unpack[QueryOptions]
    ) -> Response:
        """Recommend items for a user.

        Args:
            user: The user, known or not.
            k: How many items.
            options: See `QueryOptions`.

        Returns:
            The items, best first, each with its reasons.

        Raises:
            InputError: If a value of the query is wrong (FilterError for the filter).
            NotReadyError: Before the first fit.
        """
        return self._query("recommend", options, user=user, k=k)

    def recommend_many(
        self, users: Iterable[str], k: int = 10, **options: Unpack[QueryOptions]
    ) -> ResponseList:
        """Recommend items for many users, as for a newsletter.

        Args:
            users: The users, known or not.
            k: How many items for each.
            options: See `QueryOptions`; they hold for all users.

        Returns:
            The response to each user, in their order; `to_frame()` has the items of all.

        Raises:
            InputError: If a value of the query is wrong.
            NotReadyError: Before the first fit.
        """
        if isinstance(users, str) or not isinstance(users, Iterable):
            raise InputError("users is no list of ids", hint='like ["a", "b"]', field="users")
        query = self._parsed("recommend_many", options, k=k)
        named = [replace(query, user=parse_query({"user": user}).user) for user in users]
        at_least, size = options.get("at_least"), batch_size(query.k)
        responses = (
            response
            for first in range(0, len(named), size)
            for response in self.queries.run(
                named[first : first + size], at_least=at_least, route="recommend"
            )
        )
        return ResponseList(responses, [query.user for query in named])

    def search(
        self, text: str, *, user: str | None = None, k: int = 10, **options: Unpack[QueryOptions]
    ) -> Response:
        """Find items for words, in the light of the user if one is named.

        Args:
            text: The words.
            user: The user, known or not.
            k: How many items.
            options: See `QueryOptions`; seen items are kept by default.
        """
        if not str(text or "").strip():
            raise InputError("text is empty", hint="give the words to look for", field="text")
        return self._query("search", {"seen": "keep", **options}, text=text, user=user, k=k)

    def complete(self, text: str, *, k: int = 10) -> list[Completion]:
        """Complete the last word of a text, for a search box.

        Args:
            text: What a person has typed so far.
            k: The most completions.

        Returns:
            Texts with the number of their items, those of most items first; none of a text that
            ends in a blank.

        Raises:
            InputError: If `text` or `k` is wrong.
            NotReadyError: Before the first fit.
        """
        query = validate_query(Query(text=text or None, k=k))
        return self.host.serving().complete(query.text or "", query.k)

    def similar(
        self,
        item: str | Iterable[str],
        *,
        user: str | None = None,
        k: int = 10,
        event_types: Iterable[str] = (),
        **options: Unpack[QueryOptions],
    ) -> Response:
        """Find items like one item or like several, which are not among them.

        Args:
            item: The item, or several, such as those of a cart.
            user: The user, known or not.
            k: How many items.
            event_types: Items come first whose users also have events of these types with
                the given items; ["purchase"] is "bought together".
            options: See `QueryOptions`; seen items are kept unless they say otherwise.

        Raises:
            NotFoundError: If an item is unknown or deleted.
            InputError: If there is no item.
        """
        items = [item] if isinstance(item, str) or not isinstance(item, Iterable) else list(item)
        if not items:
            raise InputError("item is missing", hint="give the item to start from", field="item")
        return self._query(
            "similar",
            {"seen": "keep", **options},
            items=items,
            user=user,
            k=k,
            event_types=event_types,
        )

    def rank(
        self,
        user: str | None,
        items: Iterable[str],
        *,
        k: int | None = None,
        **options: Unpack[QueryOptions],
    ) -> Response:
        """Order the caller's items for a user.

        Items without a score (unknown, deleted, not available, rejected by the user) stand last,
        with the reason in `status`. What `exclude` and `filter` name is left out.

        Args:
            user: The user, known or not.
            items: The items to order.
            k: Return only the first k; None for all.
            options: See `QueryOptions`; seen items are kept unless they say otherwise.
        """
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise InputError("items is no list of ids", hint='like ["a", "b"]', field="items")
        candidates = list(items)
        if not candidates:
            raise InputError("items is empty", hint="give the items to order", field="items")
        k = min(len(candidates), MAX_ITEMS) if k is None else k
        seen: QueryOptions = {"seen": "keep", **options}
        return self._query("rank", seen, candidates=candidates, user=user, k=k)

    def next(self, request_id: str, k: int = 10) -> Response:
        """Continue an earlier response without repeating anything of its chain.

        Args:
            request_id: Any request of the chain.
            k: How many more items.

        Raises:
            NotFoundError: If the request is unknown.
        """
        return self.queries.next(request_id, k)

    def why(self, request_id: str) -> dict[str, Any]:
        """Return the query of a response, what was shown, and what each model contributed.

        Args:
            request_id: The request.

        Raises:
            NotFoundError: If the request is unknown.
        """
        return self.queries.explain_request(request_id)

    def ask(self, queries: Sequence[Query], *, at_least: int | None = None) -> ResponseList:
        """Answer several queries, in one batch where their shape allows it; see `recommend`.

        Args:
            queries: The queries.
            at_least: Wait until this version of the log is known, for a second at most.

        Returns:
            The response to each query, in their order; `to_frame()` has the items of all.
        """
        checked = [validate_query(query) for query in queries]
        responses = self.queries.run(checked, at_least=at_least)
        return ResponseList(responses, [query.user for query in checked])

    def warm_up(self) -> None:
        """Answer a query of every kind, unrecorded, as servers do before they are ready."""
        self.queries.warm_up()

    def _query(self, route: str, options: QueryOptions, **values: Any) -> Response:
        query = self._parsed(route, options, **values)
        return self.queries.run([query], at_least=options.get("at_least"), route=route)[0]

    def _parsed(self, method: str, options: QueryOptions, **values: Any) -> Query:
        for name in options.keys() - QueryOptions.__annotations__.keys():
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}")
        values = {**options, **values}
        if values.get("time") is not None:
            values["time"] = to_micros(values["time"])
        if values.get("context", ()) is None:
            del values["context"]
        return parse_query(values)
