"""`plait.score`: metrics of any library's lists on any test data, with intervals and flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from plait.errors import InputError
from plait.experiments.fitted_model import check_count
from plait.experiments.list_frames import read_pairs
from plait.experiments.metric_definitions import (
    Metric,
    RankedLists,
    metric_values,
    own_metric_values,
)
from plait.experiments.score_table import ScoreTable, UserMetrics
from plait.ingest.list_frames import read_lists

__all__ = ["score"]


def score(
    lists: Any,
    test: Any,
    *,
    k: int | Sequence[int] = (10,),
    metrics: Sequence[Metric] | Metric = ("ndcg", "recall"),
    seen: Any = None,
    resamples: int = 1000,
    seed: int = 0,
) -> ScoreTable:
    """Measure recommendation lists.

    Args:
        lists: By name the lists of a model: a frame with user, item and rank or score (of
            `recommend`, RecTools, RecBole, LensKit or your own), or user to a list of items. A
            single one is named "lists".
        test: The targets: a data set, or a frame with user and item. Every user in it counts; one
            without a list counts as 0.
        k: Cut-offs.
        metrics: Names of `plait.experiments.metric_definitions`, or functions of a list of items
            and the set of targets of a user that return a number.
        seen: Interactions that do not count: their items leave the lists, so that others move up,
            and the targets; None: nothing leaves.
        resamples: Samples of users for the intervals.
        seed: The seed of the samples.

    Returns:
        The table: means over users, 95 % intervals, values per user.

    Raises:
        InputError: If a table cannot be understood, or no target is left.

    Example:
        >>> import plait
        >>> lists = {"mine": {"ann": ["lamp", "mug"], "bob": ["mug", "lamp"]}}
        >>> table = plait.score(lists, [("ann", "lamp"), ("bob", "lamp")], k=1)
        >>> table.value("mine", "ndcg@1")
        0.5
    """
    ks = _cutoffs(k)
    names, functions = _split_metrics(metrics)
    past = None if seen is None else read_pairs(seen, "seen")
    targets = _unseen_targets(read_pairs(test, "test"), past)
    users = targets["user"].unique(maintain_order=True)
    by_name = lists if _is_by_name(lists) else {"lists": lists}
    rows = {}
    for name, source in by_name.items():
        frame = read_lists(source, str(name))
        ranked, flags = _ranked(frame, targets, users, past, max(ks))
        values = metric_values(ranked, names, ks) | own_metric_values(ranked, functions)
        rows[str(name)] = UserMetrics(ranked.items, values, flags)
    settings = {
        "k": ks,
        "users": len(users),
        "targets": len(targets),
        "seen": "kept" if past is None else "removed from lists and targets",
        "ties": "expected value over their order",
        "interval": f"95 %, {resamples} bootstrap samples of users, seed {seed}",
    }
    return ScoreTable(users.to_list(), rows, settings, resamples, seed)


def _cutoffs(k: int | Sequence[int]) -> list[int]:
    ks: list[Any] = list(k) if isinstance(k, Sequence | np.ndarray) else [k]
    if not ks:
        raise InputError("k is empty, expected whole numbers from 1 on", field="k")
    for cut in ks:
        check_count(cut, "k")
    return sorted({int(cut) for cut in ks})


def _unseen_targets(targets: pl.DataFrame, past: pl.DataFrame | None) -> pl.DataFrame:
    if past is not None:
        targets = targets.join(past, on=["user", "item"], how="anti", maintain_order="left")
    if not len(targets):
        raise InputError("test has no target", hint="all of them may be in seen", field="test")
    return targets


def _split_metrics(
    metrics: Sequence[Metric] | Metric,
) -> tuple[list[str], dict[str, Callable[[list[str], set[str]], float]]]:
    """The names, and the functions by their names."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    names = [metric for metric in metrics if isinstance(metric, str)]
    functions = {
        getattr(metric, "__name__", f"metric_{index}"): metric
        for index, metric in enumerate(metrics)
        if not isinstance(metric, str)
    }
    return names, functions


def _is_by_name(lists: Any) -> bool:
    """Whether lists are given by the names of models: then the values are tables themselves."""
    if not isinstance(lists, Mapping) or not lists:
        return False
    value = next(iter(lists.values()))
    is_table = hasattr(value, "columns") or isinstance(value, Mapping)
    return is_table or hasattr(value, "column_names")


def _ranked(
    frame: pl.DataFrame,
    targets: pl.DataFrame,
    users: pl.Series,
    past: pl.DataFrame | None,
    depth: int,
) -> tuple[RankedLists, list[str]]:
    """The lists of the users of the test, to the depth that is measured and the ties there."""
    flags = []
    pair = ["user", "item"]
    if past is not None:
        n_before = len(frame)
        frame = frame.join(past, on=pair, how="anti", maintain_order="left")
        if len(frame) < n_before:
            flags.append(f"{n_before - len(frame):,} seen items left the lists")
    frame = frame.sort("score", descending=True, maintain_order=True)
    place = pl.col("score").rank("min", descending=True).over("user")
    frame = frame.filter(place <= depth)
    is_target = targets.with_columns(is_hit=pl.lit(value=True))
    frame = frame.join(is_target, on=pair, how="left", maintain_order="left")
    by_user = frame.group_by("user", maintain_order=True).agg("item", "score", "is_hit")
    order = pl.DataFrame({"user": users}).join(
        by_user, on="user", how="left", maintain_order="left"
    )
    missing = order["item"].null_count()
    if missing:
        flags.append(f"{missing:,} of {len(users):,} users have no list and count as 0")
    items = [entry or [] for entry in order["item"].to_list()]
    width = max(1, *map(len, items))
    short = sum(len(entry) < depth for entry in items) - missing
    if short:
        flags.append(f"{short:,} lists have fewer than {depth} items")
    scores = np.full((len(users), width), -np.inf)
    is_hit = np.zeros((len(users), width), np.bool_)
    lengths = np.array([len(entry) for entry in items])
    cells = np.arange(width) < lengths[:, None]
    listed = order.explode("item", "score", "is_hit").filter(pl.col("item").is_not_null())
    scores[cells] = listed["score"].to_numpy()
    is_hit[cells] = listed["is_hit"].fill_null(value=False).to_numpy()
    wanted_items = (
        pl.DataFrame({"user": users})
        .join(targets.group_by("user").agg("item"), on="user", maintain_order="left")["item"]
        .to_list()
    )
    n_targets = np.array([len(entry) for entry in wanted_items], np.int64)
    return RankedLists(scores, is_hit, n_targets, items, [set(row) for row in wanted_items]), flags
