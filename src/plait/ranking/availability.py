"""Which items are available now, by stock and date fields of a catalogue.

Known names match regardless of case, accents and separators (`in_stock`, `inStock`, "In stock"). A
missing value says nothing, so the item counts as available; an item is available if no field
denies it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

import numpy as np

from plait.data.array_types import BoolArray, Int64Array
from plait.data.catalogue import NO_TIME, Catalogue, Column
from plait.errors import InputError
from plait.ingest.column_synonyms import normalized_name
from plait.ranking.stock_words import is_negative, is_stock_word
from plait.utils.timestamps import DAY, in_range, micros_of_number, parse_time

__all__ = [
    "AUTO",
    "Availability",
    "AvailabilityRule",
    "availability_of",
    "check_availability_fields",
    "is_availability_name",
]

AUTO = "auto"
"""Stands for the fields with known names."""

_STOCK_WORDS = (
    "available isavailable availability stock instock isinstock stockstatus stockquantity stockqty"
    " stocklevel quantityinstock inventoryquantity inventoryqty inventorylevel"
    " verfuegbar verfuegbarkeit lieferbar auflager lagernd lagerbestand lagermenge warenbestand"
    " disponible disponibilite enstock disponibilidad existencias disponibile disponibilita"
    " giacenza disponivel disponibilidade estoque emestoque"
    " voorraad opvoorraad beschikbaar beschikbaarheid"
    " 库存 库存数量 库存量 可售库存 可用库存 库存状态 有货 是否有货 在售 是否在售 庫存 庫存數量"
)
_STOCK_NAMES = frozenset(_STOCK_WORDS.split())
_WORD_NAMES = frozenset({"status", "quantity"})
"""Fields that count only where all their values are words about stock."""
_READABLE_TYPES = ("number", "category", "text", "set")
_FROM, _UNTIL = "availablefrom", "availableuntil"
_OLDEST_UNIX = 10**8
"""Smaller numbers are no unix times: they could be days such as 20261224."""


@dataclass(frozen=True, slots=True)
class AvailabilityRule:
    """What one field says.

    Attributes:
        field: The name of the field.
        text: The rule in words.
        n_unavailable: How many living items it leaves out now.
    """

    field: str
    text: str
    n_unavailable: int


@dataclass(frozen=True, slots=True, eq=False)
class Availability:
    """Which items of a catalogue can be had, and when.

    Attributes:
        catalogued: bool [1, N], the items that the catalogue names; None where all are.
        denied: By field, bool [N]: the items that it says cannot be had.
        since: By field, int64 [N]: when an item begins to be available, `NO_TIME` for always.
        until: By field, int64 [N]: when it ends, the greatest number for never.
        in_stock: bool [1, N], the items that no field in `denied` leaves out; None without any.
        has_times: Whether a field says when items can be had.
    """

    catalogued: BoolArray | None
    denied: Mapping[str, BoolArray]
    since: Mapping[str, Int64Array]
    until: Mapping[str, Int64Array]
    in_stock: BoolArray | None
    has_times: bool

    def mask(self, times: Int64Array) -> BoolArray | None:
        """Tell which items can be had.

        Args:
            times: int64 [B], when it is asked, microseconds since 1970 UTC.

        Returns:
            bool [1 or B, N]; None if no field says anything.
        """
        if not self.has_times:
            return self.in_stock
        if len(times) and (times == times[0]).all():
            times = times[:1]
        masks = [since[None, :] <= times[:, None] for since in self.since.values()]
        masks += [until[None, :] > times[:, None] for until in self.until.values()]
        if self.in_stock is not None:
            masks.append(self.in_stock)
        return functools.reduce(np.logical_and, masks)

    def rules(self, catalogue: Catalogue, alive: BoolArray, now: int) -> list[AvailabilityRule]:
        """Describe the fields that are in force.

        Args:
            catalogue: The items.
            alive: bool [N], the items that count.
            now: Microseconds since 1970 UTC.

        Returns:
            One rule for each field.
        """
        rules = []
        for name, denied in self.denied.items():
            is_number = catalogue.columns[name].type == "number"
            says = "is 0 or less" if is_number else "says no, 0, sold out or the like"
            rules.append((name, f"items whose `{name}` {says} are not shown", denied))
        for name, since in self.since.items():
            rules.append((name, f"items are shown from `{name}` on", since > now))
        for name, until in self.until.items():
            rules.append((name, f"items are shown until `{name}`", until <= now))
        return [
            AvailabilityRule(name, text, int(np.count_nonzero(alive & out)))
            for name, text, out in rules
        ]


_cache: WeakKeyDictionary[Catalogue, dict[tuple[str, ...], Availability]] = WeakKeyDictionary()


def availability_of(catalogue: Catalogue, fields: Sequence[str] = (AUTO,)) -> Availability:
    """Find the fields that say which items can be had.

    Args:
        catalogue: N items.
        fields: Names of fields; `AUTO` stands for those with known names.

    Returns:
        What they say, cached for the lifetime of this version of the catalogue.
    """
    cached = _cache.setdefault(catalogue, {})
    key = tuple(fields)
    availability = cached.get(key)
    if availability is None:
        availability = cached[key] = _read(catalogue, key)
    return availability


def is_availability_name(name: str) -> bool:
    """Return whether a field of this name may say whether an item can be had.

    Args:
        name: The name of the field, in any case and with any separators.
    """
    return _key(name) in _STOCK_NAMES | _WORD_NAMES | {_FROM, _UNTIL}


def check_availability_fields(catalogue: Catalogue, fields: Sequence[str], setting: str) -> None:
    """Check that fields can say whether an item is in stock.

    Args:
        catalogue: The items; any name is accepted as long as they have no fields at all.
        fields: Names of fields.
        setting: The setting that names them.

    Raises:
        InputError: If a field is unknown, or its type cannot say it.
    """
    catalogue.check_fields(fields, setting)
    for name in fields if catalogue.columns else ():
        kind = catalogue.columns[name].type
        if kind not in _READABLE_TYPES and _key(name) not in (_FROM, _UNTIL):
            raise InputError(
                f"field {name!r}, a {kind}, does not say whether an item is in stock",
                hint=f"expected a field of type {', '.join(_READABLE_TYPES)}; "
                'for times write available = "FIELD < ..."',
                field=setting,
            )


def _read(catalogue: Catalogue, fields: tuple[str, ...]) -> Availability:
    denied, since, until = {}, {}, {}
    for name, column in catalogue.columns.items():
        key = _key(name)
        is_known = (key in _STOCK_NAMES or key in (_FROM, _UNTIL)) or (
            key in _WORD_NAMES and _holds_stock_words(column)
        )
        if not (name in fields or (AUTO in fields and is_known)):
            continue
        if key == _FROM:
            since[name] = _times(column, NO_TIME)
        elif key == _UNTIL:
            times = _times(column, np.iinfo(np.int64).max)
            is_date = (times != np.iinfo(np.int64).max) & (times % DAY == 0)
            until[name] = np.where(is_date, times + DAY, times)  # a date includes its day
        elif column.type in _READABLE_TYPES:
            denied[name] = _denied(column)
    in_stock = None
    if denied:
        in_stock = ~functools.reduce(np.logical_or, denied.values())[None, :]
    catalogued = catalogue.catalogued()
    if catalogued is not None:
        catalogued = catalogued[None, :]
    has_times = bool(since or until)
    return Availability(catalogued, denied, since, until, in_stock, has_times)


@functools.lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """A name without case, accents and separators."""
    return normalized_name(name)


@functools.lru_cache(maxsize=8)  # most changes of a catalogue leave the column as it is
def _holds_stock_words(column: Column) -> bool:
    """Whether all values, and at least one of them, are words about stock."""
    if column.type not in ("category", "text"):
        return False
    encoded = column.encoded
    strings = list(encoded.vocabulary.codes)
    values = [strings[code] for code in np.unique(encoded.codes)]
    return bool(values) and all(map(is_stock_word, values))


@functools.lru_cache(maxsize=8)
def _denied(column: Column) -> BoolArray:
    """Bool [N]: where a value, or each member of a set, says that the item cannot be had."""
    if column.type == "number":
        return np.asarray(column.values <= 0, np.bool_)  # false for NaN
    encoded = column.encoded
    denies = np.array([is_negative(value) for value in list(encoded.vocabulary.codes)], np.bool_)
    denied = encoded.entries_with(denies)
    return denied & ~encoded.entries_with(~denies) if column.type == "set" else denied


@functools.lru_cache(maxsize=8)
def _times(column: Column, missing: int) -> Int64Array:
    """Int64 [N] microseconds; `missing` where there is no value, or none that is a time."""
    if column.type == "time":
        return np.where(column.values == NO_TIME, missing, column.values)
    values: Iterable[object] = column.values.tolist()
    return np.array([_micros(value, missing) for value in values], np.int64)


def _micros(value: object, missing: int) -> int:
    try:
        if isinstance(value, str):
            return parse_time(value)
        if isinstance(value, float) and math.isfinite(value):
            if value >= _OLDEST_UNIX:
                return in_range(micros_of_number(value))
            day = datetime.strptime(f"{value:.0f}", "%Y%m%d").replace(tzinfo=UTC)
            return parse_time(day.isoformat())
    except (ValueError, OverflowError):
        pass
    return missing
