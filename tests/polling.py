"""Waits for a condition that another thread or process brings about."""

import time
from collections.abc import Callable

__all__ = ["until"]


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a condition holds.

    Args:
        condition: Returns something true once it holds.
        seconds: The longest wait.

    Raises:
        AssertionError: If it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"the condition did not hold within {seconds} s"
        time.sleep(0.005)
