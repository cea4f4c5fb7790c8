"""What everybody takes now: counts that decay exponentially with age, by context if asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import ABSENT, Dataset, Floats, Items, Longs, Numbers, Queries
from plait.models.popularity.half_life import best_half_life, faded, soonest
from plait.pipeline.array_files import read_arrays, read_words, write_arrays, write_words
from plait.pipeline.constraints import Limit
from plait.pipeline.dense import gather
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
    by: str = ""
    """A user field ("country"): its values have tables of their own, mixed with the overall one."""
    context_weight: float = tunable(0.5, Range(0.0, 1.0), Limit(least=0, most=1))
    """How much of a score comes from the table of the user's value."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Settings that count for nothing beside the others: no search need vary them."""
        return () if self.by else ("context_weight",)


class Popular(Stage):
    """Scores an item by its decayed share of all interactions; NaN if nobody ever took it."""

    Config = PopularConfig

    def __init__(self, config: Any = None, *, name: str = "") -> None:
        super().__init__(config, name=name)
        self._tables: Floats = np.zeros((1, 0), np.float32)
        self._orders: Numbers = np.zeros((1, 0), np.int32)
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
            weights *= faded(found.times, fitted._half_life)
        rows = [np.bincount(found.items, weights, dataset.n_items)]
        if self.config.by:
            dataset.users.check_fields([self.config.by], "by")
        if self.config.by in dataset.users.columns:
            column = dataset.users.columns[self.config.by]
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

    def tuned(self, dataset: Dataset, queries: Queries, targets: Ragged) -> Self:
        """With the half-life that foretells the targets best, unless the config gives one."""
        if (
            self.config.half_life_days is not None
            or dataset.clock != "time"
            or not len(targets.values)
        ):
            return self
        days = soonest(dataset.interactions, targets, queries.blocked, dataset.n_items)
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
        write_words(folder / "values.json", list(self._values))

    @classmethod
    def load(cls, config: Any, name: str, folder: Path) -> Self:
        """Map the tables."""
        loaded = cls(config, name=name)
        told = read_arrays(folder / "tables.safetensors")
        loaded._tables, loaded._orders = told["tables"], told["orders"]
        loaded._half_life = float(told["half_life"][0])
        values = read_words(folder / "values.json")
        loaded._values = {value: row for row, value in enumerate(values, 1)}
        return loaded

    def retrieve(self, queries: Queries, k: int) -> Items:
        """The k most popular that each query allows."""
        found = np.full((len(queries), k), ABSENT, np.int32)
        tables = self._rows(queries)
        for table in np.unique(tables):
            rows = np.nonzero(tables == table)[0]
            best = _allowed(self._orders[table], queries, rows, k)
            found[rows, : best.shape[1]] = best
        return Items(found)

    def score(self, queries: Queries, numbers: Numbers) -> Floats:
        """Shares of all interactions, decayed, float32 [B, K]; above 0 or NaN."""
        scores = np.full(numbers.shape, np.nan, np.float32)
        tables = self._rows(queries)
        for table in np.unique(tables):
            rows = np.nonzero(tables == table)[0]
            values = self._table(table)
            scores[rows] = gather(np.broadcast_to(values, (len(rows), len(values))), numbers[rows])
        return scores

    def _rows(self, queries: Queries) -> Numbers:
        """Which table each query reads."""
        if not self._values:
            return np.zeros(len(queries), np.int32)
        found = (self._values.get(_value(one, self.config.by), 0) for one in queries.contexts)
        return np.fromiter(found, np.int32, len(queries))

    def _table(self, table: int) -> Floats:
        overall: Floats = self._tables[0]
        if table == 0:
            return overall
        share: Any = np.float32(self.config.context_weight)
        own = np.nan_to_num(self._tables[table])
        mixed: Floats = (1 - share) * overall + share * own
        return mixed


def _value(context: Mapping[str, Any], field: str) -> str:
    """A context value: given with the request, or a field of the user."""
    user = context.get("user")
    inherited = user.get(field) if isinstance(user, Mapping) else None
    return str(context.get(field, inherited))


def _shares(counts: np.ndarray) -> Floats:
    shares = np.where(counts > 0, counts / max(counts.sum(), 1e-12), np.nan)
    return shares.astype(np.float32, copy=False)


def _order(values: Floats, ties: np.ndarray) -> Numbers:
    """int32 [n]: the items by falling value, equals by `ties`; -1 behind those that are known."""
    order = np.lexsort((ties, np.nan_to_num(-values, nan=np.inf)))
    return np.where(np.isnan(values[order]), ABSENT, order).astype(np.int32)


def _allowed(order: Numbers, queries: Queries, rows: Longs, k: int) -> Numbers:
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
