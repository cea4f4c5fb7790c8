"""Which items and targets a fit may use: applies blocked and masked items to queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import QueryBatch
from plait.pipeline.pipeline import Pipeline

__all__ = ["allowed_targets", "with_limits"]


def with_limits(pipeline: Pipeline, queries: QueryBatch) -> QueryBatch:
    """Apply the rules of a recipe to queries, or the limits of the protocol if it has no rules.

    Args:
        pipeline: The pipeline of the recipe.
        queries: Queries without limits.

    Returns:
        The queries with `blocked` and `mask`: seen items are blocked where `keep_seen` is false,
        and deleted items are masked where there is a state view.
    """
    limited = pipeline.limit(queries)
    keep = queries.keep_seen
    if limited.blocked is None and keep is not None:
        counts = np.where(keep, 0, queries.seen.lengths)
        items = queries.seen.values[~keep[queries.seen.rows]]
        limited = replace(limited, blocked=Ragged.from_lengths(items, counts))
    if limited.mask is None and limited.live is not None:
        limited = replace(limited, mask=limited.live.state.catalogue.alive[None, :])
    return limited


def allowed_targets(queries: QueryBatch, targets: Ragged) -> Ragged:
    """Drop the targets that queries block or mask: no response could hold them.

    Args:
        queries: B queries with limits.
        targets: The item numbers of B rows.

    Returns:
        B rows; a row is empty if nothing in it is allowed.
    """
    rows, items = targets.rows, targets.values.astype(np.int64)
    allowed = np.ones(len(items), np.bool_)
    if queries.mask is not None:
        width = queries.mask.shape[1]
        inside = items < width
        mask_rows = rows if len(queries.mask) > 1 else np.zeros_like(rows)
        allowed[inside] = queries.mask[mask_rows[inside], items[inside]]
        allowed &= inside
    if queries.blocked is not None and len(queries.blocked.values):
        blocked = queries.blocked
        width = int(max(items.max(initial=0), blocked.values.max())) + 1
        allowed &= ~np.isin(rows * width + items, blocked.rows * width + blocked.values)
    counts = np.bincount(rows[allowed], minlength=len(targets))
    return Ragged.from_lengths(targets.values[allowed], counts)
