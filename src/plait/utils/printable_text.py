"""Text of others, made visible before it is printed: a terminal obeys control characters.

An escape sequence in a title can clear the screen, set the window's title or hide a line, and a
bidirectional override can make a name read as another.
"""

from __future__ import annotations

import re

__all__ = ["escape_controls_in_json", "printable", "printable_line"]

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SURROGATES = "\ud800-\udfff"
_CONTROLS = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}{_SURROGATES}]")
"""C0 but tab and newline, DEL, C1, separators of lines, bidirectional controls, surrogates."""


def printable(text: str) -> str:
    r"""Write control characters as Python would, such as `\x1b`; tabs and newlines stay.

    Args:
        text: Any text.

    Returns:
        Text that moves nothing on a terminal and reads in its logical order.
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def printable_line(text: str) -> str:
    r"""Write control characters as Python would, tabs and newlines too.

    Args:
        text: Any text, such as an id or a name.

    Returns:
        One line.
    """
    return printable(text).replace("\n", r"\n").replace("\t", r"\t")


def escape_controls_in_json(document: str) -> str:
    r"""Write the control characters in the strings of a JSON document as `\uXXXX`.

    Args:
        document: JSON; outside its strings it has no such character.

    Returns:
        JSON of the same value.
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", document)
