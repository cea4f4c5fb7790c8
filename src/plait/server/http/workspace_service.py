"""The workspace, threads and metrics that the routes of one process use."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from plait.data.types import event_type_weights
from plait.errors import NotReadyError, StorageError
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.request_limits import too_many_rows
from plait.server.http.request_models import RecommendBatch
from plait.server.http.worker_health import WorkerHealth
from plait.settings import Settings
from plait.workspace.query_api import BATCH_SIZE
from plait.workspace.query_validation import QueryModel
from plait.workspace.response import many_json, to_json

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["Service"]

T = TypeVar("T")

STORE_THREADS = 32
"""Threads that wait for a commit or for the store. One commit serves many of them."""

QUERY_THREADS = 16
"""Threads that wait before they can answer: for a version, or for what another response showed.
They are separate, so that no number of such queries keeps an event from being stored."""

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
    with one, 14 ms without). What waits, for a commit, the store or a version, does so in threads.

    Args:
        settings: The settings of the home.
        workspace: The open home.
        metrics: What Prometheus scrapes.
        most: Requests that may be under way, of either sort.

    Attributes:
        settings: The settings of the home.
        workspace: The open home.
        metrics: What Prometheus scrapes.
        wait: Runs a call that waits for the store in a thread; a coroutine function.
        health: Whether this worker can answer.
    """

    def __init__(
        self,
        settings: Settings,
        workspace: Workspace,
        metrics: PrometheusMetrics,
        *,
        most: int = MAX_UNDER_WAY,
    ) -> None:
        self.settings = settings
        self.workspace = workspace
        self.metrics = metrics
        workspace.host.on_timings = metrics.stages
        self._store_calls = _BoundedExecutor("plait-wait", STORE_THREADS, most)
        self._query_calls = _BoundedExecutor("plait-ask", QUERY_THREADS, most)
        self.wait = self._store_calls.run
        self.health = WorkerHealth(workspace, metrics, wait=self.wait, query=self._query_calls.run)

    async def answer(self, request: Request, body: QueryModel, route: str) -> Response:
        """Answer a query.

        A query for a version that is not known yet waits in a thread, so that it delays no other.

        Args:
            request: The request, which gets the id of the response.
            body: The query.
            route: The name under which the response is remembered.

        Returns:
            The response as JSON.

        Raises:
            TooLargeError: If a list is longer than `batch_limit`.
        """
        for field in ("items", "exclude", "history"):
            count, limit = len(getattr(body, field, ())), self.settings.batch_limit
            if count > limit:
                raise too_many_rows(field, count, limit)
        run, query, at_least = self.workspace.queries.run, body.to_query(), body.at_least
        if at_least is not None and at_least > self.workspace.version:
            responses = await self._query_calls.run(
                lambda: run([query], at_least=at_least, route=route)
            )
        else:
            responses = run([query], at_least=at_least, route=route)
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
        """
        run, query, at_least = self.workspace.queries.run, body.to_query(), body.at_least
        wait, is_fresh = self.settings.stale_wait_ms / 1000, True
        if at_least is not None:
            host = self.workspace.host
            is_fresh = await self._query_calls.run(lambda: host.wait_for(at_least, wait))
        responses = []
        for first in range(0, len(body.users), BATCH_SIZE):
            users = body.users[first : first + BATCH_SIZE]
            responses += run([replace(query, user=user) for user in users], route=route)
            await asyncio.sleep(0)
        for response in responses:
            self.metrics.answers.answered(route, response, query.k, query.context)
        if not is_fresh:
            responses = [
                replace(response, degraded=[*response.degraded, "stale"]) for response in responses
            ]
        return Response(many_json(body.users, responses), media_type="application/json")

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
        response = await self._query_calls.run(lambda: queries.next(request_id, k))
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
        return await self._query_calls.run(lambda: self.workspace.why(request_id))

    def post_events(self, rows: Sequence[Any]) -> tuple[int, list[dict[str, Any]]]:
        """Append events, and count the answers that led to them.

        Args:
            rows: The rows of a request.

        Returns:
            See `Workspace.post`.
        """
        version, statuses = self.workspace.post(rows)
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
        """Let what is under way finish, then close the workspace, which writes what it holds."""
        self._query_calls.close()
        self._store_calls.close()
        self.workspace.close()
