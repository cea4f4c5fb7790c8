"""Reads lists of any library, and targets, as frames of user, item, rank and score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.experiments.dataset import Dataset
from plait.ingest.column_parsers import parse_ids
from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.dataframes import from_pandas, is_pandas

__all__ = ["read_ids", "read_lists", "read_pairs"]

_SCORES = ("score", "weight", "prediction", "rating")
"""The names of the column of scores, in the order of preference."""


def read_pairs(source: Any, name: str) -> pl.DataFrame:
    """Read pairs of a user and an item.

    Args:
        source: A data set; a polars, pandas or pyarrow frame, or a dictionary of columns, with a
            column of users and one of items under their usual names; or (user, item) tuples.
        name: What messages call the source.

    Returns:
        The distinct pairs: user and item as strings.

    Raises:
        InputError: If there are no such columns, or a value is no id.
    """
    if isinstance(source, arrays.Dataset):
        frame = Dataset.from_snapshot(source).to_frame()
        return frame.select("user", "item").unique(maintain_order=True)
    return read_ids(source, name).unique(maintain_order=True)


def read_lists(source: Any, name: str) -> pl.DataFrame:
    """Read recommendation lists.

    Args:
        source: A frame as for `read_pairs` that also has a column rank, from the smallest, or
            score, from the largest; without both the rows of a user are in order. Or a mapping of
            user to a list of items.
        name: What messages call the source.

    Returns:
        The columns user, item and score (float64): larger is better, equal scores are ties.

    Raises:
        InputError: As for `read_pairs`, or if a user has an item twice or a score is missing.
    """
    keys = source if isinstance(source, Mapping) else ()
    names = {normalized_name(str(key)) for key in keys}
    is_table = all(any(names & tier for tier in ROLES["events"][role]) for role in ("user", "item"))
    if isinstance(source, Mapping) and not is_table:
        rows = [(user, item) for user, items in source.items() for item in items]
        source = pl.DataFrame({"user": [row[0] for row in rows], "item": [row[1] for row in rows]})
    table = _as_frame(source, name)
    columns = {normalized_name(column): column for column in table.columns}
    if "rank" in columns:
        scores = -table[columns["rank"]].cast(pl.Float64)
    else:
        column = next((columns[score] for score in _SCORES if score in columns), None)
        position = -pl.int_range(pl.len()).cast(pl.Float64)
        scores = table.select(score=position if column is None else pl.col(column))["score"]
    lists = read_ids(table, name).with_columns(scores.cast(pl.Float64).alias("score"))
    if (missing := lists["score"].null_count() + lists["score"].is_nan().sum()) > 0:
        raise InputError(f"{name}: {missing} rows have no rank or score", field=name)
    twice = lists.filter(pl.struct("user", "item").is_duplicated())
    if len(twice):
        user, item = twice.row(0)[:2]
        message = f"{name}: user {user!r} has item {item!r} twice"
        raise InputError(message, hint="drop duplicates first", field=name)
    return lists


def _as_frame(source: Any, name: str) -> pl.DataFrame:
    """Any table as a polars frame."""
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if is_pandas(source):
        return from_pandas(source)
    try:
        if type(source).__module__.partition(".")[0] == "pyarrow":
            return pl.DataFrame(pl.from_arrow(source))
        if isinstance(source, Mapping):
            return pl.DataFrame(source)
        return pl.DataFrame(list(source), schema=["user", "item"], orient="row")
    except (pl.exceptions.PolarsError, TypeError, ValueError) as problem:
        message = f"{name} is no table of users and items: {problem}"
        raise InputError(message, hint="pass a frame with the columns user and item") from problem


def read_ids(source: Any, name: str) -> pl.DataFrame:
    """Read the users and items of rows, by the rules of `plait ingest` for ids.

    Args:
        source: A frame, a dictionary of columns, or (user, item) tuples.
        name: What messages call the source.

    Returns:
        A row for each row of the source: user and item as strings.

    Raises:
        InputError: If there are no such columns, or a value is no id.
    """
    table = _as_frame(source, name)
    columns = {}
    for role in ("user", "item"):
        values = table[_column(table, role, name)]
        parsed = parse_ids(values)
        if parsed.values.null_count():
            row = int(parsed.values.is_null().arg_true()[0])
            message = f"{name}: row {row + 1} has no {role} id: {values[row]!r}"
            raise InputError(message, field=role)
        columns[role] = parsed.values
    return pl.DataFrame(columns)


def _column(table: pl.DataFrame, role: str, name: str) -> str:
    normalized = {normalized_name(column): column for column in table.columns}
    for tier in ROLES["events"][role]:
        matching = sorted(tier & normalized.keys())
        if matching:
            return normalized[matching[0]]
    message = f"{name} has no column of {role}s; there are {', '.join(table.columns)}"
    raise InputError(message, hint=f"name it {role}", field=role)
