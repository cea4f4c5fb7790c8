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

WAITING = 32
"""Threads that wait: for a commit, for the store, for a version. One commit serves many of them."""
MOST_WAITING = 512
"""Requests that may be under way in one process; the next is told to come back."""


class Service:
    """Routes hand it calls on the shop.

    Answers are computed on the event loop itself: computing holds the interpreter's lock, so a
    thread beside the loop would only take turns with it (at 100 requests a second p99 was 115 ms
    with one, 14 ms without). What waits, for a commit, the store or a version, does so in threads.
    """

    def __init__(
        self, settings: Settings, shop: Shop, meters: Meters, *, most: int = MOST_WAITING
    ) -> None:
        self.settings = settings
        self.shop = shop
        self.meters = meters
        shop.watch = meters.stage
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
        if patient:
            request_id, content = await self.wait(lambda: _rendered(call()))
        else:
            request_id, content = _rendered(call())
        request.state.request_id = request_id
        return Response(content, media_type="application/json")

    async def wait(self, call: Callable[[], T]) -> T:
        """What `call` returns after it has waited for the store."""
        if self._under_way >= self._most:
            raise NotReadyError("too many requests are under way", hint="try again in a second")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._waiting, call)
        finally:
            self._under_way -= 1

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
        self._waiting.shutdown(wait=True)
        self.shop.close()


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
