"""Titles of items, and the field values that sentences may mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from plait.data.catalogue import Catalogue
from plait.ranking.explanation.safe_text import safe_text

__all__ = ["item_titles", "shared_values", "speaking_fields"]

_TITLE_FIELDS = ("title", "name", "headline", "product_name", "item_name", "label")
_SILENT_FIELDS = re.compile(
    r"(^|[._ -])(id|ids|uuid|guid|sku|ean|gtin|upc|isbn|asin|mpn|code|codes|key|slug|hash|handle"
    r"|title|titel|titre|titulo|titolo|headline|bezeichnung|designation|parent|variant|group"
    r"|url|uri|link|links|href|image|images|img|picture|pictures|photo|media"
    r"|thumbnail|description|desc|body|content|text|summary|abstract|html|markdown|language|locale"
    r"|currency|unit|status|available|availability|stock)($|[._ -])",
    re.IGNORECASE,
)
"""Names of fields whose values say nothing to a reader: ids, titles, addresses, texts, states."""
_CASE_CHANGE = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where the words of a name such as `parentId` meet."""

_EMPTY_VALUES = frozenset(
    (
        *("true", "false", "yes", "no", "none", "null", "nan", "n/a", "na", "unknown", "other"),
        *("others", "misc", "default", "ja", "nein", "oui", "non", "sí", "是", "否"),
    )
)
"""Values that two items may share without being alike."""

_MAX_VALUE = 40
_CODE = re.compile(r"(?=.*\d)[\w./:#+-]{5,}|\d{5,}|[\W_\d]*")
_ADDRESS = re.compile(r"https?:|www\.|\S+@\S+|\S+/\S+/\S+", re.IGNORECASE)


def item_titles(
    catalogue: Catalogue | None, numbers: Iterable[int], title: str, language: str
) -> dict[int, str]:
    """Look up how items are called.

    Args:
        catalogue: The items; None without a live state.
        numbers: Item numbers.
        title: The field that names an item; empty: a field with a usual name.
        language: The language of the sentences; `name.de` and `title_de` go first for "de".

    Returns:
        By number the safe title. An item without a title has its id where no item has a title, else
        "".
    """
    if catalogue is None:
        return {number: f"item {number}" for number in numbers}
    usual = [title, *(f"{name}{mark}{language}" for name in _TITLE_FIELDS for mark in "._-")]
    usual += _TITLE_FIELDS
    names = [name for name in dict.fromkeys(usual) if name in catalogue.columns]
    if not names:
        names = [name for name in catalogue.columns if re.match(r"(title|name)[._-]", name)]
    columns = [catalogue.columns[name].values for name in names]
    titles = {}
    for number in numbers:
        texts: list[str] = []
        if 0 <= number < len(catalogue.ids):
            values = (column[number] for column in columns)
            texts = [safe_text(value) for value in values if isinstance(value, str)]
            texts += [] if columns else [safe_text(catalogue.ids[number])]
        titles[number] = next(filter(None, texts), "")
    return titles


def speaking_fields(catalogue: Catalogue, chosen: Sequence[str]) -> list[str]:
    """List the fields whose values sentences may mention.

    Args:
        catalogue: The items.
        chosen: Names of fields; none: categories and sets, but no ids, titles and states.

    Returns:
        Names of fields that exist, in the order of the choice.
    """
    if chosen:
        return [name for name in chosen if name in catalogue.columns]
    return [
        name
        for name, column in catalogue.columns.items()
        if column.type in ("category", "set")
        and not _SILENT_FIELDS.search(_CASE_CHANGE.sub(" ", name))
    ]


def shared_values(
    catalogue: Catalogue | None, pairs: Iterable[tuple[int, int]], chosen: Sequence[str]
) -> dict[tuple[int, int], dict[str, Any]]:
    """Find fields in which two items agree.

    Args:
        catalogue: The items; None without a live state.
        pairs: Pairs of item numbers.
        chosen: As for `speaking_fields`.

    Returns:
        By pair the keys `field` and `value`: a category that both have, else the longest member
        that their sets have in common. Pairs without such a field are left out.
    """
    if catalogue is None:
        return {}
    columns = [(name, catalogue.columns[name]) for name in speaking_fields(catalogue, chosen)]
    shared: dict[tuple[int, int], dict[str, Any]] = {}
    telling: dict[str, bool] = {}
    for pair in pairs if columns else ():
        first, second = pair
        if not 0 <= max(pair) < len(catalogue.ids):
            continue
        candidates: list[tuple[bool, int, str, str]] = []
        for name, column in columns:
            value, other = column.values[first], column.values[second]
            is_set = isinstance(value, tuple) and isinstance(other, tuple)
            members = set(value) & set(other) if is_set else {value} & {other}
            candidates += [
                (not is_set, len(member), name, member)
                for member in members
                if isinstance(member, str)
            ]
        for _, _, name, value in sorted(candidates, reverse=True):
            if value not in telling:
                telling[value] = _is_telling(value)
            if telling[value]:
                shared[pair] = {"field": name, "value": value}
                break
    return shared


def _is_telling(value: str) -> bool:
    """Whether a value can stand in a sentence: short, no code, no address, no markup, no gap."""
    text = value.strip()
    return (
        0 < len(text) <= _MAX_VALUE
        and safe_text(text) == text
        and text.casefold().strip("()[]-–—.* ") not in {*_EMPTY_VALUES, ""}
        and not text.startswith("(no ")
        and not _CODE.fullmatch(text)
        and not _ADDRESS.search(text)
    )
