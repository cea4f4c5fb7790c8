"""Folds a text to the form in which words are compared: case, accents, points, invisible signs."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["fold", "mark_class", "replace_signs"]

_SIGNS = "™®©℠℗"
_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_REPLACED = {
    **dict.fromkeys(_SIGNS, " "),
    **dict.fromkeys("\u200b_", " "),
    **dict.fromkeys("’‘ʼ`´′", "'"),
    **dict.fromkeys("″“”", '"'),
    **dict.fromkeys("‐‑‒–—−", "-"),
    "×": "x",
}
"""What is replaced before normalisation, which would turn a trademark sign into letters."""

_LETTERS = {
    "ø": "o",
    "æ": "ae",
    "œ": "oe",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ł": "l",
    "ħ": "h",
    "ı": "i",
    "ё": "е",
    "ى": "ي",
    "ة": "ه",
    "ٱ": "ا",
    "ـ": "",
    "ς": "σ",
    "⁄": "/",
}
"""Letters that normalisation leaves whole, and those that writers use for each other."""

_CYRILLIC_BREVE = re.compile("(?<=[иИ])\u0306")


def fold(text: str) -> str:
    """Fold a text to the form in which words are compared.

    Signs such as the trademark sign separate words; invisible characters such as the soft hyphen
    vanish, the zero width space separates. Accents of Latin, Greek and Cyrillic letters and the
    points of Arabic and Hebrew vanish; the marks of other scripts stay, they are parts of words.

    Args:
        text: Any text.

    Returns:
        The text in lower case, in Unicode form NFC.
    """
    if text.isascii():
        return text.lower().replace("_", " ").replace("`", "'")
    text = _VULGAR_FRACTION.sub(" ", replace_signs(text))
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    decomposed = unicodedata.normalize("NFKD", decomposed)  # the case of some letters decomposes
    decomposed = _CYRILLIC_BREVE.sub("\ue000", decomposed)
    folded = decomposed.translate(_after()).replace("\ue000", "\u0306")
    return unicodedata.normalize("NFC", folded)


def replace_signs(text: str) -> str:
    """Replace what Unicode normalisation would turn into letters, and remove what is invisible.

    Args:
        text: Any text.

    Returns:
        The text with a space for each trademark sign and the like and each zero width space,
        with plain quotes, dashes and "x" for "×", without soft hyphens and joiners.
    """
    return text.translate(_before())


@cache
def mark_class() -> str:
    """List the combining marks, for a character class of a regular expression.

    Returns:
        Ranges of characters.
    """
    marks = [code for code in range(0x300, 0x12000) if _is_mark(code)]
    ranges: list[tuple[int, int]] = []
    for code in marks:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = ranges[-1][0], code
        else:
            ranges.append((code, code))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _is_mark(code: int) -> bool:
    return unicodedata.category(chr(code)).startswith("M")


@cache
def _before() -> dict[int, str]:
    """The table of what is replaced before normalisation: signs, and invisible characters."""
    invisible = {
        code: ""
        for code in (*range(0x300, 0x10000), 0xAD)
        if unicodedata.category(chr(code)) == "Cf"
    }
    variations = dict.fromkeys(range(0xFE00, 0xFE10), "")
    return {**invisible, **variations, **str.maketrans(_REPLACED)}


@cache
def _after() -> dict[int, str]:
    """The table of what is replaced after decomposition: accents, points, single letters."""
    accents = dict.fromkeys(range(0x300, 0x370), "")
    hebrew = dict.fromkeys((c for c in range(0x591, 0x5C8) if _is_mark(c)), "")
    arabic = dict.fromkeys((c for c in range(0x610, 0x6EE) if _is_mark(c)), "")
    return {**accents, **hebrew, **arabic, **str.maketrans(_LETTERS)}
