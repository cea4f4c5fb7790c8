"""Extracts the visible text of HTML."""

from __future__ import annotations

import html
import re

__all__ = ["has_markup", "plain_text"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _words(
    "address article aside blockquote br center dd details dialog div dl dt fieldset figcaption"
    " figure footer form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol option p pre section"
    " summary table tbody td tfoot th thead tr ul"
)
_HIDDEN = _words("script style noscript template iframe svg head")
_INLINE = _words(
    "a abbr acronym audio b base bdi bdo big body button caption cite code col colgroup data"
    " datalist del dfn em embed font html i img input ins kbd label link map mark meta meter object"
    " param picture q s samp small source span strike strong sub sup textarea time title track tt u"
    " var video wbr area canvas output progress select optgroup rp rt ruby slot"
)
_TAGS = _BLOCKS | _HIDDEN | _INLINE
_token = re.compile(
    r"<!--(?P<comment>)|<![A-Za-z\[][^<>]*>"
    r"|<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)"
    r"(?:[\s/](?:[^<>\"'=]|=\s*\"[^\"]{0,4000}\"|=\s*'[^']{0,4000}'|[\"'=])*+)?>"
)
_entity = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_blanks = re.compile(r"[ \t\r\f\v\u00a0]+")
_line_ends = re.compile(r" ?\n[ \n]*")


def has_markup(text: str) -> bool:
    """Return whether a text holds an element of HTML.

    Args:
        text: The text.
    """
    return "<" in text and any(_is_tag(match) for match in _token.finditer(text))


def plain_text(text: str) -> str:
    """Remove the elements of HTML and decode its entities.

    A text without either stays as it is, and so does what only looks like an element:
    `a < b`, `<unknown>`. Scripts, styles and comments are dropped. A text whose elements are all
    written as entities (`&lt;p&gt;`) is decoded first.

    Args:
        text: The text.

    Returns:
        What a browser would show, a line for each block; line ends stay.
    """
    if "<" not in text and "&" not in text:
        return text
    is_html = has_markup(text)
    decoded = _decode(text)
    if not is_html and has_markup(decoded):
        text, is_html = decoded, True
    if not is_html:
        return decoded
    shown = _blanks.sub(" ", _decode("".join(_shown_parts(text))))
    return _line_ends.sub("\n", shown).strip()


def _decode(text: str) -> str:
    return _entity.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def _is_tag(match: re.Match[str]) -> bool:
    return match["name"] is None or match["name"].lower() in _TAGS


def _shown_parts(text: str) -> list[str]:
    parts: list[str] = []
    start = 0
    endless: set[str] = set()
    while match := _token.search(text, start):
        parts.append(text[start : match.start()])
        start = match.end()
        name = (match["name"] or "").lower()
        if not _is_tag(match):
            parts.append(match[0])
        elif match["comment"] is not None:
            end = text.find("-->", start)
            start = len(text) if end < 0 else end + len("-->")
        elif name in _HIDDEN and not match["end"] and name not in endless:
            closing = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(text, start)
            start = start if closing is None else closing.end()
            endless |= {name} if closing is None else set()
        elif name in _BLOCKS:
            parts.append("\n")
    parts.append(text[start:])
    return parts
