"""Reads lists of any library, pairs and ids, by the rules of `plait ingest` for ids."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Set
from contextlib import suppress
from numbers import Real
from typing import Any

import polars as pl

from plait.errors import InputError
from plait.ingest.column_parsers import parse_ids
from plait.ingest.column_synonyms import ROLES, normalized_name
from plait.ingest.dataframes import from_pandas, is_pandas, series_of_objects

__all__ = [
    "as_frame",
    "is_frame",
    "is_scores",
    "list_table",
    "parse_id_column",
    "read_distinct_ids",
    "read_ids",
    "read_lists",
    "score_column",
]

_SCORES = ("score", "weight", "prediction", "rating")
"""The names of the column of scores, in the order of preference."""

_UNREADABLE = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    TypeError,
    ValueError,
    OverflowError,
)
"""What polars raises for values that it cannot read; a panic is no `Exception`."""


def read_lists(source: Any, name: str) -> pl.DataFrame:
    """Read recommendation lists.

    Args:
        source: A frame as for `read_ids` that also has a column rank, from the smallest, or
            score, from the largest; without both the rows of a user are in order. Or a mapping of
            user to a list of items, to a mapping of item to score, or to (item, score) tuples.
        name: What messages call the source.

    Returns:
        The columns user, item and score (float64): larger is better, equal scores are ties.

    Raises:
        InputError: As for `read_ids`, or if a user has an item twice, items have no order, or a
            score is missing or no number.
    """
    table = list_table(source, name)
    columns = {normalized_name(column): column for column in table.columns}
    if "rank" in columns:
        scores = -_numbers(table[columns["rank"]], name)
    elif (column := score_column(table)) is not None:
        scores = _numbers(table[column], name)
    else:
        scores = -pl.int_range(len(table), eager=True).cast(pl.Float64)
    lists = read_ids(table, name).with_columns(scores.alias("score"))
    if (missing := lists["score"].null_count() + lists["score"].is_nan().sum()) > 0:
        raise InputError(f"{name}: {missing} rows have no rank or score", field=name)
    twice = lists.filter(pl.struct("user", "item").is_duplicated())
    if len(twice):
        user, item = twice.row(0)[:2]
        message = f"{name}: user {user!r} has item {item!r} twice"
        raise InputError(message, hint="drop duplicates first", field=name)
    return lists


def list_table(source: Any, name: str, *, is_ordered: bool = True) -> pl.DataFrame:
    """Turn lists into a table.

    Args:
        source: As for `read_lists`.
        name: What messages call the source.
        is_ordered: Whether the items of a user have an order, so that they are no set.

    Returns:
        The columns of the source; user, item and, where there are scores, score for a mapping.

    Raises:
        InputError: If the source is no table, or the items of a user have no order.
    """
    keys = source if isinstance(source, Mapping) else ()
    names = {normalized_name(str(key)) for key in keys}
    is_table = all(any(names & tier for tier in ROLES["events"][role]) for role in ("user", "item"))
    if not isinstance(source, Mapping) or is_table:
        return as_frame(source, name)
    lists = source.values()
    if any(isinstance(items, Mapping) or _scored_pairs(items) for items in lists):
        return _scored_table(source, name)
    for user, items in source.items():
        is_list = isinstance(items, Iterable) and not isinstance(items, str | bytes)
        if not is_list or (is_ordered and isinstance(items, Set)):
            order = ", best first" if is_ordered else ""
            message = f"{name}: user {user!r} has {reprlib.repr(items)}, expected items{order}"
            raise InputError(message, hint="or a dictionary of item to score", field=name)
    rows = [(user, item) for user, items in source.items() for item in items]
    columns = {"user": [row[0] for row in rows], "item": [row[1] for row in rows]}
    return pl.DataFrame([series_of_objects(role, ids) for role, ids in columns.items()])


def is_scores(value: Any) -> bool:
    """Return whether a value is a mapping of item to score.

    Args:
        value: Any value.
    """
    is_mapping = isinstance(value, Mapping) and len(value) > 0
    return is_mapping and all(isinstance(score, Real) for score in value.values())


def _scored_pairs(value: Any) -> list[tuple[Any, Any]] | None:
    """The pairs of item and score of a mapping or of a list of such pairs; None: there are none."""
    pairs = list(value.items()) if isinstance(value, Mapping) else value
    is_list = isinstance(pairs, list | tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Real) for pair in pairs
    )
    return list(pairs) if is_list else None


def _scored_table(source: Mapping[Any, Any], name: str) -> pl.DataFrame:
    """The rows of a mapping of user to items with their scores."""
    rows = []
    for user, scores in source.items():
        pairs = _scored_pairs(scores)
        if pairs is None:
            shown = reprlib.repr(scores)
            message = f"{name}: user {user!r} has {shown}, expected a number for each item"
            raise InputError(message, hint="such as {user: {item: score}}", field=name)
        rows += [(user, *pair) for pair in pairs]
    roles = ("user", "item")
    ids = [series_of_objects(role, [row[at] for row in rows]) for at, role in enumerate(roles)]
    return pl.DataFrame([*ids, pl.Series("score", [float(row[2]) for row in rows], pl.Float64)])


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
        source: A polars, pandas or pyarrow frame, a dictionary of columns, dictionaries, each a
            row, or (user, item) tuples.
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
    if isinstance(source, str | bytes) or not (is_frame(source) or isinstance(source, Iterable)):
        message = f"{name} is {reprlib.repr(source)}, expected a table of users and items"
        raise InputError(message, hint="pass a frame with the columns user and item", field=name)
    try:
        if _is_arrow(source):
            return pl.DataFrame(pl.from_arrow(source))
        if isinstance(source, Mapping):
            return pl.DataFrame(source)
        rows = list(source)
        if rows and all(isinstance(row, Mapping) for row in rows):
            return _row_table(rows)
        if not all(isinstance(row, tuple | list) and len(row) == 2 for row in rows):
            raise ValueError("a row is no pair of a user and an item")
        return pl.DataFrame(rows, schema=["user", "item"], orient="row")
    except _UNREADABLE as problem:
        reason = str(problem).partition("\n")[0]
        message = f"{name} is no table of users and items: {reason}"
        hint = "pass a frame with the columns user and item"
        raise InputError(message, hint=hint, field=name) from problem


def _row_table(rows: list[Mapping[Any, Any]]) -> pl.DataFrame:
    """The table of rows; what a row lacks is null."""
    columns = dict.fromkeys(str(column) for row in rows for column in row)
    return pl.DataFrame(
        [series_of_objects(column, [row.get(column) for row in rows]) for column in columns]
    )


def is_frame(source: Any) -> bool:
    """Return whether an object is a frame of polars or pandas or a table of pyarrow.

    Args:
        source: Any object.
    """
    return isinstance(source, pl.DataFrame | pl.LazyFrame) or is_pandas(source) or _is_arrow(source)


def _is_arrow(source: Any) -> bool:
    return _is_of_pyarrow(source) and hasattr(source, "column_names")


def _is_of_pyarrow(source: Any) -> bool:
    return type(source).__module__.partition(".")[0] == "pyarrow"


def _numbers(column: pl.Series, name: str) -> pl.Series:
    """A column of scores or ranks, Float64."""
    try:
        if column.dtype == pl.Object:
            return pl.Series([None if v is None else float(v) for v in column], dtype=pl.Float64)
        if column.dtype.is_numeric() or column.dtype in (pl.String, pl.Null, pl.Boolean):
            return column.cast(pl.Float64)
    except _UNREADABLE as problem:
        wrong = [value for value in column.to_list() if not _is_number(value)]
        value = wrong[0] if wrong else column[0]
        raise _no_number(value, column.name, name) from problem
    raise _no_number(column[0] if len(column) else None, column.name, name)


def _no_number(value: Any, column: str, name: str) -> InputError:
    message = f"{name}: {column} is {value!r} in a row, expected a number"
    return InputError(message, hint="convert the column to numbers first", field=name)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return value is None
    return True


def read_ids(source: Any, name: str) -> pl.DataFrame:
    """Read the users and items of rows, by the rules of `plait ingest` for ids.

    Args:
        source: A table as for `as_frame`, or a mapping of user to items.
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
    table = list_table(source, name, is_ordered=False)
    return pl.DataFrame(
        {
            role: parse_id_column(table[_column(table, role, name)], role, name)
            for role in ("user", "item")
        }
    )


