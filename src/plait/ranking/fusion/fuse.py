"""Fusion: one score from those of all strands, by weights that few scalars of learning set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import BoolArray, CandidateLists, Float32Array, Int64Array, QueryBatch
from plait.pipeline.stage import Stage
from plait.ranking.fusion.band_weights import Candidates, earned, learned_from
from plait.ranking.fusion.config import MODEL_SETTINGS, FuseConfig, FusionWeights
from plait.ranking.fusion.score_normalization import (
    Missing,
    NormalizedScores,
    ScoreShape,
    concat_signals,
    dense_ranks,
    normalize_scores,
    reciprocal_ranks,
)

__all__ = ["Fuse"]

UNMATCHED = "unmatched"


class Fuse(Stage[FuseConfig]):
    """Leaves `score` and, by strand, `<strand>.share`: the part of it that the strand brought.

    A strand that knows nothing of a query takes no part in it, the weights of the others grow
    accordingly. Without learning, and where none of those that take part counts, the weights are
    those of the config.
    """

    Config = FuseConfig
    fitted_state: ClassVar[Mapping[str, Any]] = {"_learned": FusionWeights | None}
    reads = ("*.score", "*.rank")
    writes = ("score", "*.share")

    def __init__(self, config: FuseConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._learned: FusionWeights | None = None

    @property
    def referenced_models(self) -> Mapping[str, tuple[str, ...]]:
        """What the recipe says by strand; names that the defaults have may be missing in it."""
        config, usual = self.config, FuseConfig()
        said = {one: getattr(config, one) for one in MODEL_SETTINGS}
        return {
            setting: tuple(name for name in names if name not in ("*", *getattr(usual, setting)))
            for setting, names in said.items()
        }

    def learn_weights(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        """A stage with weights learned from candidates [B, K] and the items that came true.

        Only queries count whose union holds a target that is not blocked. With none of them the
        weights stay those of the config.
        """
        names = _strands(items)
        there = items.present
        if queries.blocked is not None:
            there &= ~queries.blocked.isin(items.item_numbers)
        asked = self._kinds(queries) == _USER
        hits = targets.isin(items.item_numbers) & there & asked[:, None]
        rows = np.nonzero(hits.any(axis=1))[0]
        rows = rows[:: max(1, -(-len(rows) // self.config.max_queries))]
        columns = {name: column[rows] for name, column in items.columns.items() if "." in name}
        few = CandidateLists(items.item_numbers[rows], columns)
        found = self._candidates(few, names, there[rows], hits[rows], queries.history.lengths[rows])
        taught = type(self)(self.config, name=self.name)
        taught._learned = self._earned(found, few, learned_from(self.config, found))
        return taught

    def _candidates(
        self,
        items: CandidateLists,
        names: Sequence[str],
        there: BoolArray,
        hits: BoolArray,
        lengths: Int64Array,
    ) -> Candidates:
        return Candidates(
            tuple(names),
            tuple(self._signals(items, [name], there) for name in names),
            tuple(self._missing(name) for name in names),
            there,
            hits & there,
            lengths,
            _listed(self.config.weights, names),
        )

    def _earned(
        self, whole: Candidates, items: CandidateLists, learned: FusionWeights | None
    ) -> FusionWeights | None:
        """What was learned, or what is learned without the strands that did not earn a place."""
        tried = [one for one in whole.names if one in self.config.require_gain]
        others = [one for one in whole.names if one not in tried]
        if learned is None or not tried or not others:
            return learned
        there = whole.there & _retrieved_by(items, others)
        rest = self._candidates(items, others, there, whole.hits, whole.lengths)
        rows = np.nonzero(rest.hits.any(axis=1))[0]
        without = learned_from(self.config, rest.rows(rows))
        if without is None or earned(self.config, whole, learned, rest, without):
            return learned
        return without.with_inactive(tried)

    def apply(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Adds the columns; candidates without a matching word are marked as removed."""
        items = self._require_match(queries, items)
        names = _strands(items)
        there = items.item_numbers >= 0
        silent = self._silent(names)
        if silent:
            others = [one for one in names if one not in silent]
            there &= _retrieved_by(items, others) | (self._kinds(queries) != _USER)[:, None]
        batch, width = items.shape
        signals = self._signals(items, names, there)
        active = signals.active.reshape(len(names), batch).T
        weights = self.weights(queries, names) * active
        # Who has learned nothing of such a query must not leave its order to chance: where all who
        # speak were weighed at zero, as popular may be by users with a history, the config decides.
        mute = ~weights.any(axis=1)
        weights[mute] = _listed(self.config.weights, names) * active[mute]
        sums = np.abs(weights).sum(axis=1, keepdims=True)
        weights /= np.where(sums > 0, sums, np.float32(1))
        values = self._values(names, signals, batch).reshape(len(names), batch, width)
        shares = weights.T[:, :, None] * values
        judged = there & active.any(axis=1, keepdims=True)
        score = np.where(judged, shares.sum(axis=0), np.float32(np.nan)).astype(np.float32)
        columns = {f"{name}.share": share for name, share in zip(names, shares, strict=True)}
        return items.with_columns(**columns, score=score)

    def weights(self, queries: QueryBatch, strands: Sequence[str]) -> Float32Array:
        """float32 [B, S]: what each strand counts for each query, before shares are taken."""
        kinds = self._kinds(queries)
        found = np.empty((len(queries), len(strands)), np.float32)
        found[:] = _listed(self.config.weights, strands)
        found[kinds == _TEXT] = _listed(self.config.text_query_weights, strands)
        found[kinds == _ITEMS] = _listed(self.config.item_query_weights, strands)
        learned = self._learned
        rows = np.nonzero(kinds == _USER)[0]
        if learned is None:
            for one in self._silent(strands):
                found[rows, strands.index(one)] = 0
        else:
            bands = learned.bands_of(queries.history.lengths[rows])
            for place, strand in enumerate(strands):
                if strand in learned.models:
                    own = learned.weights[:, learned.models.index(strand)]
                    found[rows, place] = own[bands]
                else:
                    found[rows, place] *= np.float32(learned.idle)
        return found

    def _silent(self, names: Sequence[str]) -> list[str]:
        """Strands that have not earned a place: found useless, or never put to the test."""
        tried = [one for one in names if one in self.config.require_gain]
        return tried if self._unproved and len(tried) < len(names) else []

    @property
    def _unproved(self) -> bool:
        return self._learned is None or self._learned.all_inactive(self.config.require_gain)

    def describe(self) -> dict[str, Any]:
        """The weights in force, for people."""
        learned = self._learned
        return {
            "method": self.config.method,
            "learned": learned is not None,
            "scalars": 0 if learned is None else learned.n_weights,
            "margin": self.config.missing_margin if learned is None else learned.margin,
            "bands": [] if learned is None else learned.describe(),
            "unproved": [*self.config.require_gain] if self._unproved else [],
            "given": dict(self.config.weights),
            "text": dict(self.config.text_query_weights),
            "items": dict(self.config.item_query_weights),
        }

    def _signals(
        self, items: CandidateLists, names: Sequence[str], there: BoolArray
    ) -> NormalizedScores:
        """The scores of S strands made comparable: S times B rows, one strand below the other.

        All at once, because a request is a batch of one and numpy charges by the call.
        """
        all_there = np.concatenate([there] * len(names)) if names else there[:0]
        if self.config.method == "rrf":
            placed = [_placed(items, name, there) for name in names]
            ranks = np.concatenate(placed) if placed else np.zeros(all_there.shape, np.float32)
            return reciprocal_ranks(ranks, all_there, self.config.k)
        curves = [self.config.transforms.get(name, self.config.transform) for name in names]
        if len(set(curves)) > 1:
            return concat_signals([self._signals(items, [name], there) for name in names])
        scores = [items.column(f"{name}.score") for name in names]
        stacked = np.concatenate(scores) if scores else np.zeros(all_there.shape, np.float32)
        shape = ScoreShape(
            curves[0] if curves else "none", self.config.normalization, self.config.log_offset
        )
        zero = self._each([self._missing(name) == "zero" for name in names], len(there))
        return normalize_scores(stacked, all_there, shape, zero=zero)

    def _values(self, names: Sequence[str], signals: NormalizedScores, batch: int) -> Float32Array:
        if self.config.method == "rrf":
            return signals.values
        kinds = [self._missing(name) for name in names]
        learned = self.config.missing_margin if self._learned is None else self._learned.margin
        margins = [learned if one == "learned" else self.config.missing_margin for one in kinds]
        lowest = self._each([one == "minimum" for one in kinds], batch)
        return signals.filled(lowest, self._each(margins, batch))

    @staticmethod
    def _each(values: Sequence[Any], batch: int) -> Any:
        """One value a strand for each of its rows, [S * B, 1]."""
        return np.repeat(np.array(values), batch)[:, None]

    def _missing(self, name: str) -> Missing:
        wanted: Mapping[str, Missing] = self.config.missing_score
        return wanted.get(name, wanted.get("*", "learned"))

    def _kinds(self, queries: QueryBatch) -> np.ndarray:
        """int8 [B]: whether words, items or a user are asked with; words come first."""
        text = np.array([bool(one and one.strip()) for one in queries.texts], np.bool_)
        return np.where(text, _TEXT, np.where(queries.items.lengths > 0, _ITEMS, _USER))

    def _require_match(self, queries: QueryBatch, items: CandidateLists) -> CandidateLists:
        """Marks what no word of the query matches; the caller's own list stays whole."""
        deciders = [one for one in self.config.match if f"{one}.score" in items.columns]
        text = self._kinds(queries) == _TEXT
        if not deciders or not text.any() or queries.candidates is not None:
            return items
        matched = np.zeros(items.shape, np.bool_)
        for one in deciders:
            matched |= items.column(f"{one}.score") > 0
        return items.mark_removed(text[:, None] & ~matched & (items.item_numbers >= 0), UNMATCHED)


