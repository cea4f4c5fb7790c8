"""Judgements of relevance, read from a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import polars as pl

from plait.data.array_types import Float64Array, Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.ragged import offsets_of
from plait.errors import InputError
from plait.ingest.column_synonyms import ROLES, normalized_name

__all__ = ["Judgements", "judgements_of"]

_QUERY_NAMES = ("query", "searchterm", "searchquery", "text", "q")
_RELEVANCE_NAMES = ("relevance", "grade", "judgement", "judgment", "label", "rating", "score")
_ROUNDING = 0.005
"""Grades are written with two decimals: 2.33 is two thirds of the way from 1 to 3."""


@dataclass(frozen=True, eq=False)
class Judgements:
    """Judged items by query.

    Attributes:
        queries: The texts of Q queries.
        offsets: Where the judgements of each query begin, int64 [Q + 1].
        items: Item numbers, int32 [N].
        relevance: The grades, float64 [N].
        n_unknown: How many judgements were left out since no item has their id.
    """

    queries: tuple[str, ...]
    offsets: Int64Array
    items: Int32Array
    relevance: Float64Array
    n_unknown: int = 0

    @property
    def rows(self) -> Int64Array:
        """The query of each judgement, int64 [N]."""
        return np.repeat(np.arange(len(self.queries)), np.diff(self.offsets))

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The lowest and the highest grade."""
        return float(self.relevance.min()), float(self.relevance.max())

    @cached_property
    def step(self) -> float:
        """A third of the scale: items whose grades differ by so much have a right order."""
        low, high = self.scale
        return (high - low) * (1 / 3 - _ROUNDING)

    @cached_property
    def relevant_from(self) -> float:
        """The least grade of a relevant item: the upper third of the scale."""
        low, high = self.scale
        return low + (high - low) * (2 / 3 - _ROUNDING)

    @cached_property
    def fingerprint(self) -> str:
        """12 hexadecimal digits, equal for equal judgements."""
        digest = blake2b(digest_size=6)
        for part in (self.offsets, self.items, self.relevance):
            digest.update(part.tobytes())
        digest.update("\n".join(self.queries).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def of_query(self, position: int) -> tuple[Int32Array, Float64Array]:
        """Return the judged items of a query and their grades.

        Args:
            position: The position of the query.

        Returns:
            Item numbers, int32 [n], and grades, float64 [n].
        """
        start, end = self.offsets[position : position + 2].tolist()
        return self.items[start:end], self.relevance[start:end]


def judgements_of(table: pl.DataFrame, catalogue: Catalogue) -> Judgements:
    """Read judgements from a table with a row for each judged item.

    Args:
        table: A column of queries (`query`, `search_term`), one of item ids by any of their usual
            names, one of grades (`relevance`).
        catalogue: The items.

    Returns:
        The judgements in the order of the queries' first rows; several of one item are averaged.

    Raises:
        InputError: If a column is missing, a grade is no finite number, no judged item is known,
            or all grades are equal.
    """
    names = {normalized_name(name): name for name in reversed(table.columns)}
    item_names = [name for tier in ROLES["events"]["item"] for name in sorted(tier)]
    query = _column(names, _QUERY_NAMES, "query")
    item = _column(names, item_names, "item")
    relevance = _column(names, _RELEVANCE_NAMES, "relevance")
    grades = table.select(
        query=pl.col(query).cast(pl.String),
        item=pl.col(item).cast(pl.String),
        relevance=pl.col(relevance).cast(pl.Float64, strict=False),
    ).filter(pl.col("query").str.strip_chars() != "")
    if not grades["relevance"].is_finite().fill_null(False).all():
        raise InputError(
            f"{relevance} of the judgements has values that are no numbers",
            hint="give every row a grade, such as 0 to 3",
            field="judgements",
        )
    grades = grades.group_by("query", "item", maintain_order=True).agg(pl.mean("relevance"))
    numbers = catalogue.numbers(grades["item"].to_list())
    alive = np.append(catalogue.alive, False)[numbers]
    grades = grades.with_columns(number=pl.Series(numbers)).filter(pl.Series(alive))
    if not len(grades) or grades["relevance"].n_unique() < 2:
        raise InputError(
            f"none of {len(numbers)} judgements is of an item of the home"
            if not len(grades)
            else "all judgements have the same grade",
            hint=f"the ids in {item} must be those of the catalogue, with different grades",
            field="judgements",
        )
    by_query = grades.group_by("query", maintain_order=True).agg("number", "relevance")
    lengths = by_query["number"].list.len().to_numpy().astype(np.int64)
    return Judgements(
        tuple(by_query["query"].to_list()),
        offsets_of(lengths),
        by_query["number"].explode().to_numpy().astype(np.int32),
        by_query["relevance"].explode().to_numpy().astype(np.float64),
        int((~alive).sum()),
    )


def _column(names: dict[str, str], synonyms: Sequence[str], role: str) -> str:
    """The column of a role."""
    for synonym in synonyms:
        if synonym in names:
            return names[synonym]
    raise InputError(
        f"the judgements have no column {role}; their columns are {', '.join(names.values())}",
        hint="name the columns query, item and relevance",
        field="judgements",
    )
