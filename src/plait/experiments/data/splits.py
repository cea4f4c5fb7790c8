"""Divides the interactions of a data set: by position, time, chance or user; and by k-core."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.dataset import Dataset, Interactions
from plait.errors import InputError
from plait.utils.number_arguments import plain_number, whole_number
from plait.utils.plain_arguments import without_numpy
from plait.utils.timestamps import to_micros

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "condition_mask",
    "drawn_users",
    "kcore_mask",
    "last_parts",
    "matching_mask",
    "random_parts",
    "time_parts",
]

_QUOTED_OR_USER = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|\buser\b""", re.IGNORECASE)
"""Texts and quoted names in SQL, and the name `user`, which SQL reserves."""


def condition_mask(frame: pl.DataFrame, condition: Any) -> BoolArray:
    """Evaluate a condition on interactions.

    Args:
        frame: N interactions.
        condition: A polars expression, the text of one in SQL, a function of the frame, or a mask.

    Returns:
        bool [N]; False where the condition is null.

    Raises:
        InputError: If the condition cannot be evaluated, does not give N booleans, or is a pandas
            Series.
    """
    import polars as pl

    if type(condition).__module__.partition(".")[0] == "pandas":
        raise InputError(
            "the condition is a pandas Series, whose rows may be in another order than to_frame()",
            hint="data.matching(frame) for rows of your own frame; filter(lambda frame: ...) else",
            field="condition",
        )
    try:
        if isinstance(condition, str):
            values: Any = _sql_mask(frame, condition).fill_null(False).to_numpy()
        elif isinstance(condition, pl.Expr):
            values = frame.select(mask=condition)["mask"].fill_null(False).to_numpy()
        else:
            values = condition(frame) if callable(condition) else condition
        mask = np.asarray(values)
    except pl.exceptions.PolarsError as problem:
        raise InputError(
            f"the condition cannot be evaluated: {problem}",
            hint=f"columns are {', '.join(frame.columns)}",
            field="condition",
        ) from problem
    if mask.dtype != np.bool_ or mask.shape != (len(frame),):
        message = (
            f"the condition gives {mask.dtype} {list(mask.shape)}, expected bool [{len(frame)}]"
        )
        raise InputError(message, field="condition")
    return mask


def _sql_mask(frame: pl.DataFrame, condition: str) -> pl.Series:
    """Evaluate a condition in SQL, in which `user` is the column and times are UTC."""
    import polars as pl

    if "time" in frame.columns:  # literals of SQL have no zone
        frame = frame.with_columns(pl.col("time").dt.replace_time_zone(None))
    quoted = _QUOTED_OR_USER.sub(
        lambda part: '"user"' if part[0].lower() == "user" else part[0], condition
    )
    try:
        return frame.select(mask=pl.sql_expr(quoted))["mask"]
    except pl.exceptions.PolarsError:  # only a query compares times with texts
        query = f"SELECT ({quoted}) AS mask FROM interactions"  # noqa: S608 the condition is code
        return pl.SQLContext(interactions=frame, eager=True).execute(query)["mask"]


def matching_mask(frame: pl.DataFrame, rows: pl.DataFrame) -> BoolArray:
    """Select the interactions that are rows of another frame.

    Args:
        frame: N interactions.
        rows: Interactions: user and item, perhaps time, and a kind that counts if `frame` has it.

    Returns:
        bool [N]; of interactions that are equal in all columns as many as there are rows.

    Raises:
        InputError: If rows match no interaction, or more interactions than there are rows, which
            differ.
    """
    import polars as pl

    names = ["user", "item"] + ["time"] * ("time" in frame.columns and "time" in rows.columns)
    if rows["kind"].is_in(frame["kind"].unique().implode()).all():
        kinds = rows["kind"].unique().to_list()
        names += ["kind"] * (kinds != ["view"])  # a table without kinds has views
    counts = rows.group_by(names).agg(n_rows=pl.len())
    matched = frame.join(counts, on=names, how="left", maintain_order="left").with_columns(
        place=pl.int_range(pl.len()).over(names),
        is_copy=pl.struct(frame.columns).n_unique().over(names) == 1,
    )
    n_unmatched = len(rows.join(frame, on=names, how="anti"))
    columns = ", ".join(names)
    if n_unmatched:
        raise InputError(
            f"{n_unmatched:,} of {len(rows):,} rows match no interaction by {columns}",
            hint="read all parts as one data set: Dataset.of([train_frame, test_frame])",
            field="table",
        )
    n_ambiguous = len(
        matched.filter(pl.col("n_rows").is_not_null() & ~pl.col("is_copy"))
        .group_by(names)
        .agg(pl.len(), pl.first("n_rows"))
        .filter(pl.col("len") > pl.col("n_rows"))
    )
    if n_ambiguous:
        raise InputError(
            f"{n_ambiguous:,} rows match more interactions by {columns} than the table has rows",
            hint="give the columns that tell these interactions apart, such as time and kind",
            field="table",
        )
    mask: BoolArray = (matched["place"] < matched["n_rows"]).fill_null(False).to_numpy()
    return mask


