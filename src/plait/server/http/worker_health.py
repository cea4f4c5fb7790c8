"""Readiness, warm-up, gauges and memory of a worker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from plait.errors import PlaitError
from plait.server.http.prometheus import PrometheusMetrics
from plait.workspace.live_model import NOT_READ

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["WorkerHealth"]

START_POLL = 0.05
"""Seconds between two checks of whether there is a bundle to warm up."""

_log = logging.getLogger(__name__)


class WorkerHealth:
    """Watches one worker.

    Args:
        workspace: The open home.
        metrics: What Prometheus scrapes.
        wait: Runs a call that waits for the store in a thread.
        query: Runs a query in a thread.
    """

    def __init__(
        self,
        workspace: Workspace,
        metrics: PrometheusMetrics,
        *,
        wait: Callable[[Callable[[], Any]], Awaitable[Any]],
        query: Callable[[Callable[[], Any]], Awaitable[Any]],
    ) -> None:
        self.workspace = workspace
        self.metrics = metrics
        self._wait = wait
        self._query = query
        self._is_warm = False
        self._frozen_bundle = ""

    def readiness(self) -> list[str]:
        """Return why this worker should not be queried yet.

        Returns:
            Reasons that are safe to publish, without the words of a database or a file; none when
            all is well.
        """
        problems = [problem.partition(":")[0] for problem in self.workspace.readiness()]
        return problems or ([] if self._is_warm else ["the worker is warming up"])

    async def warm_up(self) -> None:
        """Once there is a bundle, answer a query of every kind before the first caller comes."""
        while self.workspace.readiness():
            await asyncio.sleep(START_POLL)
        try:
            await self._query(self.workspace.warm_up)
        except Exception as problem:  # noqa: BLE001  it can answer: the bundle was tried before
            _log.warning("the warm-up queries failed: %s", type(problem).__name__)
        await self._freeze_gc(self.workspace.host.bundle)
        self._is_warm = True

    def scrape(self) -> bytes:
        """Return the metrics of all workers, with what this one knows right now."""
        self.metrics.observe(self.workspace.vitals())
        return self.metrics.text()

    async def watch(self) -> None:
        """Update the metrics every second, scraped or not, and log new problems."""
        self.workspace.readiness()  # starts to read the log
        logged = ""
        while True:
            with contextlib.suppress(PlaitError):
                vitals = await self._wait(self.workspace.vitals)
                self.metrics.observe(vitals)
                context_of = self.workspace.chains.context_of
                await self._wait(partial(self.metrics.answers.resolve, context_of))
                if vitals["bundle"] != self._frozen_bundle and self._is_warm:
                    await self._freeze_gc(vitals["bundle"])
                problems = [problem for problem in vitals["problems"] if problem != NOT_READ]
                if problems and "; ".join(problems) != logged:
                    # The words may quote ids, so they are for debugging only.
                    kinds = "; ".join(problem.partition(":")[0] for problem in problems)
                    _log.warning("%s; /v1/info says more", kinds)
                    _log.debug("%s", "; ".join(problems))
                logged = "; ".join(problems)
            await asyncio.sleep(1.0)

    async def _freeze_gc(self, bundle: str) -> None:
        """Exempt what a new bundle brought from garbage collection: it stays, and examining all of
        it again and again would delay the responses.
        """
        self._frozen_bundle = bundle

        def collect_and_freeze() -> None:
            gc.unfreeze()
            gc.collect()
            gc.freeze()

        await self._wait(collect_and_freeze)
