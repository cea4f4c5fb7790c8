"""Sampled candidates: the targets of a query among items that are drawn at random.

Many papers from He et al. (2017) on rank one target among 99 or 100 drawn items. The figures are
far above those on all items, and can order models otherwise (Krichene and Rendle, 2020).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.ragged import Ragged
from plait.splitting.splits import Split

__all__ = ["with_sampled_candidates"]


def with_sampled_candidates(split: Split, count: int, seed: int) -> Split:
    """Let each query rank its targets and some drawn items alone.

    Args:
        split: The split with B queries.
        count: How many items are drawn for a query, uniformly and without replacement, among those
            that are available and that the user has not seen; fewer if there are no more.
        seed: The seed of the draws.

    Returns:
        The split, whose queries have candidates.
    """
    catalogue = split.query_time_data.catalogue
    available = catalogue.alive.copy()
    catalogued = catalogue.catalogued()
    if catalogued is not None:
        available &= catalogued
    pool = np.flatnonzero(available)
    generator = np.random.default_rng(seed)
    rows = []
    for row in range(len(split)):
        targets = _row(split.targets, row)
        excluded = np.concatenate([targets, _row(split.queries.seen, row)])
        size = min(len(pool), count + len(excluded))
        drawn = pool[generator.choice(len(pool), size, replace=False)]
        drawn = drawn[~np.isin(drawn, excluded)][:count]
        rows.append(np.concatenate([targets, drawn]).astype(np.int32))
    lengths = np.array([len(row) for row in rows], np.int64)
    candidates = Ragged.from_lengths(np.concatenate([np.zeros(0, np.int32), *rows]), lengths)
    return replace(split, queries=replace(split.queries, candidates=candidates))


def _row(ragged: Ragged, row: int) -> np.typing.NDArray[np.int32]:
    return ragged.values[ragged.offsets[row] : ragged.offsets[row + 1]]
