"""Writes data sets to folders and reads them: JSON and safetensors, nothing pickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Float64Array, Int64Array, UInt64Array
from plait.data.catalogue import Catalogue, Column, FieldType
from plait.data.user_merges import UserMerges
from plait.errors import BundleError
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.saved_data_checks import check_dataset, check_merges
from plait.pipeline.fitted_state import read_state, write_state

__all__ = ["read_dataset", "write_dataset"]


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """A catalogue; the fields by the form of their values."""

    ids: list[str]
    alive: BoolArray
    changed: Int64Array
    tiebreak: UInt64Array
    described: BoolArray
    types: dict[str, FieldType]
    numbers: dict[str, Float64Array]
    times: dict[str, Int64Array]
    texts: dict[str, list[str | None]]
    sets: dict[str, list[tuple[str, ...] | None]]
    places: dict[str, list[tuple[float, float] | None]]


_STATE: Mapping[str, Any] = {
    "version": int,
    "clock": Literal["time", "position"],
    "event_types": tuple[str, ...],
    "event_weights": dict[str, float],
    "merges": dict[int, int],
    "catalogue": _Entries,
    "users": _Entries,
    "interactions": arrays.Interactions,
    "triples": arrays.Triples,
}


def write_dataset(folder: Path, dataset: arrays.Dataset) -> None:
    """Write a data set.

    Args:
        folder: An existing, empty folder.
        dataset: The data set.

    Raises:
        OSError: If a file cannot be written.
    """
    values = {
        "version": dataset.version,
        "clock": dataset.clock,
        "event_types": tuple(dataset.event_types),
        "event_weights": dict(dataset.event_weights),
        "merges": dict(dataset.merges.targets),
        "catalogue": _entries(dataset.catalogue),
        "users": _entries(dataset.users),
        "interactions": dataset.interactions,
        "triples": dataset.triples,
    }
    write_state(folder, values, _STATE)


def read_dataset(folder: Path) -> Dataset:
    """Read a data set that `write_dataset` wrote.

    Args:
        folder: The folder.

    Returns:
        The data set; its arrays are mapped, not read.

    Raises:
        BundleError: If a file is missing or damaged, or its parts do not fit together.
    """
    values = read_state(folder, _STATE)
    for name in ("catalogue", "users"):
        values[name] = _catalogue(values[name])
    check_merges(values["merges"], len(values["users"]))
    values["merges"] = UserMerges.of(values["merges"])
    dataset = Dataset(**values)
    check_dataset(dataset)
    return dataset


def _entries(catalogue: Catalogue) -> _Entries:
    columns = catalogue.columns

    def lists(*types: str) -> dict[str, list[Any]]:
        return {
            name: column.values.tolist() for name, column in columns.items() if column.type in types
        }

    def values(field_type: str) -> dict[str, Any]:
        return {n: column.values for n, column in columns.items() if column.type == field_type}

    return _Entries(
        list(catalogue.ids),
        catalogue.alive,
        catalogue.changed,
        catalogue.tiebreak,
        catalogue.described,
        dict(catalogue.types()),
        values("number"),
        values("time"),
        lists("text", "category", "media"),
        lists("set"),
        lists("place"),
    )


def _catalogue(entries: _Entries) -> Catalogue:
    columns: dict[str, Column] = {}
    for name, field_type in entries.types.items():
        if field_type in ("number", "time"):
            source: Mapping[str, Any] = entries.numbers if field_type == "number" else entries.times
            columns[name] = Column(field_type, _entry(source, name))
            continue
        tables: dict[str, Mapping[str, Any]] = {"set": entries.sets, "place": entries.places}
        table = tables.get(field_type, entries.texts)
        columns[name] = Column(field_type, _objects(_entry(table, name)))
    return Catalogue(
        tuple(entries.ids),
        entries.alive,
        entries.changed,
        entries.tiebreak,
        columns,
        {name: number for number, name in enumerate(entries.ids) if name},
        entries.described,
    )


def _entry(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise BundleError(f"field {name!r} has a type and no values")
    return values[name]


def _objects(values: Sequence[Any]) -> Any:
    """Object array [N]; numpy would make a matrix of tuples of the same length."""
    array = np.empty(len(values), object)
    for row, value in enumerate(values):
        array[row] = value
    return array
