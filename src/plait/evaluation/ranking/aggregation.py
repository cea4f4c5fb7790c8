"""Several windows are one test; several seeds are one model, whose metrics are their mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from plait.data.types import BoolArray, Int32Array, Int64Array
from plait.evaluation.ranking.per_user import LIFT, POPULARITY, ModelResult
from plait.metrics.ties import Doubles

__all__ = ["EvalSet", "joined_grounds", "joined_rows", "mean_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class EvalSet:
    """What all rows of a table stand on: U queries and their T targets.

    `users` int32 [U] may repeat under several windows, which `windows` int64 [U] counts; `targets`
    int64 [T] are the queries of the targets; slices are masks by name, of queries and of targets.
    `profile` float64 [U]: the mean popularity of each history, NaN for an empty one.
    """

    users: Int32Array
    windows: Int64Array
    targets: Int64Array
    user_slices: Mapping[str, BoolArray]
    target_slices: Mapping[str, BoolArray]
    profile: Doubles

    def __len__(self) -> int:
        return len(self.users)

    @property
    def keys(self) -> Int64Array:
        """One int64 for each query: the same query has the same in every run on the same data."""
        return self.windows << 32 | self.users.astype(np.int64)


def joined_grounds(parts: Sequence[EvalSet]) -> EvalSet:
    """The queries of all windows, one window behind the other."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part) for part in parts)])
    return EvalSet(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.windows for part in parts]),
        np.concatenate([part.targets + start for part, start in zip(parts, starts, strict=False)]),
        _masks([part.user_slices for part in parts], [len(part) for part in parts]),
        _masks([part.target_slices for part in parts], [len(part.targets) for part in parts]),
        np.concatenate([part.profile for part in parts]),
    )


def joined_rows(parts: Sequence[ModelResult]) -> ModelResult:
    """One model over all windows: the seconds add up, metrics of all lists together are means."""
    if len(parts) == 1:
        return parts[0]

    def whole(of: Callable[[ModelResult], Mapping[str, Doubles]]) -> dict[str, Doubles]:
        return {name: np.concatenate([of(one)[name] for one in parts]) for name in of(parts[0])}

    return ModelResult(
        parts[0].model,
        parts[0].baseline,
        sum(one.fit_seconds for one in parts),
        sum(one.evaluate_seconds for one in parts),
        max(one.peak_mb for one in parts),
        users=whole(lambda one: one.users),
        gains=whole(lambda one: one.gains),
        lists=whole(lambda one: one.lists),
        tied=np.concatenate([one.tied for one in parts]),
        whole=_means([one.whole for one in parts]),
        brought=sum(one.brought for one in parts),
    )


def mean_rows(seeds: Sequence[ModelResult], profile: Doubles) -> ModelResult:
    """One model over several seeds: query by query the mean, and how far seeds lie apart.

    `profile` is that of the ground. `spread` is the standard deviation, by metric, of what a seed
    reaches on all queries.
    """
    if len(seeds) == 1:
        return seeds[0]

    def mean(of: Callable[[ModelResult], Mapping[str, Doubles]]) -> dict[str, Doubles]:
        return {name: _mean([of(one)[name] for one in seeds]) for name in of(seeds[0])}

    reached = [_reached(one, profile) for one in seeds]
    return ModelResult(
        seeds[0].model,
        seeds[0].baseline,
        float(np.mean([one.fit_seconds for one in seeds])),
        float(np.mean([one.evaluate_seconds for one in seeds])),
        max(one.peak_mb for one in seeds),
        users=mean(lambda one: one.users),
        gains=mean(lambda one: one.gains),
        lists=mean(lambda one: one.lists),
        tied=_mean([one.tied for one in seeds]),
        whole=_means([one.whole for one in seeds]),
        spread={name: float(np.std([one[name] for one in reached], ddof=1)) for name in reached[0]},
        brought=sum(one.brought for one in seeds),
    )


def _masks(parts: Sequence[Mapping[str, BoolArray]], sizes: Sequence[int]) -> dict[str, BoolArray]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: np.concatenate(
            [
                part.get(name, np.zeros(size, np.bool_))
                for part, size in zip(parts, sizes, strict=True)
            ]
        )
        for name in names
    }


def _means(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each number over the parts that have it."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: float(np.mean([one[name] for one in parts if name in one])) for name in names}


def _mean(parts: Sequence[Doubles]) -> Doubles:
    """The mean of the finite values, place by place; NaN where there is none."""
    stack = np.stack(parts)
    there = np.isfinite(stack)
    with np.errstate(invalid="ignore"):
        found: Doubles = np.where(there, stack, 0).sum(axis=0) / there.sum(axis=0)
    return found


def _reached(row: ModelResult, profile: Doubles) -> dict[str, float]:
    """What one seed reaches: the mean of all metrics of users and lists, and those of the whole."""
    means = {name: float(one.mean()) for name, one in row.users.items()}
    for name, one in row.lists.items():
        there = np.isfinite(one)
        if name.startswith(POPULARITY):
            there &= np.isfinite(profile)
            over, under = one[there].sum(), profile[there].sum()
            means[name.replace(POPULARITY, LIFT)] = float(over / under) - 1 if under else nan
        else:
            means[name] = float(one[there].mean()) if there.any() else nan
    return means | row.whole
