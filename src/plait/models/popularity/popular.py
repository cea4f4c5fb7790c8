"""What everybody takes now: counts that decay exponentially with age, by context if asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import (
    ABSENT,
    CandidateLists,
    Dataset,
    Float32Array,
    Int32Array,
    Int64Array,
    QueryBatch,
)
from plait.models.popularity.half_life import best_half_life, decay_weights, select_half_life
from plait.pipeline.array_files import read_arrays, read_strings, write_arrays, write_strings
from plait.pipeline.constraints import Limit
from plait.pipeline.dense import take_scores
from plait.pipeline.model_defaults import FusionDefaults, ReasonTemplates
from plait.pipeline.search_space import Choice, Range, tunable
from plait.pipeline.stage import Stage

__all__ = ["Popular", "PopularConfig"]

_HALF_LIVES = Choice((None, 0.0, 0.5, 2.0, 7.0, 28.0, 112.0, 365.0))


@dataclass(frozen=True, slots=True)
class PopularConfig:
    """What `popular` can be told."""

    half_life_days: float | None = tunable(None, _HALF_LIVES, Limit(least=0))
    """After how many days an interaction counts half; 0: never. Left out: what foretells held-out
    events best, or else the last tenth of all. Without times nothing decays."""
    segment_by: str = ""
    """A user field ("country"): its values have tables of their own, mixed with the overall one."""
    segment_weight: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0, most=1))
    """How much of a score comes from the table of the user's value."""

    @property
    def inactive_settings(self) -> tuple[str, ...]:
        """Settings that count for nothing beside the others: no search need vary them."""
        return () if self.segment_by else ("segment_weight",)


