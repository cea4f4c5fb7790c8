"""What the routes of one process stand on: the shop, the threads that call it, the meters."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from plait.errors import NotReadyError, PlaitError
from plait.serve.http.metrics import Meters
from plait.settings import Settings

if TYPE_CHECKING:
    from plait.shop import Shop

__all__ = ["Service"]

T = TypeVar("T")

ANSWERING = 1
"""Threads that compute answers. Computing holds the interpreter's lock: a second thread would not
add to it but take turns with the first, and at 100 requests a second both fall behind. More
answers at once need more processes."""
WAITING = 32
"""Threads that wait: for a commit, for the store, for a version. One commit serves many of them."""
MOST_WAITING = 512
"""Requests that may be under way in one process; the next is told to come back."""


class Service:
    """Routes hand it calls on the shop; it runs them beside the event loop."""

    def __init__(
        self, settings: Settings, shop: Shop, meters: Meters, *, most: int = MOST_WAITING
    ) -> None:
        self.settings = settings
        self.shop = shop
        self.meters = meters
        shop.watch = meters.stage
        self._answering = ThreadPoolExecutor(ANSWERING, "plait-answer")
        self._waiting = ThreadPoolExecutor(WAITING, "plait-wait")
        self._most = most
        self._under_way = 0

    async def answer(
        self, request: Request, call: Callable[[], Any], at_least: int | None = None
    ) -> Response:
        """The Answer that `call` computes, as a response.

        A question about a version that is not known yet waits among the waiting threads, so that
        it keeps nobody else from an answer.
        """
        patient = at_least is not None and at_least > self.shop.version
        pool = self._waiting if patient else self._answering
        request_id, content = await self._run(pool, lambda: _rendered(call()))
        request.state.request_id = request_id
        return Response(content, media_type="application/json")

    async def wait(self, call: Callable[[], T]) -> T:
        """What `call` returns after it has waited for the store."""
        return await self._run(self._waiting, call)

    def scrape(self) -> bytes:
        """The exposition of all workers, with what this one knows right now."""
        self.meters.observe(self.shop.vitals())
        return self.meters.text()

    async def watch(self) -> None:
        """Tell the meters every second how this worker is, whoever is scraped."""
        self.shop.readiness()  # has it read the log, if it has not yet
        settled = ""
        while True:
            with contextlib.suppress(PlaitError):
                vitals = await self.wait(self.shop.vitals)
                self.meters.observe(vitals)
                if vitals["bundle"] != settled:
                    settled = vitals["bundle"]
                    await self.wait(_settle)
            await asyncio.sleep(1.0)

    def close(self) -> None:
        """Let what is under way finish, then close the shop, which writes what it still holds."""
        self._answering.shutdown(wait=True)
        self._waiting.shutdown(wait=True)
        self.shop.close()

    async def _run(self, pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            raise NotReadyError("too many requests are under way", hint="try again in a second")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, call)
        finally:
            self._under_way -= 1


def _rendered(answer: Any) -> tuple[str, bytes]:
    body = answer.to_dict()
    return body["request_id"], orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _settle() -> None:
    """Take what a new bundle brought out of the garbage collector's rounds: it stays, and looking
    through all of it again and again would hold up whoever is being answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
