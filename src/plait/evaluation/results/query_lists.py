"""The lists of an evaluation, query by query, with ids and all metrics, as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plait.data.array_types import Float64Array, Int32Array, Int64Array
from plait.data.ragged import Ragged
from plait.data.types import Dataset
from plait.errors import InputError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["QueryLists"]


@dataclass(frozen=True, slots=True, eq=False)
class QueryLists:
    """What each row listed for Q queries.

    Attributes:
        user_ids: The ids of the users by number.
        item_ids: The ids of the items by number.
        users: int64 [Q], the user number of each query.
        windows: The first day of the test window of each query; empty for a single window.
        targets: The target items of each query.
        items: int32 [Q, K] by row of the report, item numbers, padded with -1.
        metrics: float64 [Q] by row and metric.
    """

    user_ids: Sequence[str]
    item_ids: Sequence[str]
    users: Int64Array
    windows: Sequence[str]
    targets: Ragged
    items: Mapping[str, Int32Array]
    metrics: Mapping[str, Mapping[str, Float64Array]]

    @staticmethod
    def of(
        dataset: Dataset,
        users: Sequence[Int32Array],
        targets: Sequence[Ragged],
        windows: Sequence[str],
        items: Mapping[str, Int32Array],
        metrics: Mapping[str, Mapping[str, Float64Array]],
    ) -> QueryLists:
        """Put the queries of all windows together.

        Args:
            dataset: The data set, for the ids.
            users: int32 [Q of the window] by window.
            targets: The targets of the queries by window.
            windows: The first day of each window, "" for a single one.
            items: int32 [Q, K] by row.
            metrics: float64 [Q] by row and metric.

        Returns:
            The lists of all queries, oldest window first.
        """
        lengths = np.concatenate([window.lengths for window in targets])
        values = np.concatenate([window.values for window in targets])
        names = [
            name for name, window in zip(windows, users, strict=True) for _ in range(len(window))
        ]
        return QueryLists(
            dataset.users.ids,
            dataset.catalogue.ids,
            np.concatenate(users).astype(np.int64),
            names if any(windows) else [],
            Ragged.from_lengths(values, lengths),
            items,
            metrics,
        )

    def to_frame(self, model: str) -> pl.DataFrame:
        """Return one row of the report, query by query.

        Args:
            model: The name of the row.

        Returns:
            The columns user, window (under several windows), items and targets (lists of ids), and
            one for each metric.

        Raises:
            InputError: If there is no such row.
        """
        import polars as pl

        if model not in self.items:
            raise InputError(
                f"no row {model!r}", hint=f"there are {', '.join(self.items)}", field="model"
            )
        ids = pl.Series(list(self.user_ids), dtype=pl.String)
        columns = {"user": ids.gather(self.users)}
        if self.windows:
            columns["window"] = pl.Series(self.windows)
        numbers = self.items[model]
        lengths = (numbers >= 0).sum(axis=1)
        columns["items"] = self._id_lists(numbers[numbers >= 0], lengths)
        columns["targets"] = self._id_lists(self.targets.values, self.targets.lengths)
        values = {name: pl.Series(column) for name, column in self.metrics[model].items()}
        return pl.DataFrame({**columns, **values})

    def _id_lists(self, numbers: Int32Array, lengths: Int64Array) -> pl.Series:
        """Lists of ids from flat item numbers."""
        import polars as pl

        ids = pl.Series(list(self.item_ids), dtype=pl.String).gather(numbers)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        lists = (
            pl.DataFrame({"row": rows, "id": ids}).group_by("row", maintain_order=True).agg("id")
        )
        all_rows = pl.DataFrame({"row": np.arange(len(lengths))})
        joined = all_rows.join(lists, on="row", how="left", maintain_order="left")["id"]
        return joined.fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
