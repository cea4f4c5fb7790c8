"""Requests that wait for a version of the log: all of them in one task, none in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from plait.errors import NotReadyError, StorageError

__all__ = ["VersionWaiters"]

STEP = 0.005
"""Seconds between two looks at the version, while a request waits."""


class _Waiter(NamedTuple):
    version: int
    deadline: float
    future: asyncio.Future[bool]


class VersionWaiters:
    """Lets coroutines wait until the state has reached a version.

    A request for a version beyond the head of the log does not wait, because it may never come.

    Args:
        version: Returns the version of the state.
        read_head: Reads the version of the log, and lets the state follow it soon.
        timeout: The longest wait in seconds.
    """

    def __init__(
        self,
        version: Callable[[], int],
        read_head: Callable[[], Awaitable[int]],
        timeout: float,
    ) -> None:
        self._version = version
        self._read_head = read_head
        self._timeout = timeout
        self._new: list[_Waiter] = []
        self._waiting: list[_Waiter] = []
        self._task: asyncio.Task[None] | None = None

    async def reached(self, version: int) -> bool:
        """Wait until the state has reached a version.

        Args:
            version: The version.

        Returns:
            Whether it has; False at once where the log does not hold the version.
        """
        if self._version() >= version:
            return True
        loop = asyncio.get_running_loop()
        waiter = _Waiter(version, loop.time() + self._timeout, loop.create_future())
        self._new.append(waiter)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._watch())
        return await waiter.future

    async def _watch(self) -> None:
        while self._new or self._waiting:
            if self._new:
                await self._admit()
            version, now = self._version(), asyncio.get_running_loop().time()
            left = []
            for waiter in self._waiting:
                if waiter.version <= version or waiter.deadline <= now:
                    _resolve(waiter, waiter.version <= version)
                elif not waiter.future.done():  # else the client has gone
                    left.append(waiter)
            self._waiting = left
            if left and not self._new:
                await asyncio.sleep(STEP)

    async def _admit(self) -> None:
        """Admit new waiters; one read of the head of the log serves all of them."""
        new, self._new = self._new, []
        try:
            head = await self._read_head()
        except (StorageError, NotReadyError):
            head = 0  # what cannot be read cannot be followed either
        for waiter in new:
            if waiter.version > max(head, self._version()):
                _resolve(waiter, False)
            else:
                self._waiting.append(waiter)


def _resolve(waiter: _Waiter, is_reached: bool) -> None:
    if not waiter.future.done():
        waiter.future.set_result(is_reached)
