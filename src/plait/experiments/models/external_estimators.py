"""Models of scores and vectors that other systems computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from plait.data import dataset as arrays
from plait.experiments.models.estimator import Estimator
from plait.models.external.listed_scores import Given as GivenStage
from plait.models.external.listed_scores import score_lists
from plait.models.external.listed_vectors import Vectors as VectorsStage
from plait.models.external.listed_vectors import checked_vectors
from plait.pipeline.array_files import read_arrays, read_strings, write_arrays, write_strings
from plait.pipeline.stage import Stage

__all__ = ["Given", "Vectors"]


class Given(Estimator):
    """Scores or lists of another system, looked up by user and item; nothing is learned.

    Pairs that are not listed have no score. Users and items that the training data does not have
    are left out. Scores are rounded to float32; two scores of a user that differ still do then.

    Args:
        lists: A frame (polars, pandas, pyarrow, a dictionary of columns) with the columns user,
            item and score, larger being better, or rank; or a mapping of user to a list of items.
            The n-th item of a user has the score 1 / n where there are no scores.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays(["ann", "bob"], ["lamp", "mug"])
        >>> model = models.Given({"ann": ["mug", "lamp"], "bob": ["lamp"]})
        >>> model.fit(train).recommend(k=1)["item"].to_list()
        ['mug', 'lamp']
    """

    stage_name = "given"
    data_names = ("lists",)

    def __init__(self, lists: Any) -> None:
        self._lists = score_lists(lists, "lists")
        is_read_once = any(
            isinstance(part, Iterator)
            for part in (lists, *(lists.values() if isinstance(lists, Mapping) else ()))
        )
        self._store({"lists": self._lists if is_read_once else lists})

    def stage(self, *, weight: str | None = None) -> Stage:
        stage = super().stage(weight=weight)
        assert isinstance(stage, GivenStage)
        return stage.with_lists(self._lists)

    def load_stage(self, folder: Path, *, weight: str | None = None) -> Stage:
        stage = super().load_stage(folder, weight=weight)
        assert isinstance(stage, GivenStage)
        return stage.with_lists(self._lists)

    def check_data(self, train: arrays.Dataset) -> None:
        """Accept any data: nothing is learned.

        Args:
            train: The training data.
        """

    def write_data(self, folder: Path) -> None:
        self._lists.write_parquet(folder / "lists.parquet")

    @classmethod
    def read_data(cls, folder: Path) -> dict[str, Any]:
        return {"lists": pl.read_parquet(folder / "lists.parquet")}


class Vectors(Estimator):
    """Item vectors of one's own; a user is the mean of the items of the history.

    Under `fit(weight="value")` the mean is weighted by the values.

    Args:
        ids: N ids of items.
        vectors: Numbers [N, D], such as embeddings of texts or images.
        similarity: The score: "cosine", or "dot" for the product of the vectors.
        basket_decay: The weight of a basket of the history relative to the one after it; 1: all
            count the same.
        max_baskets: How many of the newest baskets are read; 0: all.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays(["ann", "bob", "eve"], ["lamp", "mug", "bulb"])
        >>> model = models.Vectors(["lamp", "bulb", "mug"], [[1, 0], [0.9, 0.1], [0, 1]])
        >>> model.fit(train).similar(["lamp"], k=1)["similar"].to_list()
        ['bulb']
    """

    stage_name = "vectors"
    weight_settings = MappingProxyType({})
    data_names = ("ids", "vectors")

    def __init__(
        self,
        ids: Any,
        vectors: Any,
        *,
        similarity: str = "cosine",
        basket_decay: float = 1.0,
        max_baskets: int = 0,
    ) -> None:
        self._ids, self._array = checked_vectors(ids, vectors, "Vectors")
        self._store(
            {
                "ids": self._ids if isinstance(ids, Iterator) else ids,
                "vectors": vectors,
                "similarity": similarity,
                "basket_decay": basket_decay,
                "max_baskets": max_baskets,
            }
        )

    def stage(self, *, weight: str | None = None) -> Stage:
        stage = super().stage(weight=weight)
        assert isinstance(stage, VectorsStage)
        return stage.with_vectors(self._ids, self._array)

    def load_stage(self, folder: Path, *, weight: str | None = None) -> Stage:
        stage = super().load_stage(folder, weight=weight)
        assert isinstance(stage, VectorsStage)
        return stage.with_vectors(self._ids, self._array)

    def check_data(self, train: arrays.Dataset) -> None:
        """Accept any data: nothing is learned.

        Args:
            train: The training data.
        """

    def write_data(self, folder: Path) -> None:
        write_strings(folder / "ids.json", self._ids)
        write_arrays(folder / "vectors.safetensors", {"vectors": self._array})

    @classmethod
    def read_data(cls, folder: Path) -> dict[str, Any]:
        arrays = read_arrays(folder / "vectors.safetensors")
        return {"ids": read_strings(folder / "ids.json"), "vectors": arrays.get("vectors")}
