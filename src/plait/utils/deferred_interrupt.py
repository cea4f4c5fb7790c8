"""Ctrl-C waits while others are at work whom it would leave in pieces."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["DeferredInterrupt"]


class DeferredInterrupt:
    """Within the block a Ctrl-C is heard within `heard` alone; elsewhere it waits.

    What waits is handed to whoever was to hear it when the next `heard` begins, at `deliver`, or
    when the block ends without an error. Python hears signals in the main thread alone; in any
    other, and where Ctrl-C is ignored, this does nothing.
    """

    def __init__(self) -> None:
        self._before: Callable[[int, FrameType | None], Any] | None = None
        self._waiting = False
        self._open = False

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        if callable(before) and threading.current_thread() is threading.main_thread():
            self._before = before
            signal.signal(signal.SIGINT, self._came)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if kind is None:
            self.deliver()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """A Ctrl-C in here is heard at once, and so is one that came before."""
        self._open = True
        try:
            self.deliver()
            yield
        finally:
            self._open = False

    def deliver(self) -> None:
        """Hand on what waits: usually this raises KeyboardInterrupt."""
        if self._waiting and self._before is not None:
            self._waiting = self._open = False
            self._before(signal.SIGINT, None)

    def _came(self, _number: int, _frame: FrameType | None) -> None:
        self._waiting = True
        if self._open:
            self.deliver()
