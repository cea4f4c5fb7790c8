"""Infers the type of a new field from its name and from all its values in a batch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import FieldType
from plait.schema.coercion import LATITUDE, LONGITUDE, get_first, split_addresses
from plait.schema.missing_words import BLANKS, MISSING_WORDS
from plait.utils.html_text import has_markup
from plait.utils.number_texts import survey_numbers

__all__ = ["infer_type", "is_code", "is_set_name", "words_of"]


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT_NAMES = _word_set(
    "title name description text body content summary abstract headline subtitle caption comment"
    " review reviewtext overview plot synopsis bio about lyrics transcript tagline message"
    " question answer searchterm searchquery query"
)
_SET_NAMES = _word_set(
    "genre genres tag tags categories keyword keywords topic topics label labels"
    " actors cast directors writers ingredients languages colors colours sizes"
)
_CODE_WORDS = _word_set(
    "id no nr code sku isbn ean upc gtin zip zipcode postcode postal phone barcode hash uuid asin"
    " uid key serial ssn vat mpn stockcode itemno"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)\Z", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?Z|\s?[+-]\d\d:?(?:\d\d)?)?)?\Z"
    r"|\d\d-[A-Z][a-z]{2}-\d{4}\Z"
)
_MEDIA = re.compile(
    r"(?:https?://|s3://|gs://|file:|/)?[^\s]+\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|svg|heic"
    r"|mp3|wav|ogg|oga|flac|m4a|aac|opus|mp4|webm|mov|mkv|avi|m4v)(?:[?#]\S*)?\Z",
    re.IGNORECASE,
)
_NEARLY_ALL = 0.95
_MIN_VALUES_FOR_TEXT = 20
_SAMPLE = 200


def infer_type(name: str, values: Sequence[Any]) -> FieldType | None:
    """Return the type that fits nearly all values of a new field.

    Truth values make a category, numbers a number unless the name is that of a code, lists a set
    (or text, by their name), {lat, lon} a place; strings become what they look like. NaN and inf
    among numbers do not make the field text: their rows are rejected later.

    Args:
        name: The name of the field.
        values: Its values; None, "" and [] do not count, nor do words such as NA where there are
            other values.

    Returns:
        The type; None if there are no values, or objects that are not places.
    """
    present = [value for value in values if value is not None and value != "" and value != []]
    if not present:
        return None
    present = [
        value
        for value in present
        if type(value) is not str or value.strip(BLANKS) not in MISSING_WORDS
    ] or present
    types = Counter(map(type, present))
    half = len(present) / 2
    if types[dict] >= half:
        places = sum(
            isinstance(value, dict)
            and get_first(value, *LATITUDE) is not None
            and get_first(value, *LONGITUDE) is not None
            for value in present
        )
        return "place" if places >= half else None
    if types[list] >= half:
        return _infer_from_lists(name, [value for value in present if type(value) is list])
    if types[bool] >= half or is_code(name):
        return "category"
    texts = [value.strip() for value in present if type(value) is str]
    n_numbers = types[int] + types[float]
    if not any(map(_LEADING_ZERO.match, texts)):
        n_numbers += sum(1 for text in texts if _NUMBER.match(text))
        if n_numbers:
            n_numbers += sum(1 for text in texts if _NOT_FINITE.match(text))
        if n_numbers >= _NEARLY_ALL * len(present):
            return "number"
        if len(texts) + types[int] + types[float] == len(present) and _are_amounts(name, texts):
            return "number"
    return _infer_from_texts(name, texts) if texts else "number"


def _infer_from_lists(name: str, lists: Sequence[list[Any]]) -> FieldType:
    if _is_text_name(words_of(name)):
        return "text"
    members = [member for value in lists for member in value if member is not None]
    are_media = bool(members) and all(
        type(member) is str and _MEDIA.match(member.strip()) for member in members
    )
    return "media" if are_media else "set"


def _are_amounts(name: str, texts: Sequence[str]) -> bool:
    """Whether these are amounts such as `4,50` or `1.299,00 €`, each with one meaning."""
    sample = survey_numbers(texts[:_SAMPLE])
    if sample.others > len(texts[:_SAMPLE]) / 2 or is_set_name(name):
        return False
    evidence = survey_numbers(texts)
    return evidence.are_numbers and not evidence.either and evidence.decorated > 0


def _infer_from_texts(name: str, texts: Sequence[str]) -> FieldType:
    enough = len(texts) * _NEARLY_ALL
    if sum(1 for text in texts if _ISO.match(text)) >= enough:
        return "time"
    if sum(1 for text in texts if all(map(_MEDIA.match, split_addresses(text)))) >= enough:
        return "media"
    words = words_of(name)
    if _are_joined_words(texts, is_set_name=is_set_name(name)):
        return "set"
    is_text = _is_text_name(words) or _read_like_text(texts)
    is_text = is_text or sum(map(has_markup, texts)) * 2 >= len(texts)
    return "text" if is_text else "category"


def _is_text_name(words: Sequence[str]) -> bool:
    return bool(words) and ("".join(words) in _TEXT_NAMES or words[-1] in _TEXT_NAMES)


def _are_joined_words(texts: Sequence[str], *, is_set_name: bool) -> bool:
    """Whether these are words joined by "|": by the name, or because half of the values are."""
    if is_set_name:
        return not any(len(word) > 80 for text in texts for word in text.split("|"))
    return sum(1 for text in texts if "|" in text and " | " not in text) >= 0.5 * len(texts)


def _read_like_text(texts: Sequence[str]) -> bool:
    """Long values, many words, or nearly all values different and of several words."""
    count = len(texts)
    words_per_value = sum(text.count(" ") for text in texts) / count + 1
    if words_per_value >= 5 or sum(map(len, texts)) / count > 60:
        return True
    is_varied = len(set(texts)) / count >= 0.9
    return count >= _MIN_VALUES_FOR_TEXT and is_varied and words_per_value >= 2


def is_code(name: str) -> bool:
    """Return whether a name is that of a code (InvoiceNo, zip_code), whose digits are no number.

    Args:
        name: The name of a field or column.

    Returns:
        Whether it is the name of a code.
    """
    words = words_of(name)
    return bool(words) and (words[-1] in _CODE_WORDS or "".join(words) in _CODE_WORDS)


def is_set_name(name: str) -> bool:
    """Return whether a name is that of a set (tags, genres), whose members are no numbers.

    Args:
        name: The name of a field or column.

    Returns:
        Whether it is the name of a set.
    """
    words = words_of(name)
    return bool(words) and words[-1] in _SET_NAMES


def words_of(name: str) -> list[str]:
    """Split a name into words.

    Args:
        name: The name of a field or column, such as InvoiceNo or invoice_no.

    Returns:
        The words in lower case, such as ["invoice", "no"].
    """
    return [word.lower() for word in _WORDS.findall(name)]
