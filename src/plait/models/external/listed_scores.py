"""Scores or lists of another system as a model: looked up by user and item, never computed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from scipy import sparse

from plait.data.array_types import Float32Array
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.errors import InputError
from plait.features.sparse_rows import take_rows
from plait.ingest.list_frames import list_table, read_lists, score_column
from plait.models.external.score_order import ordered_float32
from plait.models.external.table_files import read_table
from plait.pipeline.full_catalogue_scorer import DenseScorer

__all__ = ["Given", "GivenConfig", "score_lists"]


@dataclass(frozen=True, slots=True)
class GivenConfig:
    """Settings of `given`."""

    path: str = ""
    """A Parquet or CSV file with the columns user, item and score or rank; empty: no scores."""


class Given(DenseScorer[GivenConfig]):
    """Scores the pairs of a user and an item that a table lists; all others are NaN.

    The table comes from the file of the settings or, in Python, from `with_lists`. It is read at
    the fit; users and items that the data set does not have are left out.
    """

    Config = GivenConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_scores": sparse.csr_matrix}

    def __init__(self, config: GivenConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._scores = sparse.csr_matrix((0, 0), dtype=np.float32)
        self._lists: pl.DataFrame | None = None

    def with_lists(self, lists: pl.DataFrame) -> Self:
        """Return this stage with a frame that the next fit reads in place of the file.

        Args:
            lists: The columns user and item (strings) and score, as `score_lists` returns them.
        """
        stage = copy.copy(self)
        stage._lists = lists
        return stage

    def clone(self) -> Self:
        stage = super().clone()
        stage._lists = self._lists
        return stage

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Look up the numbers of the users and items of the table.

        Args:
            dataset: The data set.
            seed: Ignored.

        Returns:
            A new stage.

        Raises:
            InputError: If the file cannot be read, or has no such columns.
        """
        fitted = self.clone()
        lists = self._lists
        if lists is None and self.config.path:
            field = f"{self.name}.path"
            lists = score_lists(read_table(self.config.path, field), field)
        shape = (dataset.n_users, dataset.n_items)
        fitted._scores = sparse.csr_matrix(shape, dtype=np.float32)
        if lists is not None:
            users = dataset.users.numbers(lists["user"])
            items = dataset.catalogue.numbers(lists["item"])
            known = (users >= 0) & (items >= 0)
            users, items = users[known], items[known]
            scores = ordered_float32(users, lists["score"].to_numpy()[known])
            fitted._scores = sparse.csr_matrix((scores, (users, items)), shape=shape)
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        n_users, n_items = self._scores.shape
        dense = np.full((len(queries), n_items), np.nan, np.float32)
        listed = np.flatnonzero((queries.users >= 0) & (queries.users < n_users))
        rows = take_rows(self._scores, queries.users[listed])
        dense[listed[rows.rows], rows.columns] = rows.weights
        return dense


def score_lists(source: Any, name: str) -> pl.DataFrame:
    """Read scores, or lists whose ranks become scores.

    Args:
        source: As for `plait.ingest.list_frames.read_lists`.
        name: What messages call the source.

    Returns:
        The columns user, item and score (float64). Without scores the n-th item of a user has the
        score 1 / n.

    Raises:
        InputError: As for `read_lists`, or if a score is infinite.
    """
    table = list_table(source, name)
    has_scores = score_column(table) is not None
    if has_scores:  # they say more than ranks
        table = table.drop([column for column in table.columns if column.lower() == "rank"])
    lists = read_lists(table, name)
    if not lists["score"].is_finite().all():
        raise InputError(f"{name} has an infinite score", field="score")
    if not has_scores:
        rank = pl.col("score").rank("min", descending=True).over("user")
        lists = lists.with_columns(score=1 / rank.cast(pl.Float64))
    return lists
