"""The complete listing of a catalogue: filtered, in a stated order, page by page."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from plait.data.array_types import BoolArray, Float64Array, Int32Array
from plait.data.catalogue import Catalogue
from plait.data.query import Query
from plait.data.query_batch import QueryBatch
from plait.data.state_view import StateView
from plait.errors import InputError
from plait.models.popularity.popular import Popular
from plait.ranking.exclusion_rules import Rules
from plait.ranking.filters.filter_expression import compile_filter
from plait.ranking.item_arrival_times import arrival_times
from plait.ranking.listing_order import Position, SortKeys, field_keys, ordered
from plait.state import LiveState
from plait.utils.timestamps import iso
from plait.workspace.field_serialization import readable_fields
from plait.workspace.listing_query import Cursor, ListQuery, parse_list_query
from plait.workspace.live_model import LiveModel
from plait.workspace.loaded_model import LoadedModel
from plait.workspace.query_encoding import encode_queries

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ListedItem", "Listing", "ListingApi", "ValueCount", "listing"]

MAX_COUNTED_VALUES = 1000
"""How many values of a field are counted one by one, the most frequent ones."""


@dataclass(frozen=True, slots=True)
class ListedItem:
    """One item of a listing.

    Attributes:
        id: The external id.
        fields: Those of the requested fields that the item has.
    """

    id: str
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ValueCount:
    """How many of the listed items have a value.

    Attributes:
        value: The value; None: the items without one.
        count: How many.
    """

    value: str | float | None
    count: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a listing.

    Attributes:
        version: The offset of the last event it knows.
        total: How many items the whole listing has.
        items: The items of this page.
        cursor: What the query for the next page sends; None: this is the last one.
        counts: By field, its values and how many of all listed items have them, frequent ones
            first.
        degraded: What was not as it should be ("stale": the state was behind `at_least`).
    """

    version: int
    total: int
    items: list[ListedItem]
    cursor: str | None
    counts: dict[str, list[ValueCount]] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ids(self) -> list[str]:
        """The external ids alone, in their order."""
        return [item.id for item in self.items]

    def to_dict(self) -> dict[str, Any]:
        """Return the object that HTTP and the command line give out.

        Returns:
            All attributes by name.
        """
        return {
            "version": self.version,
            "total": self.total,
            "items": [{"id": item.id, "fields": item.fields} for item in self.items],
            "cursor": self.cursor,
            "counts": {
                name: [{"value": entry.value, "count": entry.count} for entry in counts]
                for name, counts in self.counts.items()
            },
            "degraded": self.degraded,
        }

    def to_frame(self) -> pl.DataFrame:
        """Return the items of this page as a polars DataFrame.

        Returns:
            `id`, and a column for each field.
        """
        import polars as pl

        rows = [{**item.fields, "id": item.id} for item in self.items]
        frame = pl.DataFrame(rows, infer_schema_length=None, strict=False)
        names = [name for name in frame.columns if name != "id"]
        return frame.select("id", *names) if rows else pl.DataFrame({"id": []}, {"id": pl.String})


def listing(
    query: ListQuery, state: LiveState, model: LoadedModel | None, *, is_fresh: bool = True
) -> Listing:
    """List items.

    Args:
        query: What to list.
        state: The state of the log.
        model: The model whose rules and popularity count; None before the first fit: the rules
            are those of a recipe without settings, and popularity is the number of events.
        is_fresh: Whether the state is as new as the query asks for.

    Returns:
        The page.

    Raises:
        InputError: If the cursor, or a field to sort, return or count, is wrong.
        FilterError: If the filter is wrong.
    """
    catalogue = state.catalogue
    cursor = Cursor.of(query)
    catalogue.check_fields((name for name in query.fields if name != "*"), "fields")
    catalogue.check_fields(query.counts, "counts")
    keys = _sort_keys(query, state, model)
    limited = _limited(query, state, model)
    numbers = np.flatnonzero(_passing(query, catalogue, limited)).astype(np.int32)
    if limited is not None and limited.groups is not None:
        best_first = ordered(numbers, keys, catalogue.tiebreak, descending=query.is_descending)
        _, first = np.unique(limited.groups.of_items(best_first), return_index=True)
        numbers = best_first[np.sort(first)]
    bundle = model.bundle if model is not None else ""
    after = None if cursor is None else cursor.position
    if cursor is not None and query.sort == "popularity" and cursor.bundle != bundle:
        last = catalogue.number(cursor.item)  # counted by another fit, in another unit
        after = after if last < 0 or after is None else replace(after, value=keys.value(last))
    rest = ordered(
        numbers,
        keys,
        catalogue.tiebreak,
        descending=query.is_descending,
        after=after,
        count=query.k + 1,
    )
    page = rest[: query.k].tolist()
    next_cursor = None
    if len(rest) > len(page):
        position = Position(keys.value(page[-1]), int(catalogue.tiebreak[page[-1]]))
        next_cursor = Cursor(position, catalogue.ids[page[-1]], bundle).encode(query)
    return Listing(
        state.version,
        len(numbers),
        [ListedItem(catalogue.ids[number], _fields(query, catalogue, number)) for number in page],
        next_cursor,
        {name: _value_counts(catalogue, name, numbers) for name in query.counts},
        [] if is_fresh else ["stale"],
    )


