"""How interest fades: what an event counts by its age, and the half-life that foretells best.

A film of last year sells for months, an article for two days. So the half-life is read from the
log: of a few that are tried, the one under which a list by popularity has the best NDCG@10 on
held-out events. On MovieLens latest small, cut by time, 365 days instead of a week doubles it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from plait.data.ragged import Ragged
from plait.data.types import Dataset, Int64Array, Interactions
from plait.splitting.splits import DAY

__all__ = ["HALF_LIVES", "best_half_life", "decay_weights", "select_half_life"]

HALF_LIVES = (7.0, 4.0, 14.0, 2.0, 28.0, 1.0, 56.0, 0.5, 112.0, 365.0, 0.0)
"""Half-lives that are tried, in days, the more usual ones first; 0: nothing fades."""

USUAL = 7.0
"""The half-life of a log that is too short to tell."""

_LEAST = 200
"""Events below which a log is too short."""

_TOP = 10
"""How many places of a list count."""

_MOST = 2_000_000
"""The newest events that are looked at."""

_SILENCE = 3.0
"""Half-lives that a silence of everybody counts at most."""

_OLDEST = 60.0
"""Half-lives behind which nothing fades further: what was taken once stays above zero."""

Doubles = npt.NDArray[np.float64]


def decay_weights(times: Int64Array, half_life_days: float) -> Doubles:
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
    """Days, one of HALF_LIVES: what foretells the last tenth of the events from the others."""
    found = dataset.interactions
    if len(found) < _LEAST:
        return USUAL
    cut = np.sort(found.times)[len(found) * 9 // 10 - 1]
    later = found.take(found.times > cut)
    pairs = np.unique(later.users.astype(np.int64) * dataset.n_items + later.items)
    if not len(pairs):
        return USUAL
    users, items = np.divmod(pairs, dataset.n_items)
    counts = np.unique(users, return_counts=True)[1]
    targets = Ragged.from_lengths(items.astype(np.int32), counts)
    return select_half_life(found.take(found.times <= cut), targets, None, dataset.n_items)


def select_half_life(
    past: Interactions, targets: Ragged, blocked: Ragged | None, n_items: int
) -> float:
    """Days, one of HALF_LIVES: the best mean NDCG@10 of the `targets` of queries behind `past`.

    What is `blocked` takes no place in a query's list.
    """
    if len(past) > _MOST:
        newest = np.argpartition(past.times, -_MOST)[-_MOST:]
        past = past.take(np.isin(np.arange(len(past)), newest))
    gains = [_ndcg(_places(past, one, n_items), targets, blocked) for one in HALF_LIVES]
    return HALF_LIVES[int(np.argmax(np.round(gains, 6)))]


def _places(past: Interactions, days: float, n_items: int) -> Doubles:
    """Each item's place from 1 in a list by faded counts; equals share the middle of theirs."""
    counts = np.bincount(past.items, past.weights * decay_weights(past.times, days), n_items)
    return np.asarray(rankdata(-counts, method="average"), np.float64)


def _ndcg(places: Doubles, targets: Ragged, blocked: Ragged | None) -> float:
    """The mean over queries; one whose targets are all blocked has 0."""
    mine = places[targets.values]
    if blocked is not None:
        mine = mine - _ahead(places, targets, blocked)
    gains = np.where(mine <= _TOP, 1 / np.log2(mine + 1), 0)  # infinity is far down the list
    summed = np.bincount(targets.rows, gains, len(targets))
    ideal = np.cumsum(1 / np.log2(np.arange(2, _TOP + 2)))
    return float((summed / ideal[np.clip(targets.lengths, 1, _TOP) - 1]).mean())


def _ahead(places: Doubles, targets: Ragged, blocked: Ragged) -> Doubles:
    """How many blocked items stand before each target, equals as halves; -inf for a blocked one."""
    gone = np.unique(blocked.rows * len(places) + blocked.values)  # a history repeats itself
    rows, values = np.divmod(gone, len(places))
    doubled = np.round(2 * places).astype(np.int64)  # the middle of equals is a whole or a half
    width = 2 * len(places) + 2
    theirs = np.sort(rows * width + doubled[values])
    mine = targets.rows * width + doubled[targets.values]
    strictly, equally = (np.searchsorted(theirs, mine, side=one) for one in ("left", "right"))
    ahead = (strictly + equally) / 2 - np.searchsorted(rows, targets.rows)
    out = np.isin(targets.rows * len(places) + targets.values, gone)
    return np.where(out, -np.inf, ahead)
