"""What the routes of one process stand on: the shop, the threads that call it, the meters."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from plait.errors import NotReadyError, PlaitError
from plait.server.http.prometheus import PrometheusMetrics
from plait.settings import Settings
from plait.workspace.model_host import NOT_READ

if TYPE_CHECKING:
    from plait.workspace import Workspace

__all__ = ["Service"]

T = TypeVar("T")

WAITING = 32
"""Threads that wait for a commit or for the store. One commit serves many of them."""
ASKING = 16
"""Threads that wait before they can answer: for a version, or for what another answer showed. They
are others, so that no number of such questions keeps an event from being stored."""
MOST_WAITING = 512
"""Requests that may be under way in one process, of either sort; the next is told to come back."""
STARTING = 0.05
"""Seconds between two looks at whether there is something to warm up."""

_log = logging.getLogger("plait.server")


class _BoundedExecutor:
    """Threads of one sort, and how many requests they may have at once."""

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
    """Routes hand it calls on the shop.

    Answers are computed on the event loop itself: computing holds the interpreter's lock, so a
    thread beside the loop would only take turns with it (at 100 requests a second p99 was 115 ms
    with one, 14 ms without). What waits, for a commit, the store or a version, does so in threads.
    """

    def __init__(
        self,
        settings: Settings,
        shop: Workspace,
        meters: PrometheusMetrics,
        *,
        most: int = MOST_WAITING,
    ) -> None:
        self.settings = settings
        self.shop = shop
        self.meters = meters
        shop.watch = meters.stage
        self._waiting = _BoundedExecutor("plait-wait", WAITING, most)
        self._asking = _BoundedExecutor("plait-ask", ASKING, most)
        self._is_warm = False

    async def answer(
        self, request: Request, call: Callable[[], Any], at_least: int | None = None
    ) -> Response:
        """The Answer that `call` computes, as a response.

        A question about a version that is not known yet waits among the waiting threads, so that
        it keeps nobody else from an answer.
        """
        if at_least is not None and at_least > self.shop.version:
            return await self.answer_in_thread(request, call)
        return _answered(request, _rendered(call()))

    async def answer_in_thread(self, request: Request, call: Callable[[], Any]) -> Response:
        """As `answer`, for a `call` that waits for the store or for others first."""
        return _answered(request, await self.ask(lambda: _rendered(call())))

    async def wait(self, call: Callable[[], T]) -> T:
        """What `call` returns after it has waited for the store."""
        return await self._waiting.run(call)

    async def ask(self, call: Callable[[], T]) -> T:
        """What `call` returns after it has waited for an answer of another process."""
        return await self._asking.run(call)

    def readiness(self) -> list[str]:
        """Why this worker should not be asked yet; empty when all is well.

        The reasons are for everybody to read: the words of a database or a file are left out.
        """
        found = _kinds(self.shop.readiness())
        return found or ([] if self._is_warm else ["the worker is warming up"])

    async def warm_up(self) -> None:
        """Once there is a bundle, answer a question of every kind before the first asker comes."""
        while self.shop.readiness():
            await asyncio.sleep(STARTING)
        try:
            await self._asking.run(self.shop.warm_up)
        except Exception as problem:  # noqa: BLE001  it can answer: the bundle was tried before
            _log.warning("the questions asked for warmth failed: %s", type(problem).__name__)
        self._is_warm = True

    def scrape(self) -> bytes:
        """The exposition of all workers, with what this one knows right now."""
        self.meters.observe(self.shop.vitals())
        return self.meters.text()

    async def watch(self) -> None:
        """Tell the meters every second how this worker is, whoever is scraped."""
        self.shop.readiness()  # has it read the log, if it has not yet
        settled, told = "", ""
        while True:
            with contextlib.suppress(PlaitError):
                vitals = await self.wait(self.shop.vitals)
                self.meters.observe(vitals)
                if vitals["bundle"] != settled and self._is_warm:
                    settled = vitals["bundle"]
                    await self.wait(_freeze_gc)
                told = _told(vitals["problems"], told)
            await asyncio.sleep(1.0)

    def close(self) -> None:
        """Let what is under way finish, then close the shop, which writes what it still holds."""
        self._asking.close()
        self._waiting.close()
        self.shop.close()


def _answered(request: Request, rendered: tuple[str, bytes]) -> Response:
    request.state.request_id, content = rendered
    return Response(content, media_type="application/json")


def _rendered(answer: Any) -> tuple[str, bytes]:
    body = answer.to_dict()
    return body["request_id"], orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _told(problems: Sequence[str], before: str) -> str:
    """Log what has gone wrong anew: the kind of trouble, its words (which may quote) if asked."""
    found = "; ".join(one for one in problems if one != NOT_READ)
    if found and found != before:
        _log.warning("%s; /v1/info says more", "; ".join(_kinds(problems)))
        _log.debug("%s", found)
    return found


def _kinds(problems: Sequence[str]) -> list[str]:
    return [one.partition(":")[0] for one in problems]


def _freeze_gc() -> None:
    """Take what a new bundle brought out of the garbage collector's rounds: it stays, and looking
    through all of it again and again would hold up whoever is being answered.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
