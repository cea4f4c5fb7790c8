"""Parses numbers in text: `1.299,00 €`, `CHF 1'299.00`, `€ 12,-`, `(4,50)`.

A dot and a comma may each separate thousands or decimals. A text that makes sense under one of the
two readings alone is unambiguous; `1,299` is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = [
    "Decimal",
    "DecimalEvidence",
    "parse_number_text",
    "survey_numbers",
    "unambiguous_number",
]

Decimal = Literal[",", "."]
"""What separates the decimals of a number."""

_SIGNS = "€$£¥₹₽₺₩₪₫₴₦₱฿₡₲₵₸₼₾₿¢元円"
_WORDS = (
    r"US\$|A\$|C\$|CA\$|AU\$|NZ\$|HK\$|S\$|R\$|EUR|[Ee]uro|USD|GBP|CHF|SFr\.?|Fr\.|JPY|CNY|RMB|AUD"
    r"|CAD|NZD|HKD|SGD|SEK|NOK|DKK|ISK|kr\.?|PLN|zł|CZK|Kč|HUF|RON|BGN|лв\.?|RUB|руб\.?|UAH|TRY|ILS"
    r"|INR|Rs\.?|IDR|Rp\.?|MYR|THB|VND|KRW|PHP|BRL|MXN|ARS|CLP|ZAR|AED|SAR"
)
_CURRENCY = rf"(?:[{_SIGNS}]|(?:{_WORDS}))"
_SPACE = r"[\s\u00a0\u2007\u2009\u202f]"
_match = re.compile(
    rf"(?P<open>\()?{_SPACE}*(?P<sign>[-+\u2212\u2013])?{_SPACE}*(?:{_CURRENCY}{_SPACE}*)?"
    rf"(?P<inner>[-+\u2212\u2013])?{_SPACE}*"
    r"(?P<digits>[0-9.,][0-9.,'\u2019\s\u00a0\u2007\u2009\u202f]*?)"
    r"(?:[.,](?P<dash>[-\u2013\u2014]{1,2}))?(?P<exponent>[eE][-+]?[0-9]{1,3})?"
    rf"{_SPACE}*(?P<last>[-\u2212])?{_SPACE}*(?:{_CURRENCY})?{_SPACE}*(?P<close>\))?\Z"
).match
_GROUP = r"['\u2019\s\u00a0\u2007\u2009\u202f]"
_SPACED = rf"[1-9][0-9]{{0,2}}(?:{_GROUP}[0-9]{{3}})+"
_grouped = {
    ",": re.compile(
        rf"(?:[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+|{_SPACED}|[0-9]*)(?:,[0-9]*)?\Z"
    ).match,
    ".": re.compile(
        rf"(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{2,3}})*,[0-9]{{3}}|{_SPACED}|[0-9]*)(?:\.[0-9]*)?\Z"
    ).match,
}
_plain = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z").match
_remove_groups = {
    ",": re.compile(rf"\.|{_GROUP}").sub,
    ".": re.compile(rf",|{_GROUP}").sub,
}
_LONGEST = 64
_NEARLY_ALL = 0.95


def parse_number_text(text: str, decimal: Decimal) -> float | None:
    """Parse a number whose decimals are separated by `decimal`.

    Signs and codes of currencies and separators of thousands are dropped. What cannot be read so is
    read with the other separator: in `CHF 1'299.00` the dot separates decimals anyway.

    Args:
        text: The text.
        decimal: What separates its decimals.

    Returns:
        The number; None if the text is none.
    """
    number = _parse(text, decimal)
    return _parse(text, "." if decimal == "," else ",") if number is None else number


def unambiguous_number(text: str) -> float | None:
    """Parse a number that has one meaning whatever separates its decimals.

    Args:
        text: The text.

    Returns:
        The number; None if the text is none, or has two meanings.
    """
    comma, dot = _parse(text, ","), _parse(text, ".")
    if comma is None or dot is None or comma == dot:
        return dot if comma is None else comma
    return None


def _parse(text: str, decimal: Decimal) -> float | None:
    match = _match(text.strip()) if len(text) <= _LONGEST else None
    if match is None:
        return None
    digits, exponent = match["digits"].strip(), match["exponent"] or ""
    signs = [match["sign"], match["inner"], match["last"], match["open"] and "-"]
    is_bracketed = bool(match["open"])
    if not any(map(str.isdigit, digits)) or sum(map(bool, signs)) > 1:
        return None
    if is_bracketed != bool(match["close"]) or not _grouped[decimal](digits):
        return None
    if match["dash"] and decimal in digits:
        return None
    plain = _remove_groups[decimal]("", digits).replace(",", ".") + exponent
    number = float(plain)
    return -number if any(sign and sign != "+" for sign in signs) else number


class DecimalEvidence(NamedTuple):
    """What the texts of a column say about the separator of its decimals.

    Attributes:
        comma: How many make sense with a decimal comma alone.
        dot: How many make sense with a decimal dot alone.
        either: How many make sense with both, with different meanings.
        neutral: How many mean the same with both, such as whole numbers.
        others: How many are no numbers.
        decorated: How many are no plain numbers of a program: currency signs, thousands, commas.
        example: A text with two meanings, else one that is decorated.
    """

    comma: int = 0
    dot: int = 0
    either: int = 0
    neutral: int = 0
    others: int = 0
    decorated: int = 0
    example: str = ""

    def __add__(self, other: object) -> DecimalEvidence:
        """Add the counts of more texts."""
        if not isinstance(other, DecimalEvidence):
            return NotImplemented
        return DecimalEvidence(
            self.comma + other.comma,
            self.dot + other.dot,
            self.either + other.either,
            self.neutral + other.neutral,
            self.others + other.others,
            self.decorated + other.decorated,
            self.example or other.example,
        )

    @property
    def are_numbers(self) -> bool:
        """Whether nearly all texts are numbers."""
        numbers = self.comma + self.dot + self.either + self.neutral
        return numbers > 0 and numbers >= _NEARLY_ALL * (numbers + self.others)

    @property
    def decimal(self) -> Decimal | None:
        """The separator that the column has; None if its texts do not tell."""
        if not self.are_numbers or bool(self.comma) == bool(self.dot):
            return None
        return "," if self.comma else "."

    @property
    def is_mixed(self) -> bool:
        """Whether both separators occur, so that each text must have one meaning."""
        return bool(self.comma and self.dot) and self.are_numbers


def survey_numbers(texts: Iterable[str]) -> DecimalEvidence:
    """Count what texts say about the separator of decimals.

    Args:
        texts: The texts of a column, without those that stand for no value.

    Returns:
        The counts.
    """
    counts = dict.fromkeys(("comma", "dot", "either", "neutral", "others", "decorated"), 0)
    decorated_example = example = ""
    for text in texts:
        comma, dot = _parse(text, ","), _parse(text, ".")
        if comma is None or dot is None:
            name = "comma" if comma is not None else "dot" if dot is not None else "others"
        else:
            name = "neutral" if comma == dot else "either"
        counts[name] += 1
        if name != "others" and not _plain(text.strip()):
            counts["decorated"] += 1
            decorated_example = decorated_example or text
        if name == "either" and not example:
            example = text
    return DecimalEvidence(**counts, example=example or decorated_example)
