"""The elements of a JSON array, found without making its values: objects take far more memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

__all__ = ["BLOCK", "array_parts"]

BLOCK = 1 << 18
"""How many bytes are looked at in one step."""

_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_QUOTE, _COMMA = ord('"'), ord(",")
_OPENING, _CLOSING = (ord("["), ord("{")), (ord("]"), ord("}"))
_BLANKS = b" \t\r\n"


def array_parts(text: bytes) -> Iterator[bytes]:
    """Cut a JSON array between its elements.

    Args:
        text: The array.

    Yields:
        Arrays of some of its elements each, in their order, of about `BLOCK` bytes where elements
        are shorter; together they hold all. Whether they are valid JSON is not checked.

    Raises:
        ValueError: If the brackets do not make one array, or an element is missing.
    """
    if not text.lstrip(_BLANKS).startswith(b"["):
        raise ValueError("it does not begin with a bracket")
    start = text.index(b"[") + 1
    stop = start
    for stop, is_last in _ends_of_elements(_ESCAPED.sub(b"__", text), start):
        part = text[start:stop]
        if not part.strip(_BLANKS) and not (is_last and text[:start].strip(_BLANKS) == b"["):
            raise ValueError("an element is missing between two commas")
        yield b"[" + part + b"]"
        start = stop + 1
    if text[stop : stop + 1] != b"]" or text[stop + 1 :].strip(_BLANKS):
        raise ValueError("it does not end with the bracket of its beginning")


def _ends_of_elements(masked: bytes, start: int) -> Iterator[tuple[int, bool]]:
    """The position behind the last element of each block, and whether it is the array's end.

    `masked` is the text without escapes in its strings.
    """
    level, quotes = 1, 0
    for offset in range(start, len(masked), BLOCK):
        data = np.frombuffer(masked, np.uint8, min(BLOCK, len(masked) - offset), offset)
        counts = quotes + np.cumsum(data == _QUOTE)
        outside = counts % 2 == 0
        steps = np.isin(data, _OPENING).astype(np.int8) - np.isin(data, _CLOSING)
        levels = level + np.cumsum(np.where(outside, steps, 0))
        ended = np.flatnonzero(levels == 0)
        last = int(ended[0]) if len(ended) else len(data)
        commas = np.flatnonzero((data == _COMMA) & outside & (levels == 1))
        commas = commas[commas < last]
        if len(commas):
            yield offset + int(commas[-1]), False
        if len(ended):
            yield offset + last, True
            return
        level, quotes = int(levels[-1]), int(counts[-1])
