"""A step that orders the matches of a query by what judged searches, or clicks, teach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.query_batch import QueryBatch
from plait.pipeline.config_validation import Limit, bounded_field
from plait.pipeline.stage import Stage
from plait.ranking.fusion.candidate_columns import scoring_models
from plait.ranking.relevance.relevance_trees import LearnedRelevance
from plait.retrieval.lexical import Lexical
from plait.retrieval.match_features import MATCH_FEATURES

__all__ = ["Relevance", "RelevanceConfig"]

_BEHIND = 1e-3
"""How far, relative to the scores before it, the first candidate behind the ordered ones lies."""


@dataclass(frozen=True, slots=True)
class RelevanceConfig:
    """Settings of `relevance`."""

    depth: int = bounded_field(100, Limit(least=1, most=1000))
    """How many of the best candidates of a search are ordered anew."""
    max_trees: int = bounded_field(300, Limit(least=1, most=5000))
    """The most trees; how many there are follows from queries that were held out."""


class Relevance(Stage[RelevanceConfig]):
    """Orders the items of a query with text by their predicted relevance.

    It learns from `plait fit --judgements` or from clicks after searches; until then scores stay as
    they are. A caller's list of candidates is ordered by the prediction alone, a search of the
    catalogue by the prediction and the fused score.
    """

    Config = RelevanceConfig
    reads = ("score", "*.score")
    writes = ("score",)
    fitted_state: ClassVar[Mapping[str, Any]] = {"_learned": LearnedRelevance | None}

    def __init__(self, config: RelevanceConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._learned: LearnedRelevance | None = None
        self._lexical: Lexical | None = None
        self._held_out_fold = -1

    @property
    def learned(self) -> LearnedRelevance | None:
        """What was learned; None before anything was."""
        return self._learned

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the first model that matches words.

        Args:
            models: The models of the pipeline.
        """
        lexical = next((model for model in models if isinstance(model, Lexical)), None)
        return self if lexical is self._lexical else self._with(self._learned, lexical)

    def with_learned(self, learned: LearnedRelevance | None) -> Self:
        """This step with what was learned.

        Args:
            learned: What was learned; None: scores stay as they are.
        """
        return self._with(learned, self._lexical)

    def holding_out(self, fold: int) -> Self:
        """This step with trees that have not seen the queries of a fold.

        Args:
            fold: The fold; -1: the trees of all queries.
        """
        stage = self._with(self._learned, self._lexical)
        stage._held_out_fold = fold
        return stage

    def _with(self, learned: LearnedRelevance | None, lexical: Lexical | None) -> Self:
        stage = type(self)(self.config, name=self.name)
        stage._learned, stage._lexical = learned, lexical
        stage._held_out_fold = self._held_out_fold
        return stage

    def describe(self) -> dict[str, Any]:
        """Where it learned from, and held-out figures, for reports."""
        learned = self._learned
        if learned is None:
            return {"learned": False}
        figures = {name: round(value, 4) for name, value in learned.figures.items()}
        return {"learned": True, "source": learned.source, "fused": learned.sum_weight, **figures}

    def feature_names(self, items: CandidateLists) -> tuple[str, ...]:
        """List the features of candidates.

        Args:
            items: Candidates, scored by every model.
        """
        matching = MATCH_FEATURES if self._lexical is not None else ()
        return (*matching, *(f"{name}.score" for name in scoring_models(items)))

    def features(
        self, queries: QueryBatch, items: CandidateLists, columns: Int64Array
    ) -> Float32Array:
        """Compute the features of some candidates.

        Args:
            queries: B queries.
            items: Their candidates [B, K], scored by every model.
            columns: The candidates, positions in `items`, int64 [B, D].

        Returns:
            float32 [B, D, F], a feature for each of `feature_names`.
        """
        parts = []
        if self._lexical is not None:
            numbers = np.take_along_axis(items.item_numbers, columns, axis=1)
            parts.append(self._lexical.match_features(queries, numbers))
        for name in scoring_models(items):
            score = items.columns[f"{name}.score"]
            parts.append(np.take_along_axis(score, columns, axis=1)[:, :, None])
        shape = (*columns.shape, 0)
        return np.concatenate([np.zeros(shape, np.float32), *parts], axis=2)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Replace the scores of queries with text by predicted relevance.

        Args:
            queries: B queries.
            items: Their candidates, with `score`.
        """
        score = items.columns["score"]
        has_text = np.array([bool(text and text.strip()) for text in queries.texts], np.bool_)
        learned = self._learned
        is_list = queries.candidates is not None
        if learned is None or not has_text.any() or not score.shape[1]:
            return items.with_columns(score=score)
        if not is_list and learned.sum_weight < 0:
            return items.with_columns(score=score)
        present = np.isfinite(score) & items.present & has_text[:, None]
        depth = score.shape[1] if is_list else self.config.depth
        ranked = np.where(present, score, -np.inf)
        columns = np.argsort(-ranked, axis=1, kind="stable")[:, :depth]
        features = self._aligned(queries, items, columns, learned)
        chosen = np.take_along_axis(present, columns, axis=1)
        values = np.full(chosen.shape, np.nan)
        values[chosen] = learned.predict(features[chosen], self._held_out_fold)
        if not is_list:
            values += learned.sum_weight * np.take_along_axis(score, columns, axis=1)
        return items.with_columns(score=_with_ordered(score, present, columns, chosen, values))

    def _aligned(
        self,
        queries: QueryBatch,
        items: CandidateLists,
        columns: Int64Array,
        learned: LearnedRelevance,
    ) -> Float32Array:
        """The features in the order in which they were learned; NaN for those that are absent."""
        names = self.feature_names(items)
        features = self.features(queries, items, columns)
        if names == learned.features:
            return features
        missing = np.full((*columns.shape, 1), np.nan, np.float32)
        features = np.concatenate([features, missing], axis=2)
        positions = {name: position for position, name in enumerate(names)}
        return features[:, :, [positions.get(name, len(names)) for name in learned.features]]


def _with_ordered(
    score: Float32Array,
    present: BoolArray,
    columns: Int64Array,
    chosen: BoolArray,
    values: np.ndarray,
) -> Float32Array:
    """The scores with those of the chosen candidates replaced, and all others below them."""
    result = score.copy()
    old = np.take_along_axis(score, columns, axis=1)
    np.put_along_axis(result, columns, np.where(chosen, values, old).astype(np.float32), axis=1)
    for row in np.flatnonzero(chosen.any(axis=1)).tolist():
        others = present[row].copy()
        others[columns[row][chosen[row]]] = False
        if others.any():
            lowest = float(values[row][chosen[row]].min())
            highest = float(score[row][others].max())
            result[row][others] += np.float32(lowest - highest - _BEHIND * max(1.0, abs(lowest)))
    return result
