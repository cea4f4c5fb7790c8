"""The words of several titles as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Float32Array, Int32Array, Int64Array
from plait.data.ragged import offsets_of
from plait.retrieval.live_words import IndexView

__all__ = ["TitleWords", "title_words_of"]


@dataclass(frozen=True, slots=True)
class TitleWords:
    """The words of K titles one after another, an empty word behind each.

    Attributes:
        words: U distinct words, the empty word first.
        codes: The position in `words` of each of M words, int64 [M].
        starts: Where each title begins, int64 [K].
        places: The position of each word in its title, float32 [M].
        lengths: How many words each title has, int64 [K].
    """

    words: tuple[str, ...]
    codes: Int64Array
    starts: Int64Array
    places: Float32Array
    lengths: Int64Array


def title_words_of(view: IndexView, numbers: Int32Array) -> TitleWords:
    """Look up the words of the titles of items.

    Args:
        view: The items.
        numbers: Item numbers, int32 [K].

    Returns:
        Their words; none of numbers below 0.
    """
    rows = [view.title_words(number) for number in numbers.tolist()]
    positions: dict[str, int] = {"": 0}
    codes: list[int] = []
    for words in rows:
        codes += [positions.setdefault(word, len(positions)) for word in words]
        codes.append(0)
    lengths = np.array([len(words) for words in rows], np.int64)
    starts = offsets_of(lengths + 1)[:-1]
    places = np.arange(len(codes)) - np.repeat(starts, lengths + 1)
    return TitleWords(
        tuple(positions), np.array(codes, np.int64), starts, places.astype(np.float32), lengths
    )
