"""A cache of functions of a text whose memory is bounded: long texts have few places in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

__all__ = ["text_cache"]

LONGEST = 1_000
"""A text of more characters is long: its results are kept for the time of a query or two."""

LONG_PLACES = 8

ResultType = TypeVar("ResultType")


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
        of_short, of_long = lru_cache(places)(function), lru_cache(LONG_PLACES)(function)

        @wraps(function)
        def cached(text: str) -> ResultType:
            return (of_short if len(text) <= longest else of_long)(text)

        return cached

    return decorate
