"""Ends a server on SIGTERM and SIGINT, during its start too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

__all__ = ["Signals"]


class Signals:
    """Catches both signals while it is open; in a thread that is not the main one, nothing."""

    def __init__(self) -> None:
        self._callback: Callable[[int], None] | None = None
        self._came: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_signal(self, callback: Callable[[int], None]) -> None:
        """Set what is called with every signal, at once with the first one that came before.

        Args:
            callback: Takes the number of the signal.
        """
        self._callback = callback
        if self._came:
            callback(self._came[0])

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)
        if self._callback is not None:
            self._callback(number)
