"""The workspace, threads and metrics that the routes of one process use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from plait.data.query_controls import SeenRule
from plait.data.types import event_type_weights
from plait.errors import NotReadyError, StorageError
from plait.pipeline.query_completion import Completion
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.rate_limits import RateLimits
from plait.server.http.request_limits import (
    check_batch_bytes,
    check_batch_items,
    too_many_rows,
)
from plait.server.http.request_models import RecommendBatch
from plait.server.http.version_waiters import VersionWaiters
from plait.server.http.worker_health import WorkerHealth
from plait.settings import Settings
from plait.workspace.listing import Listing
from plait.workspace.listing_query import ListQuery
from plait.workspace.name_quota import BudgetSource
from plait.workspace.query_api import batch_size
from plait.workspace.query_validation import QueryModel
from plait.workspace.response import many_json, to_json

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["Service"]

T = TypeVar("T")

STORE_THREADS = 32
"""Threads that wait for a commit or for the store. One commit serves many of them."""

QUERY_THREADS = 4
"""Threads that look at the head of the log for queries that wait for a version. They are separate,
so that no number of such queries keeps an event from being stored."""

PARSE_THREADS = 2
"""Threads that parse long bodies: more would only take turns, and hold their memory meanwhile."""

LIST_THREADS = 2
"""Threads that compute listings, which take their time and hold the interpreter's lock."""

COSTLY_ITEMS = 200
"""A query that names, excludes or asks for more items is costly: it does not hold up the others."""

COSTLY_TEXT = 500
"""The same of a text or filter of more characters."""

CHAIN_THREADS = 8
"""Threads that look up what earlier responses showed, for `next` and `requests`."""

MAX_UNDER_WAY = 512
"""Requests that may be under way in one process, of either sort; the next gets 503."""


class _BoundedExecutor:
    """A thread pool that refuses calls beyond a number."""

    def __init__(self, name: str, threads: int, most: int) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._most = most
        self._under_way = 0

    async def run(self, call: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            raise NotReadyError("too many requests are under way", hint="try again in a second")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._under_way -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True)


