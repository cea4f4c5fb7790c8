"""Answers queries with the loaded model, and records the impressions."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plait.data.catalogue import Catalogue
from plait.data.query_controls import SeenRule
from plait.data.types import ABSENT, Query
from plait.errors import BudgetError, NotFoundError
from plait.eventlog import Impression
from plait.ingest.posted_rows import SESSION
from plait.pipeline.model_failures import ModelFailures
from plait.pipeline.pipeline import OnStageTimed
from plait.pipeline.query_corrections import probable_texts
from plait.privacy.consent import ConsentPolicy
from plait.utils.timestamps import iso
from plait.workspace.companion_reasons import with_companion_reasons
from plait.workspace.impression_pagination import ImpressionChains
from plait.workspace.impression_payload import decode_payload, impression_payload, shown_ids
from plait.workspace.item_fields import check_field_names
from plait.workspace.live_model import LiveModel
from plait.workspace.query_encoding import group_by_batch_key
from plait.workspace.query_validation import validate_query
from plait.workspace.response import Response, items_json, ranked_items, to_json
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
        self,
        queries: Sequence[Query],
        *,
        at_least: int | None = None,
        is_fresh: bool = True,
        route: str = "ask",
        budget: float | None = None,
    ) -> list[Response]:
        """Answer queries.

        Args:
            queries: Valid queries, as `plait.workspace.query_validation` makes them.
            at_least: The version that the state should have reached; the query waits for it.
            is_fresh: Whether the state has reached the version that the caller has waited for.
            route: The name under which the responses are remembered.
            budget: The most processor time of this thread, in seconds; None: no bound. It is
                looked at after every stage.

        Returns:
            The response to each query, in their order.

        Raises:
            BudgetError: If the queries take more than `budget`.
            NotFoundError: If an item to start from is unknown.
            NotReadyError: Before the first fit.
        """
        results = self._compute(queries, at_least, is_fresh=is_fresh, route=route, budget=budget)
        for _, impression in results:
            self._chains.add(impression)
        return [response for response, _ in results]

    def warm_up(self) -> None:
        """Answer a query of every kind twice, unrecorded, to load what queries need.

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
        shown = [item for payload in payloads for item in shown_ids(payload)]
        excluded = dict.fromkeys((*stated.get("exclude", ()), *shown))
        user = self._user_id(chain[0].user)
        query = validate_query(Query(**{**stated, "exclude": (), "k": k, "user": user}))
        query = replace(
            query,
            exclude=tuple(excluded),
            session=self._user_id(payloads[0].get("session", ABSENT)),
            shown=tuple(shown),
        )
        if query.candidates is not None:
            remaining = tuple(item for item in query.candidates if item not in excluded)
            query = replace(query, candidates=remaining)
        continuation_id = f"{chain[0].request_id}-{len(chain)}"
        return self._compute(
            [query], route="next", continuation_id=continuation_id, is_resolved=True
        )[0]

    def _user_id(self, number: int) -> str | None:
        """The id of the user of an impression; None if unknown or erased."""
        users = self._host.state().users
        return (users.ids[number] or None) if 0 <= number < len(users) else None

    def _compute(
        self,
        queries: Sequence[Query],
        at_least: int | None = None,
        *,
        route: str,
        is_fresh: bool = True,
        continuation_id: str = "",
        is_timed: bool = True,
        is_resolved: bool = False,
        budget: float | None = None,
    ) -> list[tuple[Response, Impression]]:
        """The response to each query and what is to be remembered of it."""
        is_fresh = is_fresh and not self._host.is_behind
        if at_least is not None:
            is_fresh = self._host.wait_for(at_least, self._stale_wait)
        model = self._host.serving()
        queries = queries if is_resolved else self._resolve(queries, model.state.catalogue)
        results: dict[int, tuple[Response, Impression]] = {}
        end = None if budget is None else time.thread_time() + budget
        for group in [[0]] if len(queries) == 1 else group_by_batch_key(queries):
            timings: dict[str, float] = {}
            watch = timings.__setitem__ if end is None else _watch_until(end, timings)
            failures = ModelFailures(model.pipeline.recipe.model_budget_ms)
            batch, items = model.run([queries[place] for place in group], watch, failures)
            meant = probable_texts(model.pipeline.models, batch)
            if is_timed:
                self._host.on_timings(timings)
            for row, position in enumerate(group):
                query = queries[position]
                slate, shown = ranked_items(query, items, row, model.state.catalogue)
                degraded = [*(["stale"] * (not is_fresh)), *failures.errors]
                if query.event_types or isinstance(query.seen, SeenRule):
                    degraded += _unknown_event_types(query, model.state.event_types)
                session = model.state.users.number(query.session)
                if query.event_types:
                    shown = with_companion_reasons(shown, query, batch, row, model.state.catalogue)
                response = Response(
                    continuation_id or uuid.uuid4().hex,
                    model.bundle,
                    model.state.version,
                    self.worker,
                    shown,
                    degraded,
                    items_json(shown),
                    meant[row],
                )
                impression = Impression(
                    response.request_id,
                    time.time_ns() // 1000,
                    int(batch.users[row]),
                    route,
                    model.bundle,
                    model.state.version,
                    impression_payload(
                        query, items, row, slate, response, model.state.catalogue, session
                    ),
                )
                results[position] = response, impression
        return [results[position] for position in range(len(queries))]

    def _resolve(self, queries: Sequence[Query], catalogue: Catalogue) -> Sequence[Query]:
        """The queries with users named as in the log; NotFoundError for an unknown anchor."""
        has_sessions = False
        for query in queries:
            has_sessions = has_sessions or query.session is not None
            if query.fields:
                check_field_names(query.fields, catalogue)
            for item in query.items:
                number = catalogue.number(item)
                if number < 0 or not catalogue.alive[number]:
                    raise NotFoundError(
                        f"no item {item!r}",
                        hint="unknown or deleted; import it with plait ingest --items, or PUT "
                        "/v1/items/{id}",
                        field="item" if len(query.items) == 1 else "items",
                    )
        if not (self._consent.pseudonyms or has_sessions):
            return queries
        return [self._with_stored_ids(query) for query in queries]

    def _with_stored_ids(self, query: Query) -> Query:
        """The query with user and session as the log names them; a session alone is the user."""
        user = None if query.user is None else self._consent.user_id(query.user)
        session = None
        if query.session is not None:
            session = self._consent.user_id(SESSION + query.session)
        return replace(query, user=user or session, session=session if user else None)


def _watch_until(end: float, timings: dict[str, float]) -> OnStageTimed:
    """Notes what each stage took; BudgetError once this thread's processor time is past `end`."""

    def watch(stage: str, seconds: float) -> None:
        timings[stage] = seconds
        if time.thread_time() > end:
            raise BudgetError(
                "the query takes more work than one query may",
                hint="ask for fewer items, or raise query_budget_ms",
            )

    return watch


def _unknown_event_types(query: Query, event_types: Sequence[str]) -> list[str]:
    """What the response says of event types that the log does not have."""
    named = query.event_types
    if isinstance(query.seen, SeenRule):
        named = (*named, *query.seen.exclude)
    unknown = [name for name in dict.fromkeys(named) if name not in event_types]
    return [f"unknown_event_type:{name}" for name in unknown]