_USER, _TEXT, _ITEMS = np.int8(0), np.int8(1), np.int8(2)


def _placed(items: CandidateLists, name: str, there: BoolArray) -> Float32Array:
    """Ranks from 0 of what a strand brought, or else of what it scored; NaN for the rest."""
    ranks = items.columns.get(f"{name}.rank")
    if ranks is None:
        scores = items.column(f"{name}.score")
        return dense_ranks(scores, there & np.isfinite(scores))
    return np.where(ranks < 0, np.nan, ranks).astype(np.float32)


def _retrieved_by(items: CandidateLists, names: Sequence[str]) -> BoolArray:
    """bool [B, K]: what not only other strands than `names` brought; all where nobody did."""
    told = [one for one in items.columns if one.endswith(".rank")]
    mine = [one for one in told if one.removesuffix(".rank") not in _strands(items)]
    mine += [f"{name}.rank" for name in names if f"{name}.rank" in told]
    if not mine:
        return np.ones(items.shape, np.bool_)
    found: BoolArray = np.logical_or.reduce([items.column(one) >= 0 for one in mine])
    return found


def _strands(items: CandidateLists) -> list[str]:
    """The strands that have scored, in the order of the columns."""
    return [one.removesuffix(".score") for one in items.columns if one.endswith(".score")]


def _listed(weights: Mapping[str, float], strands: Sequence[str]) -> Float32Array:
    other = weights.get("*", 1.0)
    return np.array([weights.get(one, other) for one in strands], np.float32)