class Service:
    """Answers what the routes ask of the workspace.

    Queries are computed on the event loop itself: computing holds the interpreter's lock, so a
    thread beside the loop would only take turns with it (at 100 requests a second p99 was 115 ms
    with one, 14 ms without). Costly ones, which would hold everybody up, take those turns in one
    thread, with a bound on their work. What waits, for a commit or the store, does so in threads.

    Args:
        settings: The settings of the home.
        workspace: The open home.
        metrics: What Prometheus scrapes.
        limits: What keys and users may ask for.
        most: Requests that may be under way, of either sort.

    Attributes:
        settings: The settings of the home.
        workspace: The open home.
        metrics: What Prometheus scrapes.
        limits: What keys and users may ask for.
        wait: Runs a call that waits for the store in a thread; a coroutine function.
        parse: Parses a long body in a thread; a coroutine function.
        waiters: Lets requests wait for a version.
        health: Whether this worker can answer.
    """

    def __init__(
        self,
        settings: Settings,
        workspace: Workspace,
        metrics: PrometheusMetrics,
        limits: RateLimits,
        *,
        most: int = MAX_UNDER_WAY,
    ) -> None:
        self.settings = settings
        self.workspace = workspace
        self.metrics = metrics
        self.limits = limits
        workspace.host.on_timings = metrics.stages
        self._store_calls = _BoundedExecutor("plait-wait", STORE_THREADS, most)
        self._query_calls = _BoundedExecutor("plait-ask", QUERY_THREADS, most)
        self._parse_calls = _BoundedExecutor("plait-parse", PARSE_THREADS, most)
        self._chain_calls = _BoundedExecutor("plait-chain", CHAIN_THREADS, most)
        self._list_calls = _BoundedExecutor("plait-list", LIST_THREADS, most)
        self._costly_calls = _BoundedExecutor("plait-costly", 1, most)
        self.wait = self._store_calls.run
        self.parse = self._parse_calls.run
        self.waiters = VersionWaiters(
            lambda: workspace.version,
            lambda: self._query_calls.run(workspace.host.head),
            settings.stale_wait_ms / 1000,
        )
        self.health = WorkerHealth(workspace, metrics, wait=self.wait, query=self._query_calls.run)

    async def answer(self, request: Request, body: QueryModel, route: str) -> Response:
        """Answer a query.

        A query for a version that is not known yet waits without a thread, so that it delays no
        other; for one that the log does not hold it does not wait.

        Args:
            request: The request, which gets the id of the response.
            body: The query.
            route: The name under which the response is remembered.

        Returns:
            The response as JSON.

        Raises:
            RateLimitError: If the user asks for too much.
            TooLargeError: If a list is longer than `batch_limit`.
        """
        if body.user is not None:
            limits = self.limits
            wait_s = limits.users.take_for(body.user, limits.costs_by_kind[route])
            if wait_s:
                raise limits.refused_user(body.user, wait_s)
        for field in ("items", "exclude", "history"):
            count, limit = len(getattr(body, field, ())), self.settings.batch_limit
            if count > limit:
                raise too_many_rows(field, count, limit)
        is_costly = _is_costly(body)
        run, query, at_least = self.workspace.queries.run, body.to_query(), body.at_least
        is_fresh = at_least is None or await self.waiters.reached(at_least)
        if is_costly:
            budget = self.settings.query_budget_ms / 1000
            responses = await self._costly_calls.run(
                lambda: run([query], is_fresh=is_fresh, route=route, budget=budget)
            )
        else:
            responses = run([query], is_fresh=is_fresh, route=route)
        request.state.request_id = responses[0].request_id
        self.metrics.answers.answered(route, responses[0], query.k, query.context)
        return Response(to_json(responses[0]), media_type="application/json")

    async def answer_many(self, body: RecommendBatch, route: str) -> Response:
        """Answer one query for many users, some at a time, so that other requests come between.

        Args:
            body: The query, and its users.
            route: The name under which the responses are remembered.

        Returns:
            The responses as JSON.

        Raises:
            TooLargeError: If it asks for too many items, or they are too long together.
        """
        check_batch_items(len(body.users), body.k)
        run, query, at_least = self.workspace.queries.run, body.to_query(), body.at_least
        is_fresh = at_least is None or await self.waiters.reached(at_least)
        budget = self.settings.query_budget_ms / 1000
        rendered, n_bytes, size = [], 0, batch_size(body.k)
        for first in range(0, len(body.users), size):
            users = body.users[first : first + size]
            answer = partial(run, [replace(query, user=user) for user in users])
            responses = await self._costly_calls.run(
                partial(answer, is_fresh=is_fresh, route=route, budget=budget)
            )
            for response in responses:
                self.metrics.answers.answered(route, response, query.k, query.context)
                rendered.append(replace(response, items=[]))  # its JSON is a tenth of the objects
                n_bytes += len(response.items_json)
                check_batch_bytes(n_bytes)
        return Response(many_json(body.users, rendered), media_type="application/json")

    async def list_items(self, query: ListQuery) -> Listing:
        """Answer with a page of a listing.

        Args:
            query: The query.

        Returns:
            The page.
        """
        at_least, list_items = query.at_least, self.workspace.run_listing
        is_fresh = at_least is None or await self.waiters.reached(at_least)
        return await self._list_calls.run(lambda: list_items(query, is_fresh=is_fresh))

    async def complete(self, text: str, k: int) -> list[Completion]:
        """Complete the last word of a text.

        Args:
            text: What is typed so far.
            k: The most completions.

        Returns:
            The completions.
        """
        host = self.workspace.host
        return await self._query_calls.run(lambda: host.serving().complete(text, k))

    async def continue_chain(self, request: Request, request_id: str, k: int) -> Response:
        """Answer with more of an earlier response.

        Args:
            request: The request, which gets the id of the response.
            request_id: Any request of the chain.
            k: How many items.

        Returns:
            The response as JSON.
        """
        queries = self.workspace.queries
        response = await self._chain_calls.run(lambda: queries.next(request_id, k))
        request.state.request_id = response.request_id
        self.metrics.answers.continued(request_id, response, k)
        return Response(to_json(response), media_type="application/json")

    async def explain(self, request_id: str) -> dict[str, Any]:
        """Return what is remembered of a response.

        Args:
            request_id: The request.

        Returns:
            See `Workspace.why`.
        """
        return await self._chain_calls.run(lambda: self.workspace.why(request_id))

    def post_events(
        self, rows: Sequence[Any], *, names: BudgetSource
    ) -> tuple[int, list[dict[str, Any]]]:
        """Append events, and count the answers that led to them.

        Args:
            rows: The rows of a request.
            names: Makes the budget of new fields and event types of its key.

        Returns:
            See `Workspace.post`.
        """
        version, statuses = self.workspace.post(rows, names=names)
        stored = [
            row
            for row, status in zip(rows, statuses, strict=True)
            if status["status"] == "stored" and isinstance(row.get("request_id"), str)
        ]
        if stored:
            self._count_clicks(stored)
        return version, statuses

    def _count_clicks(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count the answers that stored events of positive weight name."""
        loaded = self.workspace.host.loaded
        if loaded is None:
            return
        kinds = [str(row["kind"]) for row in rows]
        weights = event_type_weights(kinds, loaded.pipeline.recipe.event_weights)
        ids = [row["request_id"] for row, weight in zip(rows, weights, strict=True) if weight > 0]
        with contextlib.suppress(StorageError):  # the events are stored, whatever fails here
            self.metrics.answers.clicked(ids, self.workspace.chains.context_of)

    def close(self) -> None:
        """Wait for running calls, then close the workspace, which writes buffered impressions."""
        for calls in (
            self._parse_calls,
            self._list_calls,
            self._costly_calls,
            self._chain_calls,
            self._query_calls,
            self._store_calls,
        ):
            calls.close()
        self.workspace.close()


def _is_costly(body: QueryModel) -> bool:
    """Whether a query may take much longer than a usual one."""
    sizes = (len(getattr(body, name, ())) for name in ("items", "exclude", "history"))
    texts = (len(getattr(body, name, None) or "") for name in ("filter", "text"))
    return (
        getattr(body, "k", 0) + sum(sizes) > COSTLY_ITEMS
        or sum(texts) > COSTLY_TEXT
        or bool(getattr(body, "boosts", ()))
        or isinstance(getattr(body, "seen", None), SeenRule)
    )
