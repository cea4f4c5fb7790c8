"""A fitted pipeline as a single model: it retrieves and scores as its fusion does."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.data.types import ABSENT, BoolArray, Float32Array, Int32Array
from plait.evaluation.ranking.rank_queries import final_scores
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import Scorer, Stage
from plait.ranking.final_order import Policy

__all__ = ["PipelineStage"]


class PipelineStage(Stage):
    """The models and the fusion of a pipeline as one model.

    The score of an item is its fused score among the candidates that the models retrieve. An item
    that is no candidate is scored as one more candidate: its score does not depend on other items
    that are scored in the same call.

    Args:
        pipeline: The fitted pipeline; one of its steps writes `score`.
        without_seen: Whether seen items are no candidates where nothing was retrieved before.
        name: The name of the model.
    """

    def __init__(
        self, pipeline: Pipeline, *, without_seen: bool = True, name: str = "pipeline.fused"
    ) -> None:
        super().__init__(name=name)
        self.pipeline = pipeline
        self.without_seen = without_seen

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """Retrieve the candidates with the largest fused scores.

        Args:
            queries: B queries.
            k: The number of items a query.
        """
        ranked = self._answer(queries, k).ranked
        if "order" not in ranked.columns:
            ranked = Policy().apply(replace(queries, k=k), ranked)
        order = ranked.column("order")
        rows, columns = np.nonzero((order >= 0) & ~np.isnan(ranked.column("score")))
        numbers = np.full((len(order), min(k, order.shape[1])), ABSENT, np.int32)
        numbers[rows, order[rows, columns]] = ranked.item_numbers[rows, columns]
        return CandidateLists(numbers)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Return the fused scores of items.

        Args:
            queries: B queries.
            numbers: Item numbers, int32 [B, M]; -1 is padding.

        Returns:
            float32 [B, M]; NaN for padding and where no model scores the item.
        """
        if self.without_seen and queries.blocked is None and self.name not in queries.cache:
            queries = replace(queries, blocked=queries.seen)
        answer = self._answer(queries, 1)
        fused_scores = answer.ranked.column("score")
        scores = np.full(numbers.shape, np.nan, np.float32)
        is_outside = np.zeros(numbers.shape, np.bool_)
        for column in range(numbers.shape[1]):
            item = numbers[:, column, None]
            is_item = (answer.candidates.item_numbers == item) & (item >= 0)
            rows, places = np.nonzero(is_item)
            scores[rows, column] = fused_scores[rows, places]
            is_outside[:, column] = (item[:, 0] >= 0) & ~is_item.any(axis=1)
        if is_outside.any():
            others = self._outside_scores(answer, numbers, is_outside)
            scores = np.where(is_outside, others, scores)
        return scores

    def _answer(self, queries: QueryBatch, k: int) -> _Answer:
        """The candidates of a batch, once for retrieval and scores."""
        answer = queries.cache.get(self.name)
        if not isinstance(answer, _Answer):
            depth = max(k, self.pipeline.recipe.candidates_per_model)
            recipe = replace(self.pipeline.recipe, candidates_per_model=depth)
            limited = _limited(self.pipeline, replace(queries, k=k))
            candidates = replace(self.pipeline, recipe=recipe).retrieve_and_score(limited)
            answer = _Answer(limited, candidates, self._ranked(limited, candidates))
            queries.cache[self.name] = answer
        return answer

    def _ranked(self, queries: QueryBatch, candidates: CandidateLists) -> CandidateLists:
        """Candidates behind all steps; the score of the only model where no step writes one."""
        ranked = self.pipeline.rerank(queries, candidates)
        return ranked.with_columns(score=final_scores(ranked, self.pipeline))

    def _outside_scores(
        self, answer: _Answer, numbers: Int32Array, is_outside: BoolArray
    ) -> Float32Array:
        """Fused scores, float32 [B, M]: each item as one more candidate; NaN where in the list."""
        model_scores = {
            f"{model.name}.score": model.score(answer.queries, numbers)
            for model in self.pipeline.models
            if isinstance(model, Scorer)
        }
        fused_scores = np.full(numbers.shape, np.nan, np.float32)
        for column in np.flatnonzero(is_outside.any(axis=0)).tolist():
            item = np.where(is_outside[:, column], numbers[:, column], ABSENT)[:, None]
            longer = answer.candidates.with_more(item.astype(np.int32))
            for name, scores in model_scores.items():
                longer.column(name)[:, -1] = scores[:, column]
            fused_scores[:, column] = self._ranked(answer.queries, longer).column("score")[:, -1]
        return fused_scores


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """What a pipeline answers a batch: its limits, the scored candidates, and behind all steps."""

    queries: QueryBatch
    candidates: CandidateLists
    ranked: CandidateLists


def _limited(pipeline: Pipeline, queries: QueryBatch) -> QueryBatch:
    """Queries with the rules of a recipe; which seen items may return is said by the queries."""
    every = np.ones(len(queries), np.bool_)
    limited = pipeline.limit(replace(queries, keep_seen=every))
    if limited.blocked is queries.blocked and limited.mask is queries.mask:
        return queries
    blocked, mask = limited.blocked, limited.mask
    if queries.blocked is not None:
        blocked = queries.blocked if blocked is None else queries.blocked.hstack(blocked)
    if queries.mask is not None:
        mask = queries.mask if mask is None else queries.mask & mask
    return replace(limited, blocked=blocked, mask=mask)
