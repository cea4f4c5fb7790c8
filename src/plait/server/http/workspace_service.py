"""What the routes of one process stand on: the workspace, the threads that call it, the metrics."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from plait.errors import NotReadyError, PlaitError
from plait.server.http.prometheus import PrometheusMetrics
from plait.server.http.request_limits import too_many_rows
from plait.server.http.request_models import RecommendBatch
from plait.settings import Settings
from plait.workspace.live_model import NOT_READ
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

START_POLL = 0.05
"""Seconds between two checks of whether there is a bundle to warm up."""

_log = logging.getLogger(__name__)


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
        self._is_warm = False

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
        return Response(to_json(response), media_type="application/json")

    async def explain(self, request_id: str) -> dict[str, Any]:
        """Return what is remembered of a response.

        Args:
            request_id: The request.

        Returns:
            See `Workspace.why`.
        """
        return await self._query_calls.run(lambda: self.workspace.why(request_id))

    def readiness(self) -> list[str]:
        """Return why this worker should not be queried yet.

        Returns:
            Reasons that anybody may read, without the words of a database or a file; none when
            all is well.
        """
        problems = [problem.partition(":")[0] for problem in self.workspace.readiness()]
        return problems or ([] if self._is_warm else ["the worker is warming up"])

    async def warm_up(self) -> None:
        """Once there is a bundle, answer a query of every kind before the first caller comes."""
        while self.workspace.readiness():
            await asyncio.sleep(START_POLL)
        try:
            await self._query_calls.run(self.workspace.warm_up)
        except Exception as problem:  # noqa: BLE001  it can answer: the bundle was tried before
            _log.warning("the warm-up queries failed: %s", type(problem).__name__)
        self._is_warm = True

    def scrape(self) -> bytes:
        """Return the metrics of all workers, with what this one knows right now."""
        self.metrics.observe(self.workspace.vitals())
        return self.metrics.text()

    async def watch(self) -> None:
        """Update the metrics every second, scraped or not, and log new problems."""
        self.workspace.readiness()  # starts to read the log
        frozen_bundle, logged = "", ""
        while True:
            with contextlib.suppress(PlaitError):
                vitals = await self.wait(self.workspace.vitals)
                self.metrics.observe(vitals)
                if vitals["bundle"] != frozen_bundle and self._is_warm:
                    frozen_bundle = vitals["bundle"]
                    await self.wait(_freeze_gc)
                problems = [problem for problem in vitals["problems"] if problem != NOT_READ]
                if problems and "; ".join(problems) != logged:
                    # The words may quote ids, so they are for debugging only.
                    kinds = "; ".join(problem.partition(":")[0] for problem in problems)
                    _log.warning("%s; /v1/info says more", kinds)
                    _log.debug("%s", "; ".join(problems))
                logged = "; ".join(problems)
            await asyncio.sleep(1.0)

    def close(self) -> None:
        """Let what is under way finish, then close the workspace, which writes what it holds."""
        self._query_calls.close()
        self._store_calls.close()
        self.workspace.close()


def _freeze_gc() -> None:
    """Exempt what a new bundle brought from garbage collection: it stays, and examining all of it
    again and again would delay the responses.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
