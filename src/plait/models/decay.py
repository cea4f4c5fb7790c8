"""How interest fades: what an event counts by its age, and the half-life that foretells best.

A film of last year sells for months, an article for two days. So the half-life is read from the
log: of a few that are tried on all but the last tenth of the events, the one whose ranking of the
items finds those of that tenth soonest. On six data sets it is within 2 % of the best NDCG@10 on
held-out events; a week for all of them loses up to half of it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from plait.core.types import Dataset, Interactions, Longs
from plait.measure.splits import DAY

__all__ = ["HALF_LIVES", "best_half_life", "faded"]

HALF_LIVES = (0.5, 1.0, 2.0, 4.0, 7.0, 14.0, 28.0, 56.0, 112.0, 365.0, 0.0)
"""Half-lives that are tried, in days; 0: nothing fades."""

USUAL = 7.0
"""The half-life of a log that is too short to tell."""

_LEAST = 200
"""Events below which a log is too short."""

_MOST = 2_000_000
"""The newest events that are looked at."""

_SILENCE = 3.0
"""Half-lives that a silence of everybody counts at most."""

_OLDEST = 60.0
"""Half-lives behind which nothing fades further: what was taken once stays above zero."""

Doubles = npt.NDArray[np.float64]


def faded(times: Longs, half_life_days: float) -> Doubles:
    """What each event counts, 1 for the newest, half of it a half-life before; float64.

    A silence of everybody counts as three half-lives at most: one event stamped today must not
    make an old log worthless. `times` are microseconds in any order; with 0 days nothing fades.
    """
    if not half_life_days or not len(times):
        return np.ones(len(times))
    order = np.argsort(times, kind="stable")
    steps = np.minimum(np.diff(times[order]) / (DAY * half_life_days), _SILENCE)
    ages = np.empty(len(times))
    ages[order[::-1]] = np.concatenate([[0.0], np.cumsum(steps[::-1])])
    return np.exp2(-np.minimum(ages, _OLDEST))


def best_half_life(dataset: Dataset) -> float:
    """Days, one of HALF_LIVES: by the mean discounted gain of each user's last items."""
    found = dataset.interactions
    order = np.argsort(found.times, kind="stable")[-_MOST:]
    if len(order) < _LEAST:
        return USUAL
    cut = found.times[order[len(order) * 9 // 10 - 1]]
    newest = np.isin(np.arange(len(found)), order) if len(order) < len(found) else True
    past = found.take((found.times <= cut) & newest)
    users, items = _taken(found.take(found.times > cut), dataset.n_items)
    if not len(users):
        return USUAL
    share = 1 / np.bincount(users)[users]
    gains = [_gain(past, one, items, share, dataset.n_items) for one in HALF_LIVES]
    return HALF_LIVES[int(np.argmax(np.round(gains, 6)))]


def _taken(later: Interactions, n_items: int) -> tuple[Longs, Longs]:
    """Who took what, each pair once; users as their places among those who took anything."""
    pairs = np.unique(later.users.astype(np.int64) * n_items + later.items)
    users, items = np.divmod(pairs, max(n_items, 1))
    return np.unique(users, return_inverse=True)[1], items


def _gain(past: Interactions, days: float, items: Longs, share: Doubles, n_items: int) -> float:
    """How early a list by faded counts has the items; equals share the middle of their places."""
    counts = np.bincount(past.items, past.weights * faded(past.times, days), n_items)
    places = rankdata(-counts, method="average")
    return float((share / np.log2(places[items] + 1)).sum() / share.sum())
