"""Guards that delay Ctrl-C (SIGINT) until it can be handled.

Python runs signal handlers in the main thread only. In any other thread, and where SIGINT is
ignored, the guards do nothing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["DeferredInterrupt", "InterruptFlag"]


class _InterruptGuard:
    """Replaces the handler of SIGINT within a block; subclasses say what a signal does."""

    def __init__(self) -> None:
        self._previous: Callable[[int, FrameType | None], Any] | None = None

    def __enter__(self) -> Self:
        previous = signal.getsignal(signal.SIGINT)
        if callable(previous) and threading.current_thread() is threading.main_thread():
            self._previous = previous
            signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if error_type is None:
            self.deliver()

    def deliver(self) -> None:
        """Act upon a signal that waits: usually this raises KeyboardInterrupt."""
        raise NotImplementedError

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        raise NotImplementedError


class InterruptFlag(_InterruptGuard):
    """Within the block the first Ctrl-C sets `requested`; the second one interrupts at once.

    A request that nothing has acted upon interrupts when the block ends without an error.

    Attributes:
        requested: Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.requested = False

    def deliver(self) -> None:
        if self.requested:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.deliver()
        self.requested = True


class DeferredInterrupt(_InterruptGuard):
    """Within the block Ctrl-C interrupts only within `allow`; elsewhere it waits.

    A waiting signal goes to the previous handler when the next `allow` begins, at `deliver`, or
    when the block ends without an error. It protects third-party code that must not be interrupted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting = False
        self._allowed = False

    @contextmanager
    def allow(self) -> Iterator[None]:
        """Within this block Ctrl-C interrupts at once, and so does one that waits."""
        self._allowed = True
        try:
            self.deliver()
            yield
        finally:
            self._allowed = False

    def deliver(self) -> None:
        if self._waiting and self._previous is not None:
            self._waiting = self._allowed = False
            self._previous(signal.SIGINT, None)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._waiting = True
        if self._allowed:
            self.deliver()
