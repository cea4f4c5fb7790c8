"""Checks of what a model returns: scores, candidates and explanations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.array_types import Float32Array, Int32Array
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged
from plait.pipeline.stage import Explainer, Retriever, Scorer
from plait.testing.queries import ask, probe_numbers, probes
from plait.testing.stage_case import Answers, StageCase, able, arrays_in, dataset_of, same
from plait.testing.synthetic_data import WORLDS

__all__ = [
    "check_batch_equals_single",
    "check_explains_by_own_items",
    "check_handles_edge_cases",
    "check_inputs_unchanged",
    "check_respects_filters",
    "check_retrieves_best_first",
    "check_score_format",
    "check_thread_safe",
    "check_unknown_is_no_constant",
]

_TOLERANCE = 1e-5
"""Sums that are taken in another order differ by as much."""


def check_score_format(case: StageCase) -> None:
    """Scores are float32 [B, K], never infinite; NaN for padding and for items that do not exist.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Scorer):
        return
    n_items = dataset_of("market").n_items
    for queries, numbers in _queries("market"):
        scores = stage.score(queries, numbers)
        assert scores.dtype == np.float32, f"{case} returns scores of type {scores.dtype}"
        assert scores.shape == numbers.shape, f"{case} returns scores of shape {scores.shape}"
        assert np.isnan(scores[numbers < 0]).all(), f"{case} scores padding"
        # What the query itself holds exists, even if the fit did not have it.
        own = [{*queries.history.ragged[row], *queries.items[row]} for row in range(len(queries))]
        mentioned = [[number in own[row] for number in line] for row, line in enumerate(numbers)]
        is_known = (numbers < n_items) | np.array(mentioned, np.bool_)
        assert (np.isnan(scores) | is_known).all(), f"{case} scores items that do not exist"
        assert not np.isinf(scores).any(), f"{case} returns infinite scores"
        empty = stage.score(queries, numbers[:, :0])
        assert empty.shape == (len(queries), 0), f"{case} returns {empty.shape} for no items"


def check_batch_equals_single(case: StageCase) -> None:
    """A query has the same answer in a batch and alone.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Scorer):
        return
    for queries, numbers in _queries("market"):
        batch = Answers.of(stage, queries, numbers)
        for row in range(len(queries)):
            query = queries.slice(row, row + 1)
            single = Answers.of(stage, query, numbers[row : row + 1])
            batch_scores = batch.scores[row : row + 1]
            assert same(single.scores, batch_scores, _TOLERANCE), f"{case} scores batches otherwise"
            # Compared by score: candidates with equal scores may come in another order.
            expected = _scores_of(stage, query, batch.candidates[row])
            actual = _scores_of(stage, query, single.candidates[0])
            assert same(actual, expected, _TOLERANCE), f"{case} retrieves otherwise in a batch"


def check_retrieves_best_first(case: StageCase) -> None:
    """Candidates are at most k different int32 numbers by falling score, padded with -1 at the end.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Retriever):
        return
    n_items = dataset_of("market").n_items
    for k in (1, 5, n_items + 7):
        for queries, _ in _queries("market"):
            candidates = stage.retrieve(queries, k).item_numbers
            _check_candidate_format(candidates, k, case)
            assert (candidates < n_items + 3).all(), f"{case} retrieves items that do not exist"
            scores = stage.score(queries, candidates)
            has_score = ~np.isnan(scores[candidates >= 0])
            assert has_score.all(), f"{case} retrieves items that it cannot score"
            steps = np.diff(np.where(candidates >= 0, scores, np.float32(np.nan)), axis=1)
            is_falling = np.isnan(steps) | (steps <= _TOLERANCE)
            assert is_falling.all(), f"{case} does not retrieve the best first"


def check_respects_filters(case: StageCase) -> None:
    """No candidate is blocked or outside of the mask, be it one for all queries or one for each.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Retriever):
        return
    width = dataset_of("market").n_items + 3
    random = np.random.default_rng(0)
    for queries, _ in _queries("market"):
        blocked = [np.flatnonzero(random.random(width) < 0.4).tolist() for _ in range(len(queries))]
        for n_masks in (0, 1, len(queries)):
            mask = random.random((n_masks, width)) < 0.6 if n_masks else None
            filtered = replace(queries, blocked=Ragged.from_rows(blocked), mask=mask, cache={})
            candidates = stage.retrieve(filtered, 50).item_numbers
            _check_candidate_format(candidates, 50, case)
            for row, numbers in enumerate(candidates):
                items = numbers[numbers >= 0]
                assert not set(items.tolist()) & set(blocked[row]), (
                    f"{case} retrieves blocked items"
                )
                if mask is not None:
                    is_allowed = mask[row if len(mask) > 1 else 0][items]
                    assert is_allowed.all(), f"{case} retrieves masked items"


def check_explains_by_own_items(case: StageCase) -> None:
    """Explanations are int32 [B, K]: an item of the history or of the query, or -1.

    A stage that scores some of the items explains some of them.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Explainer):
        return
    n_explained, has_scores = 0, not able(stage, Scorer)
    for queries, numbers in _queries("market"):
        because = stage.explain(queries, numbers)
        assert because.dtype == np.int32, f"{case} returns explanations of type {because.dtype}"
        assert because.shape == numbers.shape
        assert (because[numbers < 0] == -1).all(), f"{case} explains padding"
        for row, items in enumerate(because):
            own = {*queries.history.ragged[row].tolist(), *queries.items[row].tolist(), -1}
            assert set(items.tolist()) <= own, f"{case} explains by items that the user lacks"
        n_explained += int((because >= 0).sum())
        has_scores = has_scores or bool(np.isfinite(stage.score(queries, numbers)).any())
    assert n_explained or not has_scores, f"{case} never explains anything"


