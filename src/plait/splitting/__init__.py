"""Splits of a data set into training data, queries and targets."""

from plait.splitting.eval_queries import (
    EvalQueries,
    first_seen,
    index_ranges,
    queries_of,
    target_mask,
    user_item_keys,
)
from plait.splitting.held_out_users import held_out_users
from plait.splitting.impressions import (
    ANSWERS,
    OTHER,
    PATIENCE,
    ImpressionItems,
    taken_by,
    with_impressions,
)
from plait.splitting.labelled_examples import (
    Examples,
    click_examples,
    evidence,
    rated_events,
    rating_examples,
)
from plait.splitting.splits import (
    DAY,
    LEAST_QUERIES,
    Seen,
    Split,
    alive_items,
    default_split,
    leave_one_out,
    new_items_at,
    repeat_share,
    time_split,
    window,
)

__all__ = [
    "ANSWERS",
    "DAY",
    "LEAST_QUERIES",
    "OTHER",
    "PATIENCE",
    "EvalQueries",
    "Examples",
    "ImpressionItems",
    "Seen",
    "Split",
    "alive_items",
    "click_examples",
    "default_split",
    "evidence",
    "first_seen",
    "held_out_users",
    "index_ranges",
    "leave_one_out",
    "new_items_at",
    "queries_of",
    "rated_events",
    "rating_examples",
    "repeat_share",
    "taken_by",
    "target_mask",
    "time_split",
    "user_item_keys",
    "window",
    "with_impressions",
]
