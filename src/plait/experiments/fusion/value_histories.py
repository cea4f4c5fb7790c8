"""A model whose histories count by value, among models whose histories do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.data.types import Float32Array, Int32Array
from plait.experiments.models.fit_data import queries_for
from plait.pipeline.stage import Retriever, Scorer, Stage
from plait.pipeline.stage_calls import retrieve_items, score_items

__all__ = ["ValueHistories"]


class ValueHistories(Stage):
    """Asks a fitted model with the histories that it was fitted for.

    Args:
        stage: The fitted model.
        dataset: The data set of the histories.
        event_weights: Weights by event type.
        weight: How interactions count by their value, as for `fit`.
        name: The name of the model.
    """

    def __init__(
        self,
        stage: Stage,
        dataset: Dataset,
        event_weights: dict[str, float],
        *,
        weight: str,
        name: str,
    ) -> None:
        super().__init__(name=name)
        if not isinstance(stage, Retriever) or not isinstance(stage, Scorer):
            raise TypeError(f"{name} neither retrieves nor scores")
        self._stage = stage
        self._dataset = dataset
        self._event_weights = event_weights
        self._weight = weight
        self.fusion_defaults = stage.fusion_defaults  # type: ignore[misc]  # of the class: a wrapper has those of its stage

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """Retrieve what the model does.

        Args:
            queries: B queries.
            k: The number of candidates a query.
        """
        return retrieve_items(self._stage, self._by_value(queries), k)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Score as the model does.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, K]; -1 is padding.
        """
        return score_items(self._stage, self._by_value(queries), numbers)

    def _by_value(self, queries: QueryBatch) -> QueryBatch:
        """The queries with histories whose events count by their value."""
        weights, weight = self._event_weights, self._weight
        by_value = queries_for(self._dataset, queries.users, weights, weight).history
        history = queries.history
        places = np.arange(len(history.items)) - history.offsets[history.rows]
        is_known = places < by_value.lengths[history.rows]  # the others are of the query alone
        by_query = history.weights.copy()
        by_query[is_known] = by_value.weights
        return replace(queries, history=replace(history, weights=by_query))
