"""Splits a text into words: hyphens, codes, numbers with units, scripts without spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import pairwise

from plait.features.text import LONGEST_TERM, LONGEST_TEXT, segment_chinese
from plait.features.text_folding import fold, mark_class
from plait.retrieval.units import UNIT_PATTERN, unit_name

__all__ = ["Token", "tokenize"]

_NUMBER = r"(?<!/)(?:\d+[-\s])?\d+/\d+(?![\d/])|\d+(?:[.,]\d+)*|(?<![\w.])\.\d+"
_TIMES = re.compile(r"(?<=\d)\s?[x*]\s?(?=\.?\d)")
_X = re.compile(r"\bx\b")
_DIGIT = re.compile(r"\d")
_POSSESSIVE = re.compile(r"'s\b")
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 8, 10, 12, 16, 32, 64})
_UNSPACED = (
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005]+|[\u3040-\u309f]+|[\u30a0-\u30ff\u31f0-\u31ff]+"
    r"|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+|[\uac00-\ud7af]+"
)
"""Runs of Chinese characters, hiragana, katakana, Thai, Lao, Burmese and Khmer, Hangul."""
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_MIN_CODE_PART = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or several that are written as one.

    Attributes:
        words: The words, in order.
        joined: The same written as one word, beside `words`; "": there is none.
        pieces: Parts by which the word is found too: n-grams of a script without spaces, words
            within a longer one, long parts of a code.
    """

    words: tuple[str, ...]
    joined: str = ""
    pieces: tuple[str, ...] = field(default=())


def tokenize(text: str) -> list[Token]:
    """Split a text.

    Args:
        text: Any text; of a longer one the first `LONGEST_TEXT` characters are read.

    Returns:
        Its tokens, in order.
    """
    folded = fold(text[:LONGEST_TEXT])
    if "'" in folded:
        folded = _POSSESSIVE.sub("", folded)
    is_japanese = not folded.isascii() and _KANA.search(folded) is not None
    scanner = _scanner(folded.isascii())
    if _DIGIT.search(folded) is None:
        return [token for match in scanner.finditer(folded) for token in _token(match, is_japanese)]
    folded = _TIMES.sub(" x ", folded)
    matches = scanner.finditer(folded)
    tokens = [token for match in matches for token in _token(match, is_japanese)]
    return _with_dimensions(tokens) if _X.search(folded) else tokens


@cache
def _scanner(is_ascii: bool) -> re.Pattern[str]:
    letters = "a-z0-9" if is_ascii else rf"\w{mark_class()}"
    word = f"[{letters}]+"
    unspaced = "" if is_ascii else f"(?P<unspaced>{_UNSPACED})|"
    return re.compile(
        rf"{unspaced}(?P<number>{_NUMBER})(?:[\s-]?(?P<unit>{UNIT_PATTERN})|(?![{letters}]))"
        rf"|(?P<chain>{word}(?:[-.&+/']{word})*)(?P<sign>\+\+|\#(?![{letters}]))?"
    )


def _token(match: re.Match[str], is_japanese: bool) -> tuple[Token, ...]:
    kind = match.lastgroup
    if kind == "chain":
        return _of_chain(match["chain"])
    if kind in ("number", "unit"):
        return (_of_number(match["number"], match["unit"] or ""),)
    if kind == "sign":
        chain = match["chain"]
        if len(chain) > 1:
            return _of_chain(chain)
        return (Token((chain,), chain + match["sign"]),)
    return _of_run(match["unspaced"], is_japanese)


@lru_cache(maxsize=1 << 15)
def _of_number(number: str, unit: str) -> Token:
    value = _decimal(number)
    if not unit:
        return Token((value,))
    name = unit_name(unit)
    return Token((value, name), value + name)


def _decimal(number: str) -> str:
    """A number as a decimal fraction: "1-1/2" is "1.5", "1,299.00" is "1299", "2,5" is "2.5"."""
    if "/" in number:
        whole, _, fraction = number.replace("-", " ").rpartition(" ")
        numerator, denominator = map(int, fraction.split("/"))
        if denominator not in _DENOMINATORS or numerator >= denominator:
            return number.replace(" ", "-")
        value = int(whole or 0) + numerator / denominator
        return f"{value:.4f}".rstrip("0").rstrip(".")
    if "," in number:
        whole, _, decimals = number.rpartition(",")
        is_decimal = len(decimals) < 3 and "," not in whole
        number = number.replace(".", "") if is_decimal else number
        number = number.replace(",", "." if is_decimal else "")
    if number.count(".") > 1:
        return number
    whole, point, decimals = number.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole or '0'}.{decimals}" if point and decimals else whole or "0"


@lru_cache(maxsize=1 << 16)
def _of_chain(chain: str) -> tuple[Token, ...]:
    """The tokens of words joined by hyphens and the like."""
    if "/" in chain or "'" in chain or "+" in chain:
        return tuple(token for part in re.split("[/'+]", chain) for token in _of_chain(part))
    parts = [part for part in re.split("[-.&]", chain) if part]
    joined = "".join(parts)
    if len(joined.encode()) > LONGEST_TERM:
        return tuple(Token((part,)) for part in parts if len(part.encode()) <= LONGEST_TERM)
    if len(parts) <= 1:
        return (Token((joined,)),) if joined else ()
    if _is_code(parts):
        long_parts = (part for part in parts if len(part) >= _MIN_CODE_PART)
        return (Token((joined,), pieces=tuple(filter(_DIGIT.search, long_parts))),)
    words = tuple(part for part in parts if len(part) > 1 or part.isdigit())
    return (Token(words or (joined,), joined if words else ""),)


def _is_code(parts: list[str]) -> bool:
    """Whether parts make a code: three with a digit, or letters and digits within one part."""
    with_digit = [part for part in parts if _DIGIT.search(part)]
    is_mixed = any(not part.isdigit() and len(part) >= _MIN_CODE_PART for part in with_digit)
    return is_mixed or (len(parts) > 2 and bool(with_digit))


@lru_cache(maxsize=1 << 15)
def _of_run(run: str, is_japanese: bool) -> tuple[Token, ...]:
    """The tokens of a run of a script without spaces: words of Chinese, else the run itself."""
    if _HAN.match(run) and not is_japanese:
        words = segment_chinese(run)
        return tuple(Token((word,), pieces=tuple(_ngrams(word))) for word in words)
    return (Token((run[:LONGEST_TERM],), pieces=tuple(_ngrams(run[:LONGEST_TERM]))),)


def _ngrams(run: str) -> Iterator[str]:
    """The letters of a run with their marks, and each two that follow each other."""
    letters = re.findall(rf"[^{mark_class()}][{mark_class()}]*", run)
    if _HAN.match(run):
        yield from letters
    if len(letters) > 2:
        yield from (first + second for first, second in pairwise(letters))


def _with_dimensions(tokens: list[Token]) -> list[Token]:
    """The tokens, "2 x 4" and "2 in. x 4 in." with the word "2x4"."""
    result: list[Token] = []
    for position, token in enumerate(tokens):
        before = result[-1].words[0] if result else ""
        after = tokens[position + 1].words[0] if position + 1 < len(tokens) else ""
        if token.words == ("x",) and before[:1].isdigit() and after[:1].isdigit():
            last = result[-1]
            result[-1] = Token(last.words, last.joined, (*last.pieces, f"{before}x{after}"))
        else:
            result.append(token)
    return result
