"""Defers SIGINT while third-party code runs that must not be interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["DeferredInterrupt"]


class DeferredInterrupt:
    """Within the block a Ctrl-C takes effect inside `allow` only; elsewhere it is deferred.

    A deferred Ctrl-C is passed to the previous handler when the next `allow` begins, at `deliver`,
    or when the block ends without an error. Python handles signals in the main thread only; in any
    other thread, and where Ctrl-C is ignored, this does nothing.
    """

    def __init__(self) -> None:
        self._previous: Callable[[int, FrameType | None], Any] | None = None
        self._is_pending = False
        self._is_allowed = False

    def __enter__(self) -> Self:
        previous = signal.getsignal(signal.SIGINT)
        if callable(previous) and threading.current_thread() is threading.main_thread():
            self._previous = previous
            signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if kind is None:
            self.deliver()

    @contextmanager
    def allow(self) -> Iterator[None]:
        """Let a Ctrl-C, and a deferred one, take effect within the block.

        Yields:
            Nothing.
        """
        self._is_allowed = True
        try:
            self.deliver()
            yield
        finally:
            self._is_allowed = False

    def deliver(self) -> None:
        """Pass a deferred Ctrl-C on: usually this raises KeyboardInterrupt."""
        if self._is_pending and self._previous is not None:
            self._is_pending = self._is_allowed = False
            self._previous(signal.SIGINT, None)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_pending = True
        if self._is_allowed:
            self.deliver()