def _sort_keys(query: ListQuery, state: LiveState, model: LoadedModel | None) -> SortKeys:
    if query.sort == "popularity":
        return SortKeys(_popularity(state, model))
    if query.sort == "newness":
        n_items = len(state.catalogue)
        times = arrival_times(state, sys.maxsize, n_items)
        return SortKeys(np.where(np.isnan(times), np.arange(n_items), times))
    name = query.sort
    if len(name) > 2 and name[0] == name[-1] == "`":  # a field that is called as an order is
        name = name[1:-1]
    if name[:1] in ("-", "+") and name not in state.catalogue.columns:
        order = "desc" if name[0] == "-" else "asc"
        raise InputError(
            f"there is no field {name!r} to sort by",
            hint=f"the direction is a setting of its own: sort {name[1:]}, order {order}",
            field="sort",
        )
    return field_keys(state.catalogue, name)


def _popularity(state: LiveState, model: LoadedModel | None) -> Float64Array:
    """How popular each item is, in a unit that no event on another item changes."""
    n_items = len(state.catalogue)
    models = () if model is None else model.pipeline.models
    popular = next((stage for stage in models if isinstance(stage, Popular)), None)
    counts = state.events.item_counts(n_items) if popular is None else popular.counts(state)
    return np.pad(counts[:n_items].astype(np.float64), (0, max(n_items - len(counts), 0)))


def _limited(query: ListQuery, state: LiveState, model: LoadedModel | None) -> QueryBatch | None:
    """A query under the rules of the recipe, with what they keep back; None where all is listed.

    With `all`, a grouping that the listing itself asks for still holds.
    """
    if query.all and not query.group_by:
        return None
    batch = encode_queries(
        [Query(seen="keep", group_by=query.group_by)], state, StateView(state), {}
    )
    return Rules().limit(batch) if model is None else model.pipeline.limit(batch)


def _passing(query: ListQuery, catalogue: Catalogue, limited: QueryBatch | None) -> BoolArray:
    """The items that are listed, bool [n_items]."""
    passing = catalogue.alive.copy()
    if query.filter:
        passing &= compile_filter(query.filter).mask(catalogue)
    if not query.all and limited is not None and limited.mask is not None:
        passing &= limited.mask[0]
    excluded = catalogue.numbers(query.exclude)
    passing[excluded[excluded >= 0]] = False
    return passing


def _fields(query: ListQuery, catalogue: Catalogue, number: int) -> dict[str, Any]:
    if not query.fields:
        return {}
    fields = readable_fields(catalogue, number)
    if "*" in query.fields:
        return fields
    return {name: fields[name] for name in query.fields if name in fields}


def _value_counts(catalogue: Catalogue, name: str, numbers: Int32Array) -> list[ValueCount]:
    """The values of a field among items, frequent ones first; a set counts for each member."""
    column = catalogue.columns.get(name)
    if column is None:
        return []
    if column.type == "place":
        raise InputError(
            f"counts {name!r} holds places, which are not counted",
            hint="count a field of another type",
            field="counts",
        )
    counts: dict[Any, int] = {}
    for number in numbers.tolist():
        value = column.get(number)
        members = (value or (None,)) if isinstance(value, tuple) else (value,)
        for member in members if column.type == "set" else (value,):
            counts[member] = counts.get(member, 0) + 1
    by_count = sorted(counts.items(), key=lambda entry: (-entry[1], str(entry[0])))
    is_time = column.type == "time"
    return [
        ValueCount(iso(value) if is_time and value is not None else value, count)
        for value, count in by_count[:MAX_COUNTED_VALUES]
    ]


class ListingApi:
    """The listing of a workspace.

    Attributes:
        host: Holds the state and the model.
    """

    host: LiveModel
    _stale_wait: float = 1.0

    def list(
        self,
        filter: str | None = None,  # noqa: A002
        *,
        sort: str = "popularity",
        order: Literal["asc", "desc"] | None = None,
        k: int = 10,
        cursor: str | None = None,
        fields: Iterable[str] = (),
        counts: Iterable[str] = (),
        exclude: Iterable[str] = (),
        group_by: str | None = None,
        all: bool = False,  # noqa: A002
        at_least: int | None = None,
    ) -> Listing:
        """List all items that pass a filter, page by page; needs no fit.

        Args:
            filter: A rule that items must satisfy, such as `category == "lamps"`.
            sort: "popularity", "newness", "id", or a field of the items.
            order: "asc" or "desc"; by default popular and new items first, else ascending.
            k: How many items a page has.
            cursor: The cursor of the page before; None for the first page.
            fields: The fields to return; ["*"] for all.
            counts: Fields whose values are counted over all that is listed.
            exclude: Items that must not come.
            group_by: List one item of each value of this field, the first in the order; "auto": of
                the field that names an item's product; "": all items; None: as the recipe says.
            all: Also list items that the rules of the recipe keep back.
            at_least: Wait until this version of the log is known, for a second at most.

        Returns:
            The page; its `cursor` leads to the next one.

        Raises:
            InputError: If a value of the query is wrong (FilterError for the filter).
        """
        values: dict[str, Any] = {"fields": fields, "counts": counts, "exclude": exclude}
        query = parse_list_query(
            {
                "filter": filter or None,
                "sort": sort,
                "order": order,
                "k": k,
                "cursor": cursor,
                "group_by": group_by,
                "all": all,
                "at_least": at_least,
                **{
                    name: [*value]
                    if isinstance(value, Iterable) and not isinstance(value, str)
                    else value
                    for name, value in values.items()
                },
            }
        )
        return self.run_listing(query)

    def run_listing(self, query: ListQuery, *, is_fresh: bool | None = None) -> Listing:
        """List items for a query that was validated.

        Args:
            query: The query.
            is_fresh: Whether the state has reached `query.at_least`; None: waits for it.

        Returns:
            The page.
        """
        if is_fresh is None:
            is_fresh = query.at_least is None or self.host.wait_for(
                query.at_least, self._stale_wait
            )
        state = self.host.state()
        model = self.host.loaded
        return listing(query, state, model, is_fresh=is_fresh and not self.host.is_behind)
