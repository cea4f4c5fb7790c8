"""Makes foreign text safe to quote in a sentence: short, without control characters or markup."""

from __future__ import annotations

import html
import re
import unicodedata

from plait.utils.text_cache import text_cache

__all__ = ["safe_text", "shortened"]

_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_BRACKETS = str.maketrans({"<": "‹", ">": "›"})
_JOINERS = frozenset("\u200c\u200d")
"""Invisible, but part of words and of composed characters."""

_PRINTABLE_ASCII = re.compile(r"[ -%'-;=?-~]*")
"""Text that is safe as it is: no `&`, `<` or `>`, no control character."""


@text_cache(1 << 14, longest=500)
def safe_text(text: str) -> str:
    """Remove what must not stand in a sentence.

    Args:
        text: Any text, such as a title or the words of a person.

    Returns:
        One line without control and bidirectional characters and without markup; entities of HTML
        are the characters that they name.
    """
    if not _PRINTABLE_ASCII.fullmatch(text):
        text = _TAG.sub(" ", html.unescape(text))
        text = "".join(
            character
            for character in (" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in text)
            if character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
        ).translate(_BRACKETS)
    return " ".join(text.split())


def shortened(text: str, length: int) -> str:
    """Cut a text that is too long.

    Args:
        text: Safe text.
        length: How many characters the result has at most.

    Returns:
        The text, or its beginning and an ellipsis; no character is cut off from its marks.
    """
    if len(text) <= length:
        return text
    stop = length - 1
    while stop and (unicodedata.category(text[stop]).startswith("M") or text[stop] in _JOINERS):
        stop -= 1
    return text[:stop].rstrip(" \u200d") + "…"
