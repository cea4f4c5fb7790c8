"""Asks strands about examples: predictions and scores of given items, one for each example."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, Float32Array, Int32Array, QueryBatch
from plait.evaluation.ranking.inference import final_scores, state_view_of
from plait.evaluation.results.report import FUSED
from plait.metrics.ties import Doubles
from plait.pipeline.batch_inference import batch_size, in_batches, n_active_threads
from plait.pipeline.pipeline import Pipeline
from plait.splitting.labelled_examples import Examples
from plait.training.recipe_fit import Progress, with_limits
from plait.utils.peak_memory import PeakMemory

__all__ = ["Predictions", "StageCosts", "asked_each", "metered", "scored"]

_BESIDE = 100
"""So many items stand beside those of a question where their scores are fused."""


@dataclass(slots=True)
class StageCosts:
    """What a row costs, by name: the last fit and the asking, in seconds, and the peak in MB."""

    fit: dict[str, float] = field(default_factory=dict)
    ask: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0

    def watch(self, peak: PeakMemory) -> Callable[[str, float], None]:
        """What a fit is told to tell."""

        def heard(stage: str, spent: float) -> None:
            self.fit[stage], self.memory[stage] = spent, peak.peak_since_last()

        return heard


@dataclass(slots=True)
class Predictions:
    """A row that predicts: `values` float64 [N] for each seed; `known`: the share of the examples
    for which the model had an answer of its own.
    """

    model: str
    values: list[Doubles]
    baseline: bool = False
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_mb: float = 0.0
    known: float = 1.0


@contextmanager
def metered(cost: StageCosts, name: str) -> Iterator[None]:
    """Add the seconds of a block to what asking `name` takes."""
    began = time.perf_counter()
    yield
    cost.ask[name] = cost.ask.get(name, 0.0) + time.perf_counter() - began


def asked_each(
    pipeline: Pipeline,
    examples: Examples,
    work: Callable[[QueryBatch, Int32Array], Float32Array],
    progress: Progress,
    beside: Int32Array | None = None,
) -> Doubles:
    """What `work(queries, numbers [B, K])` says of every example, float64 [N].

    `beside`: items that every query is asked about as well, behind its own, and that are no
    examples.
    """
    live = state_view_of(pipeline, examples.asked)
    queries = replace(examples.queries, live=live, candidates=examples.numbers)
    size = batch_size(examples.train.n_items)
    found: list[Float32Array] = []

    def answer(_start: int, piece: QueryBatch) -> Float32Array:
        mine = piece.candidates
        assert mine is not None
        if beside is not None:
            piece = replace(piece, candidates=_joined(mine, beside))
        assert piece.candidates is not None
        said = work(piece, piece.candidates.to_padded())
        return said[np.arange(said.shape[1]) < mine.lengths[:, None]]

    for start, one in in_batches(queries, answer, size=size):
        found.append(one)
        progress("ask", min(start + size, len(queries)), len(queries))
    return np.concatenate(found).astype(np.float64)


def _joined(mine: Ragged, more: Int32Array) -> Ragged:
    """Each row with the items of `more` behind it that it does not hold."""
    owners = np.repeat(np.arange(len(mine)), len(more))
    others = np.tile(more, len(mine))
    width = max(int(mine.values.max(initial=0)), int(more.max(initial=0))) + 2  # one is ABSENT
    new = ~np.isin(owners * width + others, mine.rows * width + mine.values)
    rows = np.concatenate([mine.rows, owners[new]])
    values = np.concatenate([mine.values, others[new]])[np.argsort(rows, kind="stable")]
    return Ragged.from_lengths(values, np.bincount(rows, minlength=len(mine)))


def _usual(train: Dataset) -> Int32Array:
    """`_BESIDE` items with an event, drawn by how many they have and by `tiebreak`."""
    counts = np.bincount(train.interactions.items, minlength=train.n_items)
    taken = np.flatnonzero(counts)
    # The smallest of exponential draws, each with its rate: a sample without replacement
    # (Efraimidis & Spirakis, 2006).
    chance = (train.catalogue.tiebreak[taken] + 1.0) / (2.0**64 + 1.0)
    order = np.argsort(-np.log(chance) / counts[taken], kind="stable")
    return taken[order[:_BESIDE]].astype(np.int32)


def scored(
    pipeline: Pipeline, examples: Examples, progress: Progress, cost: StageCosts
) -> dict[str, Doubles]:
    """By row, `fused` first, the scores of all examples, float64 [N]; NaN: cannot know.

    Fusion compares the items of a question with each other. So that an example's score hangs little
    on what else was shown, and says something where nothing was, each is asked about among the same
    usual items.
    """
    quiet = pipeline.without(*(one.name for one in pipeline.steps if "*.because" in one.reads))
    names = [one.name for one in quiet.models]
    # Where several threads work at a time, so many of their seconds are one of the clock's.
    threads = n_active_threads(len(examples.queries), batch_size(examples.train.n_items))

    def watch(name: str, spent: float) -> None:
        strand, _, part = name.rpartition(".")
        if part == "score":
            cost.ask[strand] = cost.ask.get(strand, 0.0) + spent / threads

    def work(queries: QueryBatch, numbers: Int32Array) -> Float32Array:
        asked = with_limits(quiet, queries)
        items: CandidateLists = quiet.rerank(asked, quiet.retrieve_and_score(asked, watch), watch)
        columns = [final_scores(items, quiet), *(items.column(f"{one}.score") for one in names)]
        return np.stack(columns, axis=-1)

    with metered(cost, FUSED):
        table = asked_each(quiet, examples, work, progress, _usual(examples.train))
    return dict(zip((FUSED, *names), table.T, strict=True))