def parse_id_column(values: Any, role: str, name: str) -> pl.Series:
    """Parse ids by the rules of `plait ingest`: 1, 1.0 and "1" are the same id.

    Args:
        values: N ids: a series of polars or pandas, an array of numpy or pyarrow, or any iterable
            but a text.
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
    if _is_of_pyarrow(values):
        values = pl.Series(pl.from_arrow(values))
    is_typed = isinstance(values, pl.Series) and values.dtype != pl.Object
    column: Any = values if is_typed else list(values)
    if isinstance(column, list) and all(type(value) is str for value in column):
        with suppress(UnicodeEncodeError):  # lone surrogates, which only Python strings can hold
            column = pl.Series(column, dtype=pl.String)
    parsed = parse_ids(column).values
    if parsed.null_count():
        row = int(parsed.is_null().arg_true()[0])
        value = reprlib.repr(column[row])
        message = f"{name}: row {row + 1} has no {role} id: {value}"
        raise InputError(message, hint="an id is text or a whole number", field=role)
    return parsed


def read_distinct_ids(source: Any, role: str, name: str) -> list[str]:
    """Read ids of users or items, by the rules of `plait ingest`.

    Args:
        source: N ids as for `parse_id_column`, or a table as for `as_frame` that has a column of
            them under one of its usual names.
        role: What the ids stand for: "user" or "item".
        name: What messages call the source.

    Returns:
        The distinct ids in their order.

    Raises:
        InputError: If a frame has no such column, or a value is no id.
    """
    is_rows = isinstance(source, list | tuple) and bool(source) and isinstance(source[0], Mapping)
    if is_frame(source) or isinstance(source, Mapping) or is_rows:
        table = as_frame(source, name)
        source = table[_column(table, role, name)]
    return parse_id_column(source, role, name).unique(maintain_order=True).to_list()


def _column(table: pl.DataFrame, role: str, name: str) -> str:
    normalized = {normalized_name(column): column for column in table.columns}
    for tier in ROLES["events"][role]:
        matching = sorted(tier & normalized.keys())
        if matching:
            return normalized[matching[0]]
    names = ", ".join(table.columns) or "none"
    message = f"{name} has no column of {role}s; there are {names}"
    raise InputError(message, hint=f"name it {role}", field=role)
