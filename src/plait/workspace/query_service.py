"""Answers queries with the model that is loaded, and remembers what was shown."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plait.data.catalogue import Catalogue
from plait.data.types import Query
from plait.errors import NotFoundError
from plait.eventlog import Impression
from plait.privacy.consent import ConsentPolicy
from plait.utils.timestamps import iso
from plait.workspace.impression_pagination import ImpressionChains, decode_payload
from plait.workspace.live_model import LiveModel
from plait.workspace.query_encoding import group_by_batch_key
from plait.workspace.query_validation import validate_query
from plait.workspace.response import (
    Response,
    impression_payload,
    items_json,
    ranked_items,
    to_json,
)
from plait.workspace.warmup_queries import warmup_queries

__all__ = ["QueryService"]


class QueryService:
    """Runs queries through the pipeline: the layer below HTTP and `Workspace`.

    Args:
        host: Holds the model.
        chains: Remembers what was shown.
        consent: Names users as the log does (by pseudonyms, where these are on).
        stale_wait: How long a query waits for the version it asks for, in seconds.
    """

    def __init__(
        self,
        host: LiveModel,
        chains: ImpressionChains,
        consent: ConsentPolicy,
        *,
        stale_wait: float = 1.0,
    ) -> None:
        self.worker = f"{os.getpid()}-{secrets.token_hex(2)}"
        self._host = host
        self._chains = chains
        self._consent = consent
        self._stale_wait = stale_wait

    def run(
        self, queries: Sequence[Query], *, at_least: int | None = None, route: str = "ask"
    ) -> list[Response]:
        """Answer queries.

        Args:
            queries: Valid queries, as `plait.workspace.query_validation` makes them.
            at_least: The version that the state should have reached; the query waits for it.
            route: The name under which the responses are remembered.

        Returns:
            The response to each query, in their order.

        Raises:
            NotFoundError: If an item to start from is unknown.
            NotReadyError: Before the first fit.
        """
        results = self._compute(queries, at_least, route=route)
        for _, impression in results:
            self._chains.add(impression)
        return [response for response, _ in results]

    def warm_up(self) -> None:
        """Answer a query of every kind, twice, and forget it: what it needs is loaded then.

        Raises:
            NotReadyError: Before the first fit.
        """
        for query in warmup_queries(self._host.serving().state) * 2:
            response, _ = self._compute([query], route="warm-up", is_timed=False)[0]
            to_json(response)

    def next(self, request_id: str, k: int) -> Response:
        """Continue an earlier response without repeating anything of its chain.

        Two callers that continue the same chain at once, here or in another process, get different
        items: one of them waits, or computes again after what the other has shown.

        Args:
            request_id: Any request of the chain.
            k: How many more items.

        Returns:
            The next items.

        Raises:
            NotFoundError: If the request is unknown.
            InputError: If `k` is out of range, or the chain has reached its greatest length.
        """
        self._chains.find(request_id)  # may wait, so it is done before the lock is taken
        with self._chains.chain_lock(request_id):
            while True:
                response, impression = self._continue(self._chains.chain(request_id), k)
                if self._chains.claim_continuation(impression):
                    return response

    def explain_request(self, request_id: str) -> dict[str, Any]:
        """Return everything that is remembered of a response.

        Args:
            request_id: The request.

        Returns:
            The query, what was shown, and what each model contributed.

        Raises:
            NotFoundError: If the request is unknown.
        """
        row = self._chains.find(request_id)
        return {
            "request_id": row.request_id,
            "route": row.route,
            "time": iso(row.time),
            "user": self._user_id(row.user),
            "bundle": row.bundle,
            "version": row.version,
            **decode_payload(row),
        }

    def _continue(self, chain: Sequence[Impression], k: int) -> tuple[Response, Impression]:
        payloads = [decode_payload(row) for row in chain]
        stated = payloads[0]["query"]
        shown = [str(item["id"]) for payload in payloads for item in payload["items"]]
        excluded = dict.fromkeys((*stated.get("exclude", ()), *shown))
        user = self._user_id(chain[0].user)
        query = validate_query(Query(**{**stated, "exclude": (), "k": k, "user": user}))
        query = replace(query, exclude=tuple(excluded))
        if query.candidates is not None:
            remaining = tuple(item for item in query.candidates if item not in excluded)
            query = replace(query, candidates=remaining)
        continuation_id = f"{chain[0].request_id}-{len(chain)}"
        return self._compute([query], route="next", continuation_id=continuation_id)[0]

    def _user_id(self, number: int) -> str | None:
        """The user whose number an impression remembers; None if unknown or erased."""
        users = self._host.state().users
        return (users.ids[number] or None) if 0 <= number < len(users) else None

    def _compute(
        self,
        queries: Sequence[Query],
        at_least: int | None = None,
        *,
        route: str,
        continuation_id: str = "",
        is_timed: bool = True,
    ) -> list[tuple[Response, Impression]]:
        """The response to each query and what is to be remembered of it."""
        is_fresh = not self._host.is_behind
        if at_least is not None:
            is_fresh = self._host.wait_for(at_least, self._stale_wait)
        model = self._host.serving()
        queries = self._resolve(queries, model.state.catalogue)
        results: dict[int, tuple[Response, Impression]] = {}
        for group in [[0]] if len(queries) == 1 else group_by_batch_key(queries):
            timings: dict[str, float] = {}
            batch, items = model.run([queries[position] for position in group], timings.__setitem__)
            if is_timed:
                self._host.on_timings(timings)
            for row, position in enumerate(group):
                query = queries[position]
                slate, shown = ranked_items(query, items, row, model.state.catalogue)
                response = Response(
                    continuation_id or uuid.uuid4().hex,
                    model.bundle,
                    model.state.version,
                    self.worker,
                    shown,
                    [] if is_fresh else ["stale"],
                    items_json(shown),
                )
                impression = Impression(
                    response.request_id,
                    time.time_ns() // 1000,
                    int(batch.users[row]),
                    route,
                    model.bundle,
                    model.state.version,
                    impression_payload(query, items, row, slate, response),
                )
                results[position] = response, impression
        return [results[position] for position in range(len(queries))]

    def _resolve(self, queries: Sequence[Query], catalogue: Catalogue) -> Sequence[Query]:
        """The queries with users named as in the log; NotFoundError for an unknown anchor."""
        for query in queries:
            for item in query.items:
                if catalogue.number(item) < 0:
                    raise NotFoundError(
                        f"no item {item!r}",
                        hint="import it with plait ingest --items, or PUT /v1/items/{id}",
                        field="item",
                    )
        if not self._consent.pseudonyms:
            return queries
        return [
            replace(query, user=None if query.user is None else self._consent.user_id(query.user))
            for query in queries
        ]
