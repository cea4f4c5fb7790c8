"""`plait.score`: metrics of any library's lists on any test data, with intervals and flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from plait.data.array_types import Float64Array
from plait.errors import InputError
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.scores.beyond_accuracy import CATALOGUE_METRICS, beyond_accuracy_values
from plait.experiments.scores.evaluated_users import evaluated_users
from plait.experiments.scores.item_facts import ItemFacts
from plait.experiments.scores.metric_definitions import (
    Metric,
    RankedLists,
    metric_values,
    own_metric_values,
)
from plait.experiments.scores.score_request import ScoreRequest, score_request
from plait.experiments.scores.score_slices import Slices, score_slices
from plait.experiments.scores.score_table import ScoreTable, UserMetrics
from plait.ingest.list_frames import is_frame, is_scores, read_lists
from plait.utils.number_arguments import whole_number

__all__ = ["score"]


_MAX_RESAMPLES = 1_000_000


def score(
    lists: Any,
    test: Any,
    *,
    k: int | Sequence[int] = (10,),
    metrics: Sequence[Metric] | Metric = ("ndcg", "recall"),
    seen: Any = None,
    train: Any = None,
    items: Any = None,
    users: Any = None,
    slices: Sequence[str] | str = (),
    candidates: str = "all",
    propensity: float = 0.5,
    resamples: int = 1000,
    seed: int = 0,
) -> ScoreTable:
    """Measure recommendation lists.

    Args:
        lists: By name the lists of a model: a table with user, item and rank or score; or user to
            items, to item to score, or to (item, score) tuples. A single one is named "lists".
        test: The targets: a data set, a table with user and item, or user to items. Every user in
            it counts, one without a list as 0, unless all targets of the user are in `seen`.
        k: Cut-offs.
        metrics: Names of `plait.experiments.scores.metric_definitions` and `beyond_accuracy`, or
            functions of a list of items and a set of targets.
        seen: Interactions whose items leave lists and targets: as for `test`, or a list of several
            of them; None: nothing leaves.
        train: Training interactions, for metrics beyond accuracy and slices; None: `seen`.
        items: Fields of items, for revenue, similarity and slices; None: those of `train`.
        users: Fields of users, for slices; likewise.
        slices: "history", "popularity", or categories of users or items.
        candidates: "all", or "sampled:99": the lists keep the targets and 99 random items.
        propensity: The power of popularity that is the propensity for `recall@ips`, `ndcg@ips`.
        resamples: Samples of users for the intervals.
        seed: The seed of the samples.

    Returns:
        The table: means over users, 95 % intervals, values per user.

    Raises:
        InputError: If a table, an option or a metric lacks what it needs.

    Example:
        >>> import plait
        >>> lists = {"mine": {"ann": ["lamp", "mug"], "bob": ["mug", "lamp"]}}
        >>> plait.score(lists, [("ann", "lamp"), ("bob", "lamp")], k=1).value("mine", "ndcg@1")
        0.5
    """
    resamples = whole_number(resamples, "resamples", least=1, greatest=_MAX_RESAMPLES)
    request = score_request(k, metrics, slices, candidates, propensity, seed)
    evaluated = evaluated_users(test, seen, train, items, users, request)
    frames = _read_models(lists)
    depth = max(request.ks)
    ranked = {name: evaluated.ranked(frame, depth) for name, frame in frames.items()}
    parts = score_slices(request.slices, evaluated.users.to_list(), evaluated.facts)
    rows = {name: _row(*lists, request, parts, evaluated.facts) for name, lists in ranked.items()}
    settings = evaluated.settings(request)
    settings["interval"] = f"95 %, {resamples} bootstrap samples of users, seed {seed}"
    return ScoreTable(evaluated.users.to_list(), rows, settings, resamples, seed)


def _row(
    lists: RankedLists,
    flags: Sequence[str],
    request: ScoreRequest,
    slices: Slices,
    facts: ItemFacts,
) -> UserMetrics:
    """All metrics of a model, in the order of their names."""
    values = metric_values(lists, request.accuracy, request.ks)
    if request.others:
        values |= beyond_accuracy_values(lists, request.others, request.ks, facts)
    values |= own_metric_values(lists, request.functions)
    by_slice: dict[str, dict[str, Float64Array]] = {}
    for name, is_inside in slices.users.items():
        by_slice[name] = {
            metric: np.where(is_inside, column, np.nan)
            for metric, column in values.items()
            if not metric.startswith(CATALOGUE_METRICS)
        }
    for name, counts in slices.items.items():
        rows, part = lists.with_targets(counts)
        if len(rows) and request.accuracy:
            by_slice[name] = {}
            for metric, column in metric_values(part, request.accuracy, request.ks).items():
                by_slice[name][metric] = np.full(len(lists.items), np.nan)
                by_slice[name][metric][rows] = column
    return UserMetrics(lists.items, values, flags, by_slice)


def _is_by_name(lists: Any) -> bool:
    """Whether lists are given by the names of models: then the values are tables themselves."""
    if not isinstance(lists, Mapping) or not lists:
        return False
    value = next(iter(lists.values()))
    if isinstance(value, Mapping):
        return not is_scores(value)
    is_rows = isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
    return is_rows or is_frame(value) or value is None or isinstance(value, FittedModel)


def _read_models(lists: Any) -> dict[str, pl.DataFrame]:
    """The lists of each model by its name."""
    frames = {}
    for key, source in (lists if _is_by_name(lists) else {"lists": lists}).items():
        name = str(key)
        if isinstance(source, FittedModel):
            message = f"{name} is a fitted model, expected its lists"
            hint = "pass what its recommend(test, k=...) returns"
            raise InputError(message, hint=hint, field=name)
        frames[name] = read_lists(source, name)
    return frames
