"""The text of an item for an encoder: its title, then its other fields, each cut to a length."""

from __future__ import annotations

from collections.abc import Sequence

from plait.data.array_types import Int32Array
from plait.data.catalogue import Catalogue
from plait.features.text import title_field, word_fields, word_values

__all__ = ["LONGEST_VALUE", "item_texts", "text_fields"]

LONGEST_VALUE = 2_000
"""How many characters of one value are read, from its beginning."""


def text_fields(catalogue: Catalogue, chosen: Sequence[str] = ()) -> list[str]:
    """List the fields that an encoder reads, the most telling first.

    Args:
        catalogue: The items.
        chosen: Field names in their order; none: the title, then all fields of type text, category
            and set in the order of the catalogue.

    Returns:
        The fields that exist.
    """
    fields = word_fields(catalogue, chosen)
    title = title_field(catalogue)
    if chosen or title not in fields:
        return fields
    return [title, *(name for name in fields if name != title)]


def item_texts(catalogue: Catalogue, numbers: Int32Array, fields: Sequence[str]) -> list[str]:
    """Write the text of items.

    An encoder reads the first tokens of a text, so that fields count from the first on.

    Args:
        catalogue: The items.
        numbers: int32 [N], item numbers.
        fields: The fields, the most telling first.

    Returns:
        N texts, values joined by ". "; "" for an item without any.
    """
    texts = []
    for number in numbers.tolist():
        values = (value[:LONGEST_VALUE].strip() for value in word_values(catalogue, number, fields))
        texts.append(". ".join(value for value in values if value))
    return texts
