"""Item vectors of another system as a model: a user is the mean of the items of the history."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import polars as pl

from plait.data.array_types import Float32Array, Int32Array
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.errors import InputError
from plait.features.sparse_rows import decayed_history
from plait.features.vector_math import dot_products, l2_normalize
from plait.ingest.list_frames import parse_id_column
from plait.models.external.table_files import read_table
from plait.models.sequential.history_explanation import nearest_history_item
from plait.models.sequential.item_embedding_table import ItemVectors
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.full_catalogue_scorer import DenseScorer
from plait.pipeline.search_space import Range, tunable
from plait.utils.npz_files import read_npz

__all__ = ["Vectors", "VectorsConfig", "checked_vectors"]


@dataclass(frozen=True, slots=True)
class VectorsConfig:
    """Settings of `vectors`."""

    path: str = ""
    """An .npz file of the arrays ids and vectors, or a Parquet file of the columns item and vector
    (lists of numbers); empty: no vectors."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """The score: the cosine of user and item, or the product of their vectors."""
    basket_decay: float = tunable(1.0, Range(0.2, 1.0), Limit(least=0, most=1))
    """The weight of a basket of the history relative to the one after it."""
    max_baskets: int = bounded_field(0, Limit(least=0))
    """Baskets of the history that are read; 0: all."""


class Vectors(DenseScorer[VectorsConfig]):
    """Scores an item by the similarity of its vector to the mean over the history.

    The vectors come from the file of the settings or, in Python, from `with_vectors`. NaN stands
    for items without a vector and histories without an item that has one.
    """

    Config = VectorsConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_items": Float32Array}

    def __init__(self, config: VectorsConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._items: Float32Array = np.zeros((0, 1), np.float32)
        """float32 [n, D]; NaN for items without a vector; of length 1 for the cosine."""
        self._listed: tuple[Sequence[str], Float32Array] | None = None

    def with_vectors(self, ids: Sequence[str], vectors: Float32Array) -> Self:
        """Return this stage with arrays that the next fit reads in place of the file.

        Args:
            ids: N ids of items.
            vectors: float32 [N, D].
        """
        stage = copy.copy(self)
        stage._listed = ids, vectors
        return stage

    def clone(self) -> Self:
        stage = super().clone()
        stage._listed = self._listed
        return stage

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Look up the numbers of the items that have a vector.

        Args:
            dataset: The data set.
            seed: Ignored.

        Returns:
            A new stage.

        Raises:
            InputError: If the file cannot be read, or has no such arrays.
        """
        fitted = self.clone()
        listed = self._listed
        if listed is None and self.config.path:
            listed = _read_vectors(self.config.path, f"{self.name}.path")
        ids, vectors = ((), np.zeros((0, 1), np.float32)) if listed is None else listed
        numbers = dataset.catalogue.numbers(ids)
        known = numbers >= 0
        fitted._items = np.full((dataset.n_items, vectors.shape[1]), np.nan, np.float32)
        fitted._items[numbers[known]] = self._scaled(vectors[known])
        return fitted

    def score_all(self, queries: QueryBatch) -> Float32Array:
        return dot_products(self.user_vectors(queries), self._items)

    def item_vectors(self) -> Float32Array:
        """Return the vectors of the items of the fit, float32 [n, D]; NaN for unknown items."""
        return self._items

    def user_vectors(self, queries: QueryBatch) -> Float32Array:
        """Return the means of histories.

        Args:
            queries: B queries.

        Returns:
            float32 [B, D]; NaN without an item that has a vector. A score is their product with
            `item_vectors`.
        """
        history = decayed_history(
            queries.effective_history,
            self.config.basket_decay,
            len(self._items),
            self.config.max_baskets,
        )
        known = history.where(~np.isnan(self._items[history.columns, 0]))
        totals = np.bincount(known.rows, known.weights, minlength=len(known))
        means = known.projected(self._items) / np.where(totals > 0, totals, np.nan)[:, None]
        return self._scaled(means.astype(np.float32))

    def explain(self, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
        items = ItemVectors(np.nan_to_num(self._items), ~np.isnan(self._items[:, 0]))
        return nearest_history_item(queries.effective_history, items, numbers)

    def _scaled(self, vectors: Float32Array) -> Float32Array:
        return vectors if self.config.similarity == "dot" else l2_normalize(vectors)


def checked_vectors(ids: Any, vectors: Any, name: str) -> tuple[list[str], Float32Array]:
    """Check ids and their vectors.

    Args:
        ids: N ids of items, by the rules of `plait ingest`.
        vectors: Numbers [N, D].
        name: What messages call the source.

    Returns:
        The ids as strings, and the vectors as float32 [N, D].

    Raises:
        InputError: If the shapes differ, an id is repeated, or a number is not finite.
    """
    items = parse_id_column(ids, "item", name).to_list()
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
            array = np.asarray(vectors, np.float32)
    except (TypeError, ValueError, OverflowError) as problem:
        message = f"{name}: the vectors are no numbers of one length: {problem}"
        raise InputError(message, field="vectors") from problem
    if array.ndim != 2 or len(array) != len(items) or not array.shape[1]:
        message = f"{name}: {len(items)} ids and vectors of shape {array.shape}, expected [N, D]"
        raise InputError(message, hint="one row for each id", field="vectors")
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        message = f"{name}: the vector of {items[row]!r} has a number that is not finite"
        raise InputError(message, field="vectors")
    if len(set(items)) < len(items):
        repeated = next(item for item in items if items.count(item) > 1)
        message = f"{name}: item {repeated!r} has several vectors"
        raise InputError(message, hint="pass one for each item", field="ids")
    return items, array


def _read_vectors(path: str, field: str) -> tuple[list[str], Float32Array]:
    if Path(path).suffix.lower() == ".npz":
        try:
            arrays = read_npz(Path(path))
            return checked_vectors(arrays["ids"], arrays["vectors"], field)
        except (OSError, KeyError, ValueError) as problem:
            message = f"{field}: cannot read ids and vectors from {path}: {problem}"
            raise InputError(message, field=field) from problem
    table = read_table(path, field)
    if not {"item", "vector"} <= set(table.columns):
        message = f"{field}: {path} has the columns {', '.join(table.columns)}"
        raise InputError(message, hint="it needs item and vector", field=field)
    vectors = table["vector"]
    if not isinstance(vectors.dtype, pl.List | pl.Array):
        message = f"{field}: vector in {path} is {vectors.dtype}, expected lists of numbers"
        raise InputError(message, field=field)
    return checked_vectors(table["item"], vectors.to_list(), field)
