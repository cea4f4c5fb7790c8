"""A data set for experiments: read from files or frames, filtered, and turned into frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import BoolArray, Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.eventlog.snapshot import snapshot
from plait.experiments.data import splits
from plait.experiments.data.dataset_sources import check_columns, log_of_sources
from plait.experiments.data.dataset_summary import html_table, summary_text
from plait.utils.number_arguments import whole_number

if TYPE_CHECKING:
    import polars as pl

    from plait.ingest import FileKind

__all__ = ["Dataset"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset(arrays.Dataset):
    """An immutable data set; every method returns a new one with the same numbers.

    Users and items are known by their ids, as strings, exactly as `plait ingest` stores them.

    Example:
        >>> import plait
        >>> baskets = {"ann": ["lamp", "bulb"], "bob": ["lamp", "bulb"], "eve": ["mug"]}
        >>> pairs = [(user, item) for user, items in baskets.items() for item in items]
        >>> data = plait.Dataset.from_arrays(*zip(*pairs))
        >>> data
        Dataset: 3 users, 3 items, 5 view
        >>> train, test = data.split_last()
        >>> test.to_frame()["item"].to_list()
        ['bulb', 'bulb']
    """

    @classmethod
    def of(
        cls,
        events: Any,
        *,
        items: Any = None,
        users: Any = None,
        facts: Any = None,
        mapping: Any = None,
    ) -> Self:
        """Read a data set from files or frames, by the rules of `plait ingest`.

        Args:
            events: The interactions: a path, a polars, pandas or pyarrow frame, a dictionary of
                columns, dictionaries, or a list of paths or frames. Columns are recognised by
                their names.
            items: The catalogue, likewise; None for none.
            users: Fields of users, likewise.
            facts: Triples of a knowledge graph, likewise.
            mapping: The meaning of columns whose names do not show it, as for `plait ingest`.

        Returns:
            The data set. Rows that cannot be read are left out with a warning.

        Raises:
            InputError: If `events` is None, a source is empty or not a table, or no row can be
                read.
            MappingError: If the columns cannot be recognised.

        Example:
            >>> import plait
            >>> events = {"userId": [1, 1, 2], "movieId": [7, 8, 7], "rating": [4.5, 3, 5]}
            >>> plait.Dataset.of(events, items=[{"movieId": 7, "title": "Heat"}])
            Dataset: 2 users, 2 items, 3 rating
            item fields title
        """
        sources: Mapping[FileKind, Any] = {
            "items": items,
            "users": users,
            "events": events,
            "facts": facts,
        }
        return cls.from_snapshot(snapshot(log_of_sources(sources, mapping)))

    @classmethod
    def from_arrays(
        cls,
        users: Iterable[Any],
        items: Iterable[Any],
        times: Iterable[Any] | None = None,
        *,
        values: Iterable[Any] | None = None,
        event_types: Iterable[str] | None = None,
    ) -> Self:
        """Build a data set of N interactions from columns, by the rules of `of`.

        Args:
            users: N ids.
            items: N ids.
            times: N times: datetimes, ISO 8601 texts or unix numbers; None: none has a time.
            values: N numbers, such as ratings; None: none has a value.
            event_types: N event types; None: "rating" if there are values, else "view".

        Returns:
            The data set.

        Raises:
            InputError: If the columns have unequal lengths.

        Example:
            >>> import plait
            >>> plait.Dataset.from_arrays(["ann", "bob"], ["mug", "mug"], values=[5, 3])
            Dataset: 2 users, 1 items, 2 rating
        """
        check_columns(users=users, items=items)
        value_name = "rating" if event_types is None else "value"
        optional = {"time": times, value_name: values, "kind": event_types}
        columns = {"user": users, "item": items}
        columns |= {name: column for name, column in optional.items() if column is not None}
        is_array = {name: hasattr(column, "dtype") for name, column in columns.items()}
        return cls.of(
            {name: column if is_array[name] else list(column) for name, column in columns.items()}
        )

    @classmethod
    def from_snapshot(cls, dataset: arrays.Dataset) -> Self:
        """Return a snapshot of a log as a data set for experiments; no array is copied.

        Args:
            dataset: The snapshot.
        """
        return cls(**{part.name: getattr(dataset, part.name) for part in fields(arrays.Dataset)})

    @property
    def user_ids(self) -> list[str]:
        """The ids of the users with interactions, by number."""
        return [self.users.id(number) for number in np.unique(self.interactions.users).tolist()]

    @property
    def item_ids(self) -> list[str]:
        """The ids of the items with interactions, by number."""
        return [self.catalogue.id(number) for number in np.unique(self.interactions.items).tolist()]

    def __len__(self) -> int:
        return len(self.interactions)

    def filter(self, condition: str | pl.Expr | Callable[[pl.DataFrame], Any] | Any) -> Self:
        """Keep the interactions that meet a condition.

        A mask is in the order of `to_frame`, by user and time. The rows of the table that was
        read had another order: a split of your own comes with `matching`.

        Args:
            condition: An expression over the columns of `to_frame`: a polars expression, the text
                of one in SQL such as "value >= 4" or "time >= '2024-01-31'", a function of the
                frame that returns a mask, or a mask bool [N].

        Returns:
            The data set; users and items that lose all their interactions go.

        Raises:
            InputError: If the condition does not give one boolean for each interaction, or is a
                pandas Series: its rows are those of another frame.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann", "bob"], ["mug", "mug"], values=[5, 3])
            >>> data.filter("value >= 4").user_ids
            ['ann']
        """
        return self._only(splits.condition_mask(self.to_frame(), condition))

    def matching(self, table: Any) -> Self:
        """Keep the interactions that a table lists: a part of a split of your own.

        Args:
            table: As the events of `of`; rows match by user, item, time where both have times, and
                kind where the table has kinds of this data set.

        Returns:
            The data set; users and items stay, as in other splits.

        Raises:
            InputError: If rows match no interaction, or more different ones than there are rows.

        Example:
            >>> import plait
            >>> rows = {"user": ["ann", "ann", "bob"], "item": ["mug", "cup", "mug"]}
            >>> test = {"user": ["ann"], "item": ["cup"]}
            >>> plait.Dataset.of(rows).matching(test).item_ids
            ['cup']
        """
        other = type(self).of(table)
        return self.keep(splits.matching_mask(self.to_frame(), other.to_frame()))

    def kcore(self, least: int = 5, *, users: int | None = None, items: int | None = None) -> Self:
        """Keep users and items with enough interactions, repeated until all have enough.

        Args:
            least: The fewest interactions of a user and of an item.
            users: The fewest of a user; None: `least`.
            items: The fewest of an item; None: `least`.

        Returns:
            The data set; users and items outside the core go, also those of `users=` and `items=`
            that have no interactions: models do not recommend them, and `coverage` divides by the
            items of the core.

        Raises:
            InputError: If a number is not whole.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann", "bob", "bob"], ["mug", "mug", "cup"])
            >>> data.kcore(1, items=2).item_ids
            ['mug']
        """
        least = whole_number(least, "least", least=0)
        least_users = least if users is None else whole_number(users, "users", least=0)
        least_items = least if items is None else whole_number(items, "items", least=0)
        core = self._only(splits.kcore_mask(self.interactions, least_users, least_items))
        return replace(
            core,
            users=_with_alive(core.users, core.interactions.users),
            catalogue=_with_alive(core.catalogue, core.interactions.items),
        )

    def sample(self, *, users: int | float, seed: int = 0) -> Self:
        """Draw users, with all their interactions.

        Args:
            users: How many, or a share below 1.
            seed: The seed of the draw.

        Returns:
            The data set; users that are not drawn go, items stay.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann", "bob", "eve"], ["mug", "mug", "cup"])
            >>> len(data.sample(users=2, seed=1).user_ids)
            2
        """
        drawn = splits.drawn_users(self, users, "users", seed)
        return self.keep(drawn[self.interactions.users])

    def split_last(self, n: int = 1, *, size: int = 1) -> tuple[Self, ...]:
        """Split by position: the last interactions of every user, in n parts.

        Without times they are the last rows: look how these are sorted.

        Args:
            n: How many parts are held out: 1 gives train and test, 2 train, validation and test.
            size: How many interactions of a user each of them has.

        Returns:
            n + 1 data sets, train first. Users with n * size interactions or fewer are in train
            alone.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann"] * 3, ["mug", "cup", "pot"], [1, 2, 3])
            >>> [part.item_ids for part in data.split_last(2)]
            [['mug'], ['cup'], ['pot']]
        """
        n, size = whole_number(n, "n", least=1), whole_number(size, "size", least=1)
        return self._parts(splits.last_parts(self.interactions, n, size), n + 1)

    def split_time(self, *cuts: float | str | datetime) -> tuple[Self, ...]:
        """Split by time.

        Args:
            cuts: Ascending times, or shares of the interactions between 0 and 1, oldest first.

        Returns:
            One data set more than there are cuts: before the first, from it to the next, ...

        Raises:
            InputError: If interactions have no times, or cuts do not ascend.

        Example:
            >>> import plait
            >>> days = ["2024-01-01", "2024-02-01", "2024-03-01"]
            >>> data = plait.Dataset.from_arrays(["ann"] * 3, ["mug", "cup", "pot"], days)
            >>> [len(part) for part in data.split_time("2024-02-15")]
            [2, 1]
        """
        return self._parts(splits.time_parts(self, cuts), len(cuts) + 1)

    def split_random(
        self, share: float = 0.2, *, by: str = "user", seed: int = 0
    ) -> tuple[Self, Self]:
        """Split at random.

        Args:
            share: The share of the interactions in the second part.
            by: "user": of every user this share, rounded down; "event": of all interactions.
            seed: The seed of the draw.

        Returns:
            Train and test.

        Raises:
            InputError: If `share` does not lie between 0 and 1, or `by` is unknown.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann"] * 5, ["mug", "cup", "pot", "jar", "jug"])
            >>> [len(part) for part in data.split_random(0.4, seed=1)]
            [3, 2]
        """
        train, test = self._parts(splits.random_parts(self, share, by, seed), 2)
        return train, test

    def split_users(self, share: float = 0.2, *, seed: int = 0) -> tuple[Self, Self]:
        """Split users: those of the second part are in no way in the first.

        Args:
            share: The share of the users in the second part, or how many from 1 on.
            seed: The seed of the draw.

        Returns:
            The data sets of the other and of the drawn users.
        """
        drawn = splits.drawn_users(self, share, "share", seed)
        train, test = self._parts(drawn[self.interactions.users].astype(np.int64), 2)
        return train, test

    def to_frame(self) -> pl.DataFrame:
        """Return the interactions as a polars frame.

        Returns:
            The columns user, item, kind, time (UTC; absent without times) and value (absent
            without values), ordered by user and time.

        Example:
            >>> import plait
            >>> data = plait.Dataset.from_arrays(["ann", "bob"], ["mug", "cup"])
            >>> data.to_frame().to_dicts()[0]
            {'user': 'ann', 'item': 'mug', 'kind': 'view'}
        """
        import polars as pl

        events = self.interactions
        columns: dict[str, Any] = {
            "user": pl.Series(self.users.ids, dtype=pl.String).gather(events.users),
            "item": pl.Series(self.catalogue.ids, dtype=pl.String).gather(events.items),
            "kind": pl.Series(self.event_types, dtype=pl.String).gather(events.event_types),
        }
        if self.clock == "time":
            columns["time"] = pl.Series(events.times).cast(pl.Datetime("us", "UTC"))
        if not np.isnan(events.values).all():
            columns["value"] = pl.Series(events.values).fill_nan(None)
        return pl.DataFrame(columns)

    def _only(self, mask: BoolArray) -> Self:
        """The interactions of a mask; users and items that lose all of theirs are not alive."""
        selected = self.keep(mask)
        before, after = self.interactions, selected.interactions
        users, items = (
            replace(catalogue, alive=catalogue.alive & ~_lost(old, new, len(catalogue)))
            for catalogue, old, new in (
                (self.users, before.users, after.users),
                (self.catalogue, before.items, after.items),
            )
        )
        return replace(selected, users=users, catalogue=items)

    def _parts(self, parts: Int64Array, count: int) -> tuple[Self, ...]:
        return tuple(self.keep(parts == part) for part in range(count))

    def __repr__(self) -> str:
        return summary_text(self)

    def _repr_html_(self) -> str:
        return html_table(self)


def _with_alive(catalogue: Catalogue, numbers: Int32Array) -> Catalogue:
    """A catalogue of which only some entries are alive."""
    occurs = np.zeros(len(catalogue), np.bool_)
    occurs[numbers] = True
    return replace(catalogue, alive=catalogue.alive & occurs)


def _lost(before: Any, after: Any, size: int) -> BoolArray:
    """bool [size]: numbers that occur in `before` and not in `after`."""
    lost = np.zeros(size, np.bool_)
    lost[before] = True
    lost[after] = False
    return lost