class Popular(Stage[PopularConfig]):
    """Scores an item by its decayed share of all interactions; NaN if nobody ever took it."""

    Config = PopularConfig
    fusion_defaults = FusionDefaults(weight=0.3, item_query_weight=0.05, missing_score="zero")
    reason_templates = ReasonTemplates(context="Popular in {context}", default="Popular right now")
    test_variants = ({"segment_by": "country"},)

    def __init__(self, config: PopularConfig | None = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._tables: Float32Array = np.zeros((1, 0), np.float32)
        self._orders: Int32Array = np.zeros((1, 0), np.int32)
        self._values: dict[str, int] = {}
        self._half_life = self.config.half_life_days or 0.0

    def fit(self, dataset: Dataset, *, seed: int = 0) -> Self:
        """Count; `seed` plays no part."""
        fitted = type(self)(self.config, name=self.name)
        found = dataset.interactions
        weights = found.weights.astype(np.float64)
        if dataset.clock == "time":
            if self.config.half_life_days is None:
                fitted._half_life = best_half_life(dataset)
            weights *= decay_weights(found.times, fitted._half_life)
        rows = [np.bincount(found.items, weights, dataset.n_items)]
        if self.config.segment_by:
            dataset.users.check_fields([self.config.segment_by], "segment_by")
        if self.config.segment_by in dataset.users.columns:
            column = dataset.users.columns[self.config.segment_by]
            told = [column.get(user) for user in range(dataset.n_users)]
            values = np.array(["" if one is None else str(one) for one in told], object)
            values = values[found.users]
            for value in sorted(set(values.tolist()) - {""}):
                fitted._values[value] = len(rows)
                mine = values == value
                rows.append(np.bincount(found.items[mine], weights[mine], dataset.n_items))
        fitted._tables = np.stack([_shares(row) for row in rows])
        tables = (fitted._table(one) for one in range(len(rows)))
        fitted._orders = np.stack([_order(one, dataset.catalogue.tiebreak) for one in tables])
        return fitted

    def select_setting(self, dataset: Dataset, queries: QueryBatch, targets: Ragged) -> Self:
        """With the half-life that foretells the targets best, unless the config gives one."""
        if (
            self.config.half_life_days is not None
            or dataset.clock != "time"
            or not len(targets.values)
        ):
            return self
        days = select_half_life(dataset.interactions, targets, queries.blocked, dataset.n_items)
        config = replace(self.config, half_life_days=days)
        return type(self)(config, name=self.name).fit(dataset)

    def describe(self) -> dict[str, Any]:
        """The half-life in force, in days; 0: nothing fades."""
        return {"half_life_days": self._half_life}

    def save(self, folder: Path) -> None:
        """Write the tables."""
        told: dict[str, Any] = {"tables": self._tables, "orders": self._orders}
        told["half_life"] = np.array([self._half_life])
        write_arrays(folder / "tables.safetensors", told)
        write_strings(folder / "values.json", list(self._values))

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map the tables."""
        loaded = cls(config, name=name)
        told = read_arrays(folder / "tables.safetensors")
        loaded._tables, loaded._orders = told["tables"], told["orders"]
        loaded._half_life = float(told["half_life"][0])
        values = read_strings(folder / "values.json")
        loaded._values = {value: row for row, value in enumerate(values, 1)}
        return loaded

    def retrieve(self, queries: QueryBatch, k: int) -> CandidateLists:
        """The k most popular that each query allows."""
        found = np.full((len(queries), k), ABSENT, np.int32)
        tables = self._rows(queries)
        for table in np.unique(tables):
            rows = np.nonzero(tables == table)[0]
            best = _allowed(self._orders[table], queries, rows, k)
            found[rows, : best.shape[1]] = best
        return CandidateLists(found)

    def score(self, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        """Shares of all interactions, decayed, float32 [B, K]; above 0 or NaN."""
        scores = np.full(numbers.shape, np.nan, np.float32)
        tables = self._rows(queries)
        for table in np.unique(tables):
            rows = np.nonzero(tables == table)[0]
            values = self._table(table)
            scores[rows] = take_scores(
                np.broadcast_to(values, (len(rows), len(values))), numbers[rows]
            )
        return scores

    def _rows(self, queries: QueryBatch) -> Int32Array:
        """Which table each query reads."""
        if not self._values:
            return np.zeros(len(queries), np.int32)
        found = (
            self._values.get(_value(one, self.config.segment_by), 0) for one in queries.contexts
        )
        return np.fromiter(found, np.int32, len(queries))

    def _table(self, table: int) -> Float32Array:
        overall: Float32Array = self._tables[0]
        if table == 0:
            return overall
        share: Any = np.float32(self.config.segment_weight)
        own = np.nan_to_num(self._tables[table])
        mixed: Float32Array = (1 - share) * overall + share * own
        return mixed


def _value(context: Mapping[str, Any], field: str) -> str:
    """A context value: given with the request, or a field of the user."""
    user = context.get("user")
    inherited = user.get(field) if isinstance(user, Mapping) else None
    return str(context.get(field, inherited))


def _shares(counts: np.ndarray) -> Float32Array:
    shares = np.where(counts > 0, counts / max(counts.sum(), 1e-12), np.nan)
    return shares.astype(np.float32, copy=False)


def _order(values: Float32Array, ties: np.ndarray) -> Int32Array:
    """int32 [n]: the items by falling value, equals by `ties`; -1 behind those that are known."""
    order = np.lexsort((ties, np.nan_to_num(-values, nan=np.inf)))
    return np.where(np.isnan(values[order]), ABSENT, order).astype(np.int32)


def _allowed(order: Int32Array, queries: QueryBatch, rows: Int64Array, k: int) -> Int32Array:
    """The k best allowed by each of the queries `rows`, from one list sorted once for all."""
    order = order[order >= 0]
    mask, blocked = queries.mask, queries.blocked
    if mask is not None and len(mask) == 1:
        order = order[mask[0, order]]
    if (mask is None or len(mask) == 1) and len(rows):
        order = order[: k + (0 if blocked is None else int(blocked.lengths[rows].max()))]
    allowed = np.ones((len(rows), len(order)), np.bool_)
    if mask is not None and len(mask) > 1:
        allowed &= mask[rows][:, order]
    if blocked is not None and len(blocked.values):
        barred = np.zeros(max(int(order.max(initial=-1)), int(blocked.values.max())) + 1, np.bool_)
        for place, row in enumerate(rows):
            barred[blocked[row]] = True
            allowed[place] &= ~barred[order]
            barred[blocked[row]] = False
    first = np.argsort(~allowed, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(allowed, first, 1), order[first], ABSENT).astype(np.int32)
