"""The order of a complete listing: by field, popularity or newness; and the start of a page.

A page begins behind the sort value and the tie-break of the last item that was shown, not behind a
count of items: what does not change itself is shown once, whatever else comes, goes or changes.
"""

from __future__ import annotations

import bisect
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from plait.data.array_types import Float64Array, Int32Array, UInt64Array
from plait.data.catalogue import NO_TIME, Catalogue
from plait.errors import InputError

__all__ = ["Position", "SortKeys", "field_keys", "ordered"]

MAX_CACHED = 16
"""For how many fields of one version of a catalogue the keys are cached."""

SortValue = float | str | None
"""What an item is sorted by; None: it has no value."""

_cache: WeakKeyDictionary[Catalogue, OrderedDict[str, SortKeys]] = WeakKeyDictionary()
_lock = Lock()


@dataclass(frozen=True, slots=True, eq=False)
class SortKeys:
    """What items are sorted by.

    Attributes:
        codes: float64 [N], in the order of the values; NaN without a value.
        texts: The distinct texts in their order, whose indices the codes are; None for numbers.
    """

    codes: Float64Array
    texts: Sequence[tuple[str, str]] | None = None

    def value(self, number: int) -> SortValue:
        """Return what an item is sorted by.

        Args:
            number: The item number.
        """
        code = float(self.codes[number])
        if np.isnan(code):
            return None
        return code if self.texts is None else self.texts[int(code)][1]

    def code(self, value: SortValue) -> float:
        """Return where a value stands among the codes, also one that no item has any more.

        Args:
            value: A number or text, as `value` returns it.

        Raises:
            InputError: If it is a text where items have numbers.
        """
        if value is None:
            return np.nan
        if self.texts is None:
            if isinstance(value, str):
                raise InputError(
                    "the cursor belongs to a field of another type",
                    hint="begin with the first page",
                    field="cursor",
                )
            return float(value)
        text = str(value)
        index = bisect.bisect_left(self.texts, (text.casefold(), text))
        is_there = index < len(self.texts) and self.texts[index][1] == text
        return float(index) if is_there else index - 0.5


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a listing: behind the item that was shown last.

    Attributes:
        value: What that item was sorted by.
        tiebreak: The hash of its id.
    """

    value: SortValue
    tiebreak: int


def field_keys(catalogue: Catalogue, name: str) -> SortKeys:
    """Return the keys of a field; `id` is the external id.

    Args:
        catalogue: N items.
        name: The field.

    Returns:
        The keys, cached for this version of the catalogue. Texts go by their letters whatever the
        case, sets by their first member.

    Raises:
        InputError: If there is no such field, or it holds places.
    """
    with _lock:
        cache = _cache.setdefault(catalogue, OrderedDict())
        if name in cache:
            cache.move_to_end(name)
            return cache[name]
    keys = _field_keys(catalogue, name)
    with _lock:
        cache[name] = keys
        while len(cache) > MAX_CACHED:
            cache.popitem(last=False)
    return keys


def _field_keys(catalogue: Catalogue, name: str) -> SortKeys:
    column = catalogue.columns.get(name)
    if column is None and name == "id":
        return _text_keys([*catalogue.ids[: len(catalogue)]])
    if column is None or column.type == "place":
        sortable = (field for field, other in catalogue.columns.items() if other.type != "place")
        problem = "holds places, which have no order" if column else "is no field"
        raise InputError(
            f"sort {name!r} {problem}",
            hint=f"popularity, newness, id or a field: {', '.join(sorted(sortable))}",
            field="sort",
        )
    if column.type == "number":
        return SortKeys(column.values)
    if column.type == "time":
        return SortKeys(np.where(column.values == NO_TIME, np.nan, column.values))
    return _text_keys(
        [
            min(value, key=str.casefold, default=None) if isinstance(value, tuple) else value
            for value in column.values
        ]
    )


def _text_keys(values: Sequence[str | None]) -> SortKeys:
    texts = sorted({(value.casefold(), value) for value in values if value is not None})
    codes = {value: float(code) for code, (_, value) in enumerate(texts)}
    codes_of_items = [np.nan if value is None else codes[value] for value in values]
    return SortKeys(np.array(codes_of_items, np.float64), texts)


def ordered(
    numbers: Int32Array,
    keys: SortKeys,
    tiebreak: UInt64Array,
    *,
    descending: bool,
    after: Position | None = None,
    count: int | None = None,
) -> Int32Array:
    """Sort items; those without a value come last in both directions.

    Args:
        numbers: The items, int32.
        keys: What they are sorted by.
        tiebreak: The order among equals, uint64 [N].
        descending: Whether the largest value comes first.
        after: Only items behind this place.
        count: How many items come at most; None: all.

    Returns:
        The items in their order, int32.
    """
    sign = -1.0 if descending else 1.0
    codes, ties = sign * keys.codes[numbers], tiebreak[numbers]
    codes = np.where(np.isnan(codes), np.inf, codes)
    if after is not None:
        code = sign * keys.code(after.value)
        code = np.inf if np.isnan(code) else code
        is_behind = (codes > code) | ((codes == code) & (ties > np.uint64(after.tiebreak)))
        numbers, codes, ties = numbers[is_behind], codes[is_behind], ties[is_behind]
    if count is not None and len(numbers) > count:  # only what can be among the first is sorted
        last = np.partition(codes, count - 1)[count - 1]
        n_before = int(np.count_nonzero(codes < last))
        equal_ties = ties[codes == last]
        last_tie = np.partition(equal_ties, count - n_before - 1)[count - n_before - 1]
        is_first = (codes < last) | ((codes == last) & (ties <= last_tie))
        numbers, codes, ties = numbers[is_first], codes[is_first], ties[is_first]
    order: Int32Array = numbers[np.lexsort((ties, codes))][:count]
    return order