def kcore_mask(interactions: Interactions, least_users: int, least_items: int) -> BoolArray:
    """Select the interactions of users and items that all have enough of them.

    Args:
        interactions: N interactions.
        least_users: The fewest interactions of a user.
        least_items: The fewest interactions of an item.

    Returns:
        bool [N].
    """
    mask = np.ones(len(interactions), np.bool_)
    while True:
        counts = [
            np.bincount(numbers[mask], minlength=int(numbers.max(initial=-1)) + 1)
            for numbers in (interactions.users, interactions.items)
        ]
        enough = mask & (counts[0][interactions.users] >= least_users)
        enough &= counts[1][interactions.items] >= least_items
        if enough.sum() == mask.sum():
            return mask
        mask = enough


def last_parts(interactions: Interactions, n: int, size: int) -> Int64Array:
    """Assign the last interactions of each user to n parts.

    Args:
        interactions: N interactions, ordered by user.
        n: How many parts are held out, at least 1.
        size: How many interactions of a user each of them has, at least 1.

    Returns:
        int64 [N]: n for the last `size` of a user, n - 1 for those before, ..., 0 for the others
        and for users with n * size interactions or fewer.
    """
    starts, lengths = _user_ranges(interactions.users)
    ends = np.repeat(starts + lengths, lengths)
    from_end = ends - 1 - np.arange(len(interactions))
    parts = np.maximum(n - from_end // size, 0)
    parts[np.repeat(lengths, lengths) <= n * size] = 0
    return parts


def time_parts(dataset: Dataset, cuts: Sequence[float | str | datetime]) -> Int64Array:
    """Assign interactions to the periods between times.

    Args:
        dataset: N interactions with times.
        cuts: Ascending times, or shares of the interactions between 0 and 1.

    Returns:
        int64 [N]: how many cuts lie at or before each interaction.

    Raises:
        InputError: If interactions have no times, or cuts do not ascend.
    """
    if dataset.clock != "time":
        raise InputError(
            "some interactions have no time",
            hint="split by position: split_last()",
            field="time",
        )
    if not cuts:
        raise InputError("no cut: pass a time or a share between 0 and 1", field="cuts")
    times = dataset.interactions.times
    moments = np.array([_moment(cut, times) for cut in cuts], np.int64)
    if (np.diff(moments) < 0).any():
        raise InputError("the cuts do not ascend", field="cuts")
    return np.searchsorted(moments, times, side="right").astype(np.int64)


def random_parts(dataset: Dataset, share: float, by: str, seed: int) -> Int64Array:
    """Draw the interactions of the second part.

    Args:
        dataset: N interactions.
        share: Their share, between 0 and 1.
        by: "user": the share of every user, rounded down; "event": of all interactions.
        seed: The seed of the draw.

    Returns:
        int64 [N]: 1 for the drawn, 0 for the others.

    Raises:
        InputError: If `share` does not lie between 0 and 1, or `by` is unknown.
    """
    share = plain_number(share, "share", least=0, greatest=1)
    if share in (0, 1):
        message = f"share is {share}, expected a number above 0 and below 1"
        raise InputError(message, field="share")
    if by not in ("user", "event"):
        raise InputError(f"by is {by!r}, expected 'user' or 'event'", field="by")
    generator = np.random.default_rng(whole_number(seed, "seed", least=0))
    order = generator.random(len(dataset.interactions))
    if by == "event":
        parts = np.zeros(len(order), np.int64)
        parts[np.argsort(order, kind="stable")[: int(share * len(order))]] = 1
        return parts
    users = dataset.interactions.users
    starts, lengths = _user_ranges(users)
    shuffled = np.lexsort((order, users))
    ranks = np.empty(len(order), np.int64)
    ranks[shuffled] = np.arange(len(order)) - np.repeat(starts, lengths)
    # A hair more, so that a share such as 0.1 of 10 gives 1 and not 0.
    counts = np.floor(share * lengths + 1e-9).astype(np.int64)
    return (ranks < np.repeat(counts, lengths)).astype(np.int64)


def drawn_users(dataset: Dataset, size: Any, name: str, seed: Any) -> BoolArray:
    """Draw users with interactions.

    Args:
        dataset: The data set.
        size: Their share below 1, or their number.
        name: The name of the argument that is the size.
        seed: The seed of the draw.

    Returns:
        bool [n_users].

    Raises:
        InputError: If `size` draws no user, or more than there are, or `seed` is no whole number
            from 0 on.
    """
    present = np.unique(dataset.interactions.users)
    number = plain_number(size, name, least=0)
    count = int(number * len(present)) if number < 1 else whole_number(number, name, least=1)
    if not 0 < count <= len(present):
        message = f"{name} is {number}, expected a share below 1 or up to {len(present):,} users"
        raise InputError(message, hint="a share is rounded down to users", field=name)
    drawn = np.zeros(dataset.n_users, np.bool_)
    generator = np.random.default_rng(whole_number(seed, "seed", least=0))
    drawn[generator.permutation(present)[:count]] = True
    return drawn


def _user_ranges(users: Int32Array) -> tuple[Int64Array, Int64Array]:
    """The first interaction of each user that occurs, and how many there are; users are sorted."""
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    return starts, np.diff(np.append(starts, len(users)))


def _moment(cut: Any, times: Int64Array) -> int:
    """A cut as microseconds; a share becomes the time from which on the later ones follow."""
    cut = without_numpy(cut)
    if isinstance(cut, float) and 0 < cut < 1:
        return int(np.sort(times)[min(int(cut * len(times)), len(times) - 1)]) if len(times) else 0
    return to_micros(cut, "cuts")
