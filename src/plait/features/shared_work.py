"""What several stages derive alike from the same items, derived once.

Between two fits each stage brings its own delta up to date; most of them cut the same texts into
words and hash the same fields.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

__all__ = ["shared", "shared_work"]

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

_MOST_VALUES = 20_000
"""The most values that are remembered for one purpose: a large backlog must not fill the memory."""

_work: ContextVar[dict[Hashable, dict[Any, Any]] | None] = ContextVar("shared_work", default=None)


@contextmanager
def shared_work() -> Iterator[None]:
    """Remember within a block, in this thread, what `shared` derives."""
    token = _work.set({})
    try:
        yield
    finally:
        _work.reset(token)


def shared(
    purpose: Hashable, keys: Sequence[KeyT], derive: Callable[[KeyT], ValueT]
) -> list[ValueT]:
    """Derive a value for each key; within `shared_work` once for each purpose and key.

    Args:
        purpose: What is derived, with everything that it depends on beside the key.
        keys: The N keys.
        derive: Derives the value of a key; the value must not be changed.

    Returns:
        The values [N].
    """
    work = _work.get()
    if work is None:
        return list(map(derive, keys))
    known = work.setdefault(purpose, {})
    values: list[ValueT] = []
    for key in keys:
        if key in known:
            values.append(known[key])
            continue
        values.append(derive(key))
        if len(known) < _MOST_VALUES:
            known[key] = values[-1]
    return values
