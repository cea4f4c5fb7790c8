"""Measures JSON before it is parsed: how deep, how many values, and where the rows of a list begin.

Parsing builds an object for every value and holds the interpreter's lock until the last one is
made. Here bytes are looked at in blocks by array operations, in memory of one block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import BoolArray, Int64Array, UInt8Array

__all__ = ["JsonShape", "json_shape"]

BLOCK = 1 << 17
"""How many bytes are looked at together."""

_QUOTE, _COMMA, _LIST, _OBJECT, _END = range(1, 6)
_BACKSLASH = ord("\\")


def _classes() -> UInt8Array:
    table = np.zeros(256, np.uint8)
    for characters, code in ((b'"', _QUOTE), (b",", _COMMA), (b"[", _LIST), (b"{", _OBJECT)):
        table[list(characters)] = code
    table[list(b"]}")] = _END
    return table


_CLASS_OF_BYTE = _classes()


@dataclass(frozen=True, slots=True, eq=False)
class JsonShape:
    """What the brackets, commas and quotes of a text say. Of text that is no JSON it says nothing.

    Attributes:
        depth: How deeply objects and arrays are nested.
        values: How many values there are, at most.
        list_start: The position of the first array in the outermost object or array, -1 for none.
        list_end: The position of its closing bracket, -1 where it is not closed.
        commas: int64 [N], the positions of the commas between the elements of that array.
    """

    depth: int
    values: int
    list_start: int
    list_end: int
    commas: Int64Array


def json_shape(raw: bytes, most: int) -> JsonShape:
    """Measure a text.

    Args:
        raw: The bytes of the text, UTF-8.
        most: The most values it may hold; what comes behind more of them is not looked at.

    Returns:
        Its shape.
    """
    deepest, values, level = 0, 1, 0
    start = end = -1
    commas: list[Int64Array] = [np.zeros(0, np.int64)]
    for positions, codes in _tokens(raw):
        steps = (codes == _LIST).astype(np.int64) + (codes == _OBJECT) - (codes == _END)
        levels = level + np.cumsum(steps)
        deepest = max(deepest, int(levels.max(initial=0)))
        values += int((codes != _END).sum())
        if start < 0:
            start = _first(positions, (codes == _LIST) & (levels == 2))
        if start >= 0 > end:
            end = _first(positions, (codes == _END) & (levels == 1) & (positions > start))
            is_within = (positions > start) & (positions < (end if end >= 0 else len(raw)))
            commas.append(positions[is_within & (codes == _COMMA) & (levels == 2)])
        level = int(levels[-1]) if len(levels) else level
        if values > most:
            break
    return JsonShape(deepest, values, start, end, np.concatenate(commas))


def _first(positions: Int64Array, where: BoolArray) -> int:
    """The first position at which `where` holds, -1 for none."""
    hits = np.flatnonzero(where)
    return int(positions[hits[0]]) if len(hits) else -1


def _tokens(raw: bytes) -> Iterator[tuple[Int64Array, UInt8Array]]:
    """The positions and classes of brackets and commas outside strings, block by block."""
    is_in_string = is_escaped = False
    for start in range(0, len(raw), BLOCK):
        block = np.frombuffer(raw, np.uint8, min(BLOCK, len(raw) - start), start)
        classes = _CLASS_OF_BYTE[block]
        positions = np.flatnonzero(classes)
        codes = classes[positions]
        is_quote = codes == _QUOTE
        escaped, is_escaped = _escaped_positions(block, is_escaped)
        if len(escaped):
            is_quote &= ~np.isin(positions, escaped, assume_unique=True)
        is_inside = (np.cumsum(is_quote) + is_in_string) % 2 == 1
        if len(is_inside):
            is_in_string = bool(is_inside[-1])
        is_token = ~is_inside & (codes != _QUOTE)
        yield positions[is_token] + start, codes[is_token]


def _escaped_positions(block: UInt8Array, is_escaped: bool) -> tuple[Int64Array, bool]:
    """The positions behind odd runs of backslashes, and whether the next block begins with one.

    `is_escaped` says whether this block does.
    """
    slashes = np.flatnonzero(block == _BACKSLASH)
    if not len(slashes):
        return np.zeros(int(is_escaped), np.int64), False
    breaks = np.flatnonzero(np.diff(slashes) > 1)
    firsts = slashes[np.concatenate([[0], breaks + 1])]
    lasts = slashes[np.concatenate([breaks, [len(slashes) - 1]])]
    lengths = lasts - firsts + 1
    escaped = [0] if is_escaped and firsts[0] > 0 else []
    if is_escaped and firsts[0] == 0:  # the first backslash is the escaped character
        lengths[0] -= 1
    behind = lasts[lengths % 2 == 1] + 1
    is_next = bool(len(behind)) and int(behind[-1]) == len(block)
    return np.concatenate([escaped, behind[: len(behind) - is_next]]).astype(np.int64), is_next
