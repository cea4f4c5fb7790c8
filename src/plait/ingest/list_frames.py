"""Reads lists of any library, pairs and ids, by the rules of `plait ingest` for ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from plait.errors import InputError
from plait.ingest.column_parsers import parse_ids
from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.dataframes import from_pandas, is_pandas

__all__ = [
    "as_frame",
    "list_table",
    "parse_id_column",
    "read_ids",
    "read_lists",
    "score_column",
]

_SCORES = ("score", "weight", "prediction", "rating")
"""The names of the column of scores, in the order of preference."""


def read_lists(source: Any, name: str) -> pl.DataFrame:
    """Read recommendation lists.

    Args:
        source: A frame as for `read_ids` that also has a column rank, from the smallest, or
            score, from the largest; without both the rows of a user are in order. Or a mapping of
            user to a list of items.
        name: What messages call the source.

    Returns:
        The columns user, item and score (float64): larger is better, equal scores are ties.

    Raises:
        InputError: As for `read_ids`, or if a user has an item twice or a score is missing.
    """
    table = list_table(source, name)
    columns = {normalized_name(column): column for column in table.columns}
    if "rank" in columns:
        scores = -table[columns["rank"]].cast(pl.Float64)
    else:
        column = score_column(table)
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


def list_table(source: Any, name: str) -> pl.DataFrame:
    """Turn lists into a table.

    Args:
        source: As for `read_lists`.
        name: What messages call the source.

    Returns:
        The columns of the source; user and item for a mapping of user to items.

    Raises:
        InputError: If the source is no table.
    """
    keys = source if isinstance(source, Mapping) else ()
    names = {normalized_name(str(key)) for key in keys}
    is_table = all(any(names & tier for tier in ROLES["events"][role]) for role in ("user", "item"))
    if isinstance(source, Mapping) and not is_table:
        rows = [(user, item) for user, items in source.items() for item in items]
        source = pl.DataFrame({"user": [row[0] for row in rows], "item": [row[1] for row in rows]})
    return as_frame(source, name)


def score_column(table: pl.DataFrame) -> str | None:
    """Find the column of scores.

    Args:
        table: A table of lists.

    Returns:
        The name of the column; None if there is none.
    """
    columns = {normalized_name(column): column for column in table.columns}
    return next((columns[score] for score in _SCORES if score in columns), None)


def as_frame(source: Any, name: str) -> pl.DataFrame:
    """Turn any table into a polars frame.

    Args:
        source: A polars, pandas or pyarrow frame, a dictionary of columns, or (user, item) tuples.
        name: What messages call the source.

    Returns:
        The frame.

    Raises:
        InputError: If the source is no table.
    """
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
    if isinstance(source, list | tuple) and all(
        isinstance(row, tuple) and len(row) == 2 for row in source
    ):
        users, items = ([row[column] for row in source] for column in (0, 1))
        columns = {"user": users, "item": items}
        return pl.DataFrame(
            {role: parse_id_column(values, role, name) for role, values in columns.items()}
        )
    table = as_frame(source, name)
    return pl.DataFrame(
        {
            role: parse_id_column(table[_column(table, role, name)], role, name)
            for role in ("user", "item")
        }
    )


def parse_id_column(values: Any, role: str, name: str) -> pl.Series:
    """Parse ids by the rules of `plait ingest`: 1, 1.0 and "1" are the same id.

    Args:
        values: N ids: a series of polars or pandas, an array, or any iterable but a text.
        role: What the ids stand for: "user" or "item".
        name: What messages call the source.

    Returns:
        N strings.

    Raises:
        InputError: If a value is missing or cannot be an id.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        message = f"{name} is {values!r}, expected a list of {role} ids"
        raise InputError(message, hint="pass a list", field=name)
    column = values if isinstance(values, pl.Series) else list(values)
    if isinstance(column, list) and all(type(value) is str for value in column):
        column = pl.Series(column, dtype=pl.String)
    parsed = parse_ids(column).values
    if parsed.null_count():
        row = int(parsed.is_null().arg_true()[0])
        message = f"{name}: row {row + 1} has no {role} id: {column[row]!r}"
        raise InputError(message, hint="an id is text or a whole number", field=role)
    return parsed


def _column(table: pl.DataFrame, role: str, name: str) -> str:
    normalized = {normalized_name(column): column for column in table.columns}
    for tier in ROLES["events"][role]:
        matching = sorted(tier & normalized.keys())
        if matching:
            return normalized[matching[0]]
    message = f"{name} has no column of {role}s; there are {', '.join(table.columns)}"
    raise InputError(message, hint=f"name it {role}", field=role)
