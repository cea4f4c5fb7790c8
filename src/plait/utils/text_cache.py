"""A cache of functions of a text whose memory is bounded: long texts have few places in it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

__all__ = ["text_cache"]

LONGEST = 1_000
"""A text of more characters is long: its results are kept for the time of a query or two."""

LONG_PLACES = 8

ResultType = TypeVar("ResultType")


class _Results(dict[str, ResultType]):
    """The results of the last texts; a text without one is computed when it is looked up."""

    def __init__(self, function: Callable[[str], ResultType], places: int, longest: int) -> None:
        super().__init__()
        self._function, self._longest = function, longest
        self._short: deque[str] = deque(maxlen=places)
        self._long: deque[str] = deque(maxlen=LONG_PLACES)
        self._lock = threading.Lock()

    def __missing__(self, text: str) -> ResultType:
        result = self._function(text)
        texts = self._short if len(text) <= self._longest else self._long
        with self._lock:
            if text not in self:
                if len(texts) == texts.maxlen:
                    self.pop(texts[0], None)
                texts.append(text)
                self[text] = result
        return result


def text_cache(
    places: int, longest: int = LONGEST
) -> Callable[[Callable[[str], ResultType]], Callable[[str], ResultType]]:
    """Make a decorator that keeps the results of the last texts.

    A number of places alone bounds nothing where texts come from others: a title may have a million
    characters, and the tree of a filter of 10,000 characters has 150 KB.

    Args:
        places: How many results are kept of texts of at most `longest` characters; of longer texts
            there are 8.
        longest: The most characters of a text that has one of these places.

    Returns:
        The decorator of a function of a text.
    """

    def decorate(function: Callable[[str], ResultType]) -> Callable[[str], ResultType]:
        return _Results(function, places, longest).__getitem__

    return decorate