def check_inputs_unchanged(case: StageCase) -> None:
    """Neither a fit nor an answer changes the data set, the queries or the item numbers.

    Args:
        case: The stage to check.
    """
    dataset = WORLDS["market"]()
    before = _digests(dataset)
    stage = case.fit(dataset)
    assert _digests(dataset) == before, f"{case}.fit changes the data set"
    for queries, numbers in _queries("market"):
        masked = replace(queries, mask=np.ones((1, dataset.n_items + 3), np.bool_))
        before = _digests((masked, numbers))
        Answers.of(stage, masked, numbers)
        assert _digests((masked, numbers)) == before, f"{case} changes its input"


def check_handles_edge_cases(case: StageCase) -> None:
    """Small and unusual data sets work: no events, one item, no times, Chinese text.

    Args:
        case: The stage to check.
    """
    for world in WORLDS:
        stage = case.fitted(world)
        for queries, numbers in _queries(world, seeds=3):
            answers = Answers.of(stage, queries, numbers)
            assert answers.scores.shape[0] == len(queries)
            Answers.of(stage, queries.slice(0, 0), numbers[:0])


def check_thread_safe(case: StageCase) -> None:
    """Threads that use one stage at the same time get the answers that one thread gets.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    inputs = list(_queries("market")) * 4
    expected = [Answers.of(stage, queries, numbers) for queries, numbers in inputs]
    with ThreadPoolExecutor(2) as pool:
        actual = list(pool.map(lambda pair: Answers.of(stage, *pair), inputs))
    for threaded, single in zip(actual, expected, strict=True):
        assert threaded.same(single, _TOLERANCE), f"{case} answers otherwise in threads"


def check_unknown_is_no_constant(case: StageCase) -> None:
    """What is unknown has no score, or one that depends on the item or on the query.

    Unknown is a query of which nothing is known, and an item without interactions.

    Args:
        case: The stage to check.
    """
    stage = case.fitted("market")
    if not able(stage, Scorer):
        return
    dataset = dataset_of("market")
    numbers = np.arange(dataset.n_items, dtype=np.int32)[None]
    scores = stage.score(ask(dataset.catalogue, []), numbers)
    values = np.unique(scores[~np.isnan(scores)])
    is_constant = len(values) == 1 and np.isfinite(scores).sum() > 1
    assert not is_constant, (
        f"{case} scores every item {float(values[0]):g} for a query of which nothing is known; "
        "expected NaN"
    )
    is_unused = ~np.isin(numbers[0], dataset.interactions.items)
    unused = np.concatenate(
        [
            stage.score(queries, np.tile(numbers[0, is_unused], (len(queries), 1)))
            for queries, _ in _queries("market")
        ]
    )
    is_constant = not np.isnan(unused).any() and len(np.unique(unused)) == 1
    assert not is_constant, (
        f"{case} scores every item without interactions {float(unused.flat[0]):g} for every query; "
        "expected NaN"
    )


def _queries(world: str, seeds: int = 4) -> Iterator[tuple[QueryBatch, Int32Array]]:
    dataset = dataset_of(world)
    for seed in range(seeds):
        queries = probes(dataset, seed)
        yield queries, probe_numbers(dataset, len(queries), seed)


def _scores_of(stage: Any, query: QueryBatch, candidates: Int32Array) -> Float32Array:
    """The scores of the candidates of one query, float32 [1, n]."""
    scores: Float32Array = stage.score(query, candidates[candidates >= 0][None, :])
    return scores


def _check_candidate_format(candidates: Int32Array, k: int, case: StageCase) -> None:
    assert candidates.dtype == np.int32, f"{case} retrieves numbers of type {candidates.dtype}"
    assert candidates.shape[1] <= k, f"{case} retrieves {candidates.shape[1]} items for k = {k}"
    is_padding = candidates < 0
    assert (candidates[is_padding] == -1).all()
    assert (np.diff(is_padding.astype(np.int8), axis=1) >= 0).all(), f"{case} pads in between"
    for row in candidates:
        items = row[row >= 0].tolist()
        assert len(set(items)) == len(items), f"{case} retrieves an item twice"


def _digests(value: Any) -> list[tuple[Any, ...]]:
    return [
        (array.shape, repr(array.tolist()) if array.dtype == object else array.tobytes())
        for array in arrays_in(value)
    ]
