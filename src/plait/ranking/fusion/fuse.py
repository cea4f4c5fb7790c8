"""Fusion: one score from those of all models, by weights that are few enough to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.array_types import BoolArray, Float32Array, Int64Array
from plait.data.candidates import CandidateLists
from plait.data.dataset import Dataset
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.pipeline.stage import Scorer, Stage
from plait.ranking.fusion.bagging import learn_bagged_weights
from plait.ranking.fusion.band_weights import (
    FusionCandidates,
    FusionWeights,
    learn_band_weights,
    passes_gain_test,
)
from plait.ranking.fusion.candidate_columns import (
    ITEM_QUERY,
    USER_QUERY,
    item_rarity,
    model_ranks,
    query_types,
    require_match,
    retrieved_by,
    scoring_models,
    without_model,
)
from plait.ranking.fusion.config import (
    ANY,
    FUSION_METHODS,
    MODEL_SETTINGS,
    RANKER_METHODS,
    FuseConfig,
    FusionMethod,
    SettingsOfModels,
)
from plait.ranking.fusion.fixed_weights import check_fixed_weights, weights_by_band
from plait.ranking.fusion.item_statistics import (
    ItemStatistics,
    item_statistics,
    users_of_items,
)
from plait.ranking.fusion.ranker_training import (
    LearnedRanker,
    WeightedScores,
    learn_ranker,
    rerank,
    user_targets,
)
from plait.ranking.fusion.score_normalization import (
    NormalizedScores,
    ScoreShape,
    concat_signals,
    normalize_scores,
)
from plait.ranking.fusion.voting import RANK_METHODS, points_of_ranks
from plait.utils.optional_imports import require_extra

__all__ = ["Fuse"]


class Fuse(Stage[FuseConfig]):
    """Writes `score` and, for every model, `<model>.share`: its part of the score.

    A model that scores no candidate of a query takes no part in it, and the other weights grow.
    Without learned weights, and where no model that takes part has one, the given weights hold.
    """

    Config = FuseConfig
    test_variants = tuple({"method": name} for name in FUSION_METHODS if name != "lambdarank")
    fitted_state: ClassVar[Mapping[str, Any]] = {
        "_learned": FusionWeights | None,
        "_item_users": Float32Array,
        "_statistics": ItemStatistics | None,
        "_ranker": LearnedRanker | None,
    }
    optional_state = frozenset({"_item_users", "_statistics", "_ranker"})
    reads = ("*.score", "*.rank")
    writes = ("score", "*.share")

    def __init__(self, config: FuseConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._settings_of = SettingsOfModels(self.config)
        self._learned = weights_by_band(self.config.fixed)
        self._item_users: Float32Array = np.zeros(0, np.float32)
        """How many users chose each item; empty without a fit."""
        self._statistics: ItemStatistics | None = None
        self._ranker: LearnedRanker | None = None

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        fitted = self._with(self.config, self._learned, self._ranker)
        fitted._item_users = users_of_items(dataset)
        if self.has_ranker:
            fitted._statistics = item_statistics(dataset)
        return fitted

    def with_models(self, models: Sequence[Stage]) -> Self:
        """This step with the fusion defaults that the models declare.

        Args:
            models: The models of the pipeline.
        """
        defaults = {model.name: model.fusion_defaults for model in models}
        config = self.config.with_model_defaults(defaults)
        return self if config == self.config else self._with(config, self._learned, self._ranker)

    def _with(
        self, config: FuseConfig, learned: FusionWeights | None, ranker: LearnedRanker | None
    ) -> Self:
        stage = type(self)(config, name=self.name)
        stage._learned = learned
        stage._item_users = self._item_users
        stage._statistics, stage._ranker = self._statistics, ranker
        return stage

    def _check(self) -> None:
        if self.config.method == "lambdarank":
            require_extra(f"{self.name} with method lambdarank", "lightgbm")
        check_fixed_weights(self.config.fixed, f"{self.name}.fixed")

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """The models that each setting names."""
        named = {setting: getattr(self.config, setting) or () for setting in MODEL_SETTINGS}
        named["fixed.weights"] = self.config.fixed.weights
        return {key: tuple(name for name in names if name != ANY) for key, names in named.items()}

    def learns_weights(self, models: Sequence[Stage]) -> bool:
        n_scorers = sum(isinstance(model, Scorer) for model in models)
        return n_scorers > 1 and (self.has_ranker or not self.config.fixed.weights)

    def learn_weights(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        return self._with(self.config, self._learned_weights(queries, items, targets), None)

    @property
    def learned(self) -> FusionWeights | None:
        """The learned or fixed weights; None before any are learned."""
        return self._learned

    @property
    def has_ranker(self) -> bool:
        """Whether the method learns a ranker beside the weights."""
        return self.config.method in RANKER_METHODS

    def learn_ranker(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        """Learn what a ranker adds to the weighted sum, if the method has one.

        Args:
            queries: B queries.
            items: Their candidates [B, K], scored by models that did not see the targets.
            targets: The relevant items of each query.

        Returns:
            A new stage; it has no ranker if the method has none, this stage is not fitted, or a
            ranker gains nothing on queries that it has not seen.
        """
        stage = self._with(self.config, self._learned, None)
        if self.has_ranker and self._statistics is not None:
            for name in stage._gated_out(scoring_models(items)):
                items = without_model(items, name)
            stage._ranker = learn_ranker(
                self.config, stage.weighted_scores, self._statistics, (queries, items, targets)
            )
        return stage

    def with_ranker_of(self, other: Self) -> Self:
        """This step with the ranker that another one learned.

        Args:
            other: The other step.
        """
        return self._with(self.config, self._learned, other._ranker)

    def with_method(self, method: FusionMethod) -> Self:
        """This step with another method and what both methods learn alike: the weights of sums.

        Args:
            method: The other method.
        """
        config = replace(self.config, method=method)
        same_weights = {method, self.config.method} <= {"weighted", *RANKER_METHODS}
        return self._with(config, self._learned if same_weights else None, None)

    def _learned_weights(
        self, queries: QueryBatch, items: CandidateLists, targets: Ragged
    ) -> FusionWeights | None:
        """The weights by those queries without text or items that have a target among candidates.

        The given weights hold if there is none.
        """
        if self.config.fixed.weights:
            return self._learned
        names = scoring_models(items)
        present, is_target = user_targets(queries, items, targets)
        rows = np.nonzero(is_target.any(axis=1))[0]
        rows = rows[:: max(1, -(-len(rows) // self.config.max_queries))]
        columns = {name: column[rows] for name, column in items.columns.items() if "." in name}
        sample = CandidateLists(items.item_numbers[rows], columns)
        lengths = queries.history.lengths[rows]
        candidates = self._candidates(sample, names, present[rows], is_target[rows], lengths)
        learned = self._learn(candidates)
        return self._gated(candidates, sample, learned)

    def _learn(self, candidates: FusionCandidates) -> FusionWeights | None:
        learn = learn_bagged_weights if self.config.method == "bagging" else learn_band_weights
        return learn(self.config, candidates)

    def _candidates(
        self,
        items: CandidateLists,
        names: Sequence[str],
        present: BoolArray,
        is_target: BoolArray,
        lengths: Int64Array,
    ) -> FusionCandidates:
        return FusionCandidates(
            tuple(names),
            # One model at a time: the intermediate arrays of all would not fit into memory.
            tuple(self._normalized(items, [name], present).take(0) for name in names),
            tuple(self.config.by_model("missing_score", names)),
            present,
            is_target & present,
            lengths,
            self.config.weights_of("weights", names),
        )

    def _gated(
        self, candidates: FusionCandidates, items: CandidateLists, learned: FusionWeights | None
    ) -> FusionWeights | None:
        """The learned weights, or those learned without the models that fail the gain test."""
        gated = [name for name in candidates.names if name in self.config.require_gain]
        others = [name for name in candidates.names if name not in gated]
        if learned is None or not gated or not others:
            return learned
        present = candidates.present & retrieved_by(items, others)
        other_candidates = self._candidates(
            items, others, present, candidates.targets, candidates.lengths
        )
        rows = np.nonzero(other_candidates.targets.any(axis=1))[0]
        other_learned = self._learn(other_candidates.rows(rows))
        if other_learned is None or passes_gain_test(
            self.config, candidates, learned, other_candidates, other_learned
        ):
            return learned
        return other_learned.with_inactive(gated)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Add the score and the shares; mark candidates that do not match the text as removed.

        Args:
            queries: B queries.
            items: Their candidates, scored by every model.
        """
        items = require_match(queries, items, self.config.match or ())
        weighted = self.weighted_scores(queries, items)
        score = weighted.scores
        if self._ranker is not None and self._statistics is not None:
            score = rerank(
                self._ranker, self._statistics, queries, items, weighted, self.config.ranker_depth
            )
        shares = zip(weighted.models, weighted.shares, strict=True)
        columns = {f"{name}.share": share for name, share in shares}
        return items.with_columns(**columns, score=score)

    def weighted_scores(self, queries: QueryBatch, items: CandidateLists) -> WeightedScores:
        """Compute the weighted sums of the scores of all models.

        Args:
            queries: B queries.
            items: Their candidates, scored by every model.
        """
        names = scoring_models(items)
        present = items.item_numbers >= 0
        gated = self._gated_out(names)
        if gated:
            others = [name for name in names if name not in gated]
            is_other_query = query_types(queries) != USER_QUERY
            present &= retrieved_by(items, others) | is_other_query[:, None]
        settings = self._settings_of(tuple(names))
        signals = self._normalized(items, names, present)
        active = signals.active[:, :, 0].T
        weights = self.weights(queries, names) * active
        # Where every model that scores the query was learned to have no weight, as a model of
        # popularity may be among users with a history, the given weights hold.
        without_weight = ~weights.any(axis=1)
        weights[without_weight] = settings.weights[USER_QUERY] * active[without_weight]
        sums = np.abs(weights).sum(axis=1, keepdims=True)
        sums = np.where(sums > 0, sums, np.float32(1)).astype(np.float32)
        weights /= sums
        shares = weights.T[:, :, None] * self._filled(signals, names)
        is_scored = present & active.any(axis=1, keepdims=True)
        scores = np.where(is_scored, shares.sum(axis=0), np.float32(np.nan)).astype(np.float32)
        return WeightedScores(tuple(names), signals, shares, sums, scores)

    def weights(self, queries: QueryBatch, models: Sequence[str]) -> Float32Array:
        """The weights of models, before shares are taken.

        Args:
            queries: B queries.
            models: The names of S models.

        Returns:
            float32 [B, S].
        """
        types = query_types(queries)
        by_type = self._settings_of(tuple(models)).weights
        weights = by_type[types]
        if (types == ITEM_QUERY).any() and len(self._item_users) and self.config.rare_item_users:
            rarity = item_rarity(queries, self._item_users, self.config.rare_item_users)
            rarity = rarity[types == ITEM_QUERY, None]
            rare = self.config.rare_item_weights(models)
            weights[types == ITEM_QUERY] += rarity * (rare - by_type[ITEM_QUERY])
        rows = np.nonzero(types == USER_QUERY)[0]
        learned = self._learned
        if learned is None:
            for name in self._gated_out(models):
                weights[rows, models.index(name)] = 0
            return weights
        bands = learned.bands_of(queries.history.lengths[rows])
        for column, name in enumerate(models):
            if name in learned.models:
                weights[rows, column] = learned.weights[:, learned.models.index(name)][bands]
            else:
                weights[rows, column] *= np.float32(learned.idle)
        return weights

    def _gated_out(self, names: Sequence[str]) -> list[str]:
        """The models that failed the gain test, or were never tested; none if no other is there."""
        gated = [name for name in names if name in self.config.require_gain]
        return gated if self._is_unproved and len(gated) < len(names) else []

    @property
    def _is_unproved(self) -> bool:
        return self._learned is None or self._learned.all_inactive(self.config.require_gain)

    def describe(self) -> dict[str, Any]:
        """The weights in force, for reports."""
        learned = self._learned
        config = self.config.with_model_defaults({})
        return {
            "method": config.method,
            "ranker": None if self._ranker is None else self._ranker.describe(),
            "learned": learned is not None,
            "scalars": 0 if learned is None else learned.n_weights,
            "margin": config.missing_margin if learned is None else learned.margin,
            "bands": [] if learned is None else learned.describe(),
            "unproved": [*config.require_gain] if self._is_unproved else [],
            "given": dict(config.weights or {}),
            "text": dict(config.text_query_weights or {}),
            "items": dict(config.item_query_weights or {}),
            "rare_items": dict(config.rare_item_query_weights or {}),
        }

    def _normalized(
        self, items: CandidateLists, names: Sequence[str], present: BoolArray
    ) -> NormalizedScores:
        """The comparable scores [S, B, K] of models, in one pass where their transform is the same.

        One pass, because a request is a batch of one and every call of numpy has its price.
        """
        shape = (len(names), *present.shape)
        if self.config.method in RANK_METHODS:
            ranks = [model_ranks(items, name, present) for name in names]
            return points_of_ranks(
                self.config.method,
                np.array(ranks, np.float32).reshape(shape),
                present,
                k=self.config.k,
                majority_ranks=self.config.majority_ranks,
            )
        transforms = [self.config.transforms.get(name, self.config.transform) for name in names]
        if len(set(transforms)) > 1:
            return concat_signals([self._normalized(items, [name], present) for name in names])
        scores = [items.columns[f"{name}.score"] for name in names]
        transform = transforms[0] if transforms else "none"
        return normalize_scores(
            np.array(scores, np.float32).reshape(shape),
            present,
            ScoreShape(transform, self.config.normalization, self.config.log_offset),
            zero=self._settings_of(tuple(names)).missing_score == "zero",
        )

    def _filled(self, signals: NormalizedScores, names: Sequence[str]) -> Float32Array:
        """The scores float32 [S, B, K], with what stands in for missing ones."""
        if self.config.method in RANK_METHODS:
            return signals.values
        fixed = np.float32(self.config.missing_margin)
        learned = fixed if self._learned is None else np.float32(self._learned.margin)
        missing = self._settings_of(tuple(names)).missing_score
        return signals.filled(missing == "minimum", np.where(missing == "learned", learned, fixed))
