"""Checks of what a strand answers: scores, candidates, evidence."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import QueryBatch
from plait.pipeline.stage import Explainer, Retriever, Scorer
from plait.testing.stage_case import (
    Answers,
    StageCase,
    able,
    arrays_in,
    dataset_of,
    probe_numbers,
    probes,
    same,
)
from plait.testing.synthetic_data import WORLDS

__all__ = [
    "batch_equals_single",
    "because_names_what_the_user_has",
    "brings_what_it_scores_best_first",
    "inputs_stay_as_they_are",
    "limits_are_kept",
    "nothing_raises",
    "scores_have_their_form",
    "threads_do_not_meet",
]

_NOISE = 1e-5
"""Sums in another order differ by as much."""


def scores_have_their_form(subject: StageCase) -> None:
    """float32 [B, K]; NaN for padding and for numbers that nobody has, never infinite."""
    stage = subject.fitted("market")
    if not able(stage, Scorer):
        return
    size = dataset_of("market").n_items
    for queries, numbers in _asked("market"):
        found = stage.score(queries, numbers)
        assert found.dtype == np.float32, f"{subject} scores {found.dtype}"
        assert found.shape == numbers.shape, f"{subject} scores {found.shape}"
        assert np.isnan(found[numbers < 0]).all(), f"{subject} scores padding"
        beyond = np.isnan(found) | (numbers < size) | _mentioned(queries, numbers)
        assert beyond.all(), f"{subject} scores items that nobody has"
        assert not np.isinf(found).any(), f"{subject} scores infinity"
        none = stage.score(queries, numbers[:, :0])
        assert none.shape == (len(queries), 0), f"{subject} scores {none.shape} for no items"


def batch_equals_single(subject: StageCase) -> None:
    """What a batch is answered equals what each of its questions is answered alone."""
    stage = subject.fitted("market")
    if not able(stage, Scorer):
        return
    for queries, numbers in _asked("market"):
        together = Answers.of(stage, queries, numbers)
        for row in range(len(queries)):
            alone = Answers.of(stage, queries.slice(row, row + 1), numbers[row : row + 1])
            mine = together.scores[row : row + 1]
            assert same(alone.scores, mine, _NOISE), f"{subject} scores a batch otherwise"
            together_worth = _worth(stage, queries.slice(row, row + 1), together.brought[row])
            alone_worth = _worth(stage, queries.slice(row, row + 1), alone.brought[0])
            assert same(alone_worth, together_worth, _NOISE), f"{subject} brings otherwise"


def brings_what_it_scores_best_first(subject: StageCase) -> None:
    """Candidates are at most k int32 numbers, none twice, -1 only behind, by falling score."""
    stage = subject.fitted("market")
    if not able(stage, Retriever):
        return
    size = dataset_of("market").n_items
    for k in (1, 5, size + 7):
        for queries, _ in _asked("market"):
            found = stage.retrieve(queries, k).item_numbers
            _well_formed(found, k, subject)
            assert (found < size + 3).all(), f"{subject} brings numbers that nobody has"
            worth = stage.score(queries, found)
            known = ~np.isnan(worth[found >= 0])
            assert known.all(), f"{subject} brings items that it cannot score"
            steps = np.diff(np.where(found >= 0, worth, np.float32(np.nan)), axis=1)
            falling = np.isnan(steps) | (steps <= _NOISE)
            assert falling.all(), f"{subject} does not bring the best first"


def limits_are_kept(subject: StageCase) -> None:
    """Nothing blocked, and nothing outside the mask (for all, or for each question), is brought."""
    stage = subject.fitted("market")
    if not able(stage, Retriever):
        return
    size = dataset_of("market").n_items + 3
    random = np.random.default_rng(0)
    for queries, _ in _asked("market"):
        rows = [np.flatnonzero(random.random(size) < 0.4).tolist() for _ in range(len(queries))]
        for rows_of_mask in (0, 1, len(queries)):
            mask = random.random((rows_of_mask, size)) < 0.6 if rows_of_mask else None
            asked = replace(queries, blocked=Ragged.from_rows(rows), mask=mask, cache={})
            found = stage.retrieve(asked, 50).item_numbers
            _well_formed(found, 50, subject)
            for row, numbers in enumerate(found):
                brought = numbers[numbers >= 0]
                assert not set(brought.tolist()) & set(rows[row]), f"{subject} brings the blocked"
                if mask is not None:
                    allowed = mask[row if len(mask) > 1 else 0][brought]
                    assert allowed.all(), f"{subject} brings the masked"


def because_names_what_the_user_has(subject: StageCase) -> None:
    """int32 [B, K]: an item of the history or an anchor, or -1."""
    stage = subject.fitted("market")
    if not able(stage, Explainer):
        return
    named = 0
    for queries, numbers in _asked("market"):
        found = stage.explain(queries, numbers)
        assert found.dtype == np.int32, f"{subject} names {found.dtype}"
        assert found.shape == numbers.shape
        assert (found[numbers < 0] == -1).all(), f"{subject} explains padding"
        for row, items in enumerate(found):
            own = {*queries.history.ragged[row].tolist(), *queries.items[row].tolist(), -1}
            assert set(items.tolist()) <= own, f"{subject} names what the user does not have"
        named += int((found >= 0).sum())
    assert named, f"{subject} never says why"


def inputs_stay_as_they_are(subject: StageCase) -> None:
    """Neither fit nor answers change the data set, the questions or the numbers."""
    world = WORLDS["market"]()
    before = _digests(world)
    stage = subject.fit(world)
    assert _digests(world) == before, f"{subject}.fit changes the data set"
    for queries, numbers in _asked("market"):
        asked = replace(queries, mask=np.ones((1, world.n_items + 3), np.bool_))
        told = _digests((asked, numbers))
        Answers.of(stage, asked, numbers)
        assert _digests((asked, numbers)) == told, f"{subject} changes the question"


def nothing_raises(subject: StageCase) -> None:
    """No world is too small or too new: no log, one item, users of one event, no times, Chinese."""
    for world in WORLDS:
        stage = subject.fitted(world)
        for seed in range(3):
            queries = probes(dataset_of(world), seed)
            numbers = probe_numbers(dataset_of(world), len(queries), seed)
            found = Answers.of(stage, queries, numbers)
            assert found.scores.shape[0] == len(queries)
            Answers.of(stage, queries.slice(0, 0), numbers[:0])


def threads_do_not_meet(subject: StageCase) -> None:
    """Threads that ask one stage at a time get what one alone gets."""
    stage = subject.fitted("market")
    asked = list(_asked("market")) * 4
    expected = [Answers.of(stage, queries, numbers) for queries, numbers in asked]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: Answers.of(stage, *one), asked))
    for mine, right in zip(found, expected, strict=True):
        assert mine.same(right, _NOISE), f"{subject} answers otherwise in threads"


def _asked(world: str) -> Iterator[tuple[QueryBatch, Any]]:
    dataset = dataset_of(world)
    for seed in range(4):
        queries = probes(dataset, seed)
        yield queries, probe_numbers(dataset, len(queries), seed)


def _mentioned(queries: QueryBatch, numbers: np.ndarray) -> np.ndarray:
    """Where the question itself holds the item: it exists, whoever has not heard of it."""
    own = [{*queries.history.ragged[row], *queries.items[row]} for row in range(len(queries))]
    return np.array([[one in own[row] for one in line] for row, line in enumerate(numbers)])


def _worth(stage: Any, queries: QueryBatch, brought: np.ndarray) -> np.ndarray:
    """The scores of what was brought: lists whose equals are in another order are equal."""
    found: np.ndarray = stage.score(queries, brought[brought >= 0][None, :])
    return found


def _well_formed(found: np.ndarray, k: int, subject: StageCase) -> None:
    assert found.dtype == np.int32, f"{subject} brings {found.dtype}"
    assert found.shape[1] <= k, f"{subject} brings {found.shape[1]} for k = {k}"
    padding = found < 0
    assert (found[padding] == -1).all()
    assert (np.diff(padding.astype(np.int8), axis=1) >= 0).all(), f"{subject} pads in between"
    for row in found:
        brought = row[row >= 0]
        assert len(set(brought.tolist())) == len(brought), f"{subject} brings an item twice"


def _digests(thing: Any) -> list[tuple[Any, ...]]:
    return [
        (one.shape, repr(one.tolist()) if one.dtype == object else one.tobytes())
        for one in arrays_in(thing)
    ]
