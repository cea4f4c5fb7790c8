"""The type of a field that was never seen before, from its name and all its values at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from plait.data.catalogue import FieldType
from plait.schema.coercion import place_part

__all__ = ["infer_type", "is_code", "words_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT_NAMES = _words(
    "title name description text body content summary abstract headline subtitle caption comment"
    " review reviewtext overview plot synopsis bio about lyrics transcript tagline message"
    " question answer searchterm searchquery query"
)
_SET_NAMES = _words(
    "genre genres tag tags category categories keyword keywords topic topics label labels"
    " actors cast directors writers ingredients languages colors colours sizes"
)
_CODE_WORDS = _words(
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
_MANY = 20


def infer_type(name: str, values: Sequence[Any]) -> FieldType | None:
    """The type that fits nearly all of `values` (None and "" do not count).

    None if there are none, or objects that are no place.

    Truth values make a category, numbers a number unless the name is that of a code, lists a set
    (or text, by their name), {lat, lon} a place, strings whatever they look like. NaN and inf among
    numbers do not make words of them: their rows are refused.
    """
    told = [one for one in values if one is not None and one != "" and one != []]
    if not told:
        return None
    share = _Shares(told)
    if share.of(dict) >= 0.5:
        places = [one for one in told if isinstance(one, dict) and _is_place(one)]
        return "place" if len(places) >= len(told) / 2 else None
    if share.of(list) >= 0.5:
        return "text" if _is_text_name(words_of(name)) else "set"
    if share.of(bool) >= 0.5:
        return "category"
    return _of_scalars(name, told, share)


def _is_place(value: dict[str, Any]) -> bool:
    north = place_part(value, "lat", "latitude")
    return north is not None and place_part(value, "lon", "lng", "longitude") is not None


class _Shares:
    """How many of the values are of a Python type."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._kinds = [type(one) for one in values]

    def of(self, *kinds: type) -> float:
        return sum(map(self._kinds.count, kinds)) / len(self._kinds)


def _of_scalars(name: str, told: Sequence[Any], share: _Shares) -> FieldType:
    texts = [one.strip() for one in told if type(one) is str]
    numbers = share.of(int, float) * len(told)
    if is_code(name):
        return "category"
    if not any(map(_LEADING_ZERO.match, texts)):
        numbers += sum(1 for one in texts if _NUMBER.match(one))
        if numbers:
            numbers += sum(1 for one in texts if _NOT_FINITE.match(one))
        if numbers >= _NEARLY_ALL * len(told):
            return "number"
    return _of_texts(name, texts) if texts else "number"


def _of_texts(name: str, texts: Sequence[str]) -> FieldType:
    many = len(texts) * _NEARLY_ALL
    if sum(1 for one in texts if _ISO.match(one)) >= many:
        return "time"
    if sum(1 for one in texts if _MEDIA.match(one)) >= many:
        return "media"
    words = words_of(name)
    if _joined(texts, named=bool(words) and words[-1] in _SET_NAMES):
        return "set"
    if _is_text_name(words):
        return "text"
    return "text" if _reads_like_text(texts) else "category"


def _is_text_name(words: Sequence[str]) -> bool:
    return bool(words) and ("".join(words) in _TEXT_NAMES or words[-1] in _TEXT_NAMES)


def _joined(texts: Sequence[str], *, named: bool) -> bool:
    """Whether these are words joined by "|": the name says so, or half of the values show it."""
    if named:
        return not any(len(part) > 80 for one in texts for part in one.split("|"))
    joined = sum(1 for one in texts if "|" in one and " | " not in one)
    return joined >= 0.5 * len(texts)


def _reads_like_text(texts: Sequence[str]) -> bool:
    """Long values, many words, or values that are nearly all different and have several words."""
    count = len(texts)
    words = sum(one.count(" ") for one in texts) / count + 1
    if words >= 5 or sum(map(len, texts)) / count > 60:
        return True
    different = len(set(texts)) / count
    return count >= _MANY and different >= 0.9 and words >= 2


def is_code(name: str) -> bool:
    """Whether the name is that of a code (InvoiceNo, zip_code), whose digits are no number."""
    words = words_of(name)
    return bool(words) and (words[-1] in _CODE_WORDS or "".join(words) in _CODE_WORDS)


def words_of(name: str) -> list[str]:
    """The words of a column name, in lower case: `InvoiceNo` is invoice, no."""
    return [one.lower() for one in _WORDS.findall(name)]
