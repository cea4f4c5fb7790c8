"""Evaluates the bundle in use by judgements of a file."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.array_types import ABSENT, Float32Array, Float64Array, Int32Array
from plait.data.candidates import CandidateLists
from plait.data.types import Query
from plait.errors import InputError, MissingExtraError
from plait.evaluation.judged.encoded_baseline import EncodedBaseline
from plait.evaluation.judged.judged_metrics import DEPTH, list_metrics, score_metrics
from plait.evaluation.judged.judged_report import PROTOCOLS, JudgedReport
from plait.evaluation.judged.judgements import Judgements, judgements_of
from plait.evaluation.judged.plain_bm25 import Bm25s, PlainBm25
from plait.evaluation.results.report import FUSED, Result
from plait.metrics.bootstrap import Interval
from plait.pipeline.stage import Retriever, Scorer
from plait.ranking.relevance.labelled_searches import holding_out, relevance_step
from plait.utils.optional_imports import is_installed
from plait.utils.peak_memory import PeakMemory
from plait.workspace.fit import Progress
from plait.workspace.judgement_files import read_judgements
from plait.workspace.loaded_model import LoadedModel
from plait.workspace.query_validation import MAX_ITEMS, MAX_TEXT

__all__ = ["evaluate_judgements"]

_RRF_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack et al., 2009)."""

_MOST_ENCODED = 200_000
"""More items are not encoded for a baseline: it would take longer than an evaluation should."""


def evaluate_judgements(
    model: LoadedModel,
    source: Any,
    *,
    protocol: str,
    recipe: str | None,
    k: int,
    seed: int,
    progress: Progress,
) -> JudgedReport:
    """Measure the loaded model, each of its models and baselines.

    Args:
        model: The model that answers.
        source: Judgements, as `read_judgements` takes them.
        protocol: "collection" or "rerank".
        recipe: The name of the recipe that the model should have; None: any.
        k: The cut-off.
        seed: The seed of resamples and folds.
        progress: Called with the step, how much of it is done, and how much there is.

    Raises:
        InputError: If there is no such protocol, the model is of another recipe, or the
            judgements cannot be read.
    """
    if protocol not in PROTOCOLS:
        raise InputError(
            f"{protocol!r} measures no judgements", hint=" or ".join(PROTOCOLS), field="protocol"
        )
    if not 1 <= k <= DEPTH:
        raise InputError(f"k is {k}, expected 1 to {DEPTH}", field="k")
    fitted = model.pipeline.recipe.name
    if recipe is not None and Path(recipe).stem != fitted:
        raise InputError(
            f"the bundle in use has the recipe {fitted!r}, not {recipe!r}",
            hint=f"plait fit --recipe {recipe} first",
            field="recipe",
        )
    judgements = judgements_of(read_judgements(source), model.state.catalogue)
    with PeakMemory() as memory:
        measured = (_Collection if protocol == "collection" else _Rerank)(
            model, judgements, progress
        )
        for row, text in enumerate(judgements.queries):
            measured.run(row, text)
            if row % 50 == 0:
                progress("search", row, len(judgements.queries))
    data = {
        "queries": len(judgements.queries),
        "judgements": len(judgements.items),
        "unknown_items": judgements.n_unknown,
        "fingerprint": judgements.fingerprint,
        "relevant_from": round(judgements.relevant_from, 4),
    }
    if measured.n_learned:
        data["learned_queries"] = measured.n_learned
    results = list(measured.results(k, seed, memory.peak / 1e6))
    return JudgedReport(protocol, k, model.bundle, results, measured.left_out, data, seed)


class _Measured:
    """The answers to all queries: of the recipe, of each of its models, and of baselines."""

    ability: type[Any]

    def __init__(self, model: LoadedModel, judgements: Judgements, progress: Progress) -> None:
        self.model, self.judgements = model, judgements
        self.n_learned = 0
        """How many queries the bundle learned from; trees that have not seen them answer."""
        self._by_fold: dict[int, LoadedModel] = {-1: model}
        models = model.pipeline.models
        self.names = [stage.name for stage in models if isinstance(stage, self.ability)]
        catalogue = model.state.catalogue
        self.baselines: dict[str, PlainBm25 | Bm25s | EncodedBaseline] = {
            "bm25-default": PlainBm25(catalogue)
        }
        self.left_out: dict[str, str] = {}
        if is_installed("bm25s"):
            self.baselines["bm25s"] = Bm25s(catalogue)
        else:
            self.left_out["bm25s"] = "the package bm25s is not installed (pip install bm25s)"
        self._add_encoded(progress)
        self.seconds: Float64Array = np.zeros(len(judgements.queries))
        self._stage_seconds: defaultdict[str, float] = defaultdict(float)

    def _add_encoded(self, progress: Progress) -> None:
        """Encode the items that can be scored, or say why the encoder is left out."""
        numbers = self.scored_items()
        if len(numbers) > _MOST_ENCODED:
            reason = f"{len(numbers):,} items to encode, expected at most {_MOST_ENCODED:,}"
            self.left_out["minilm"] = reason
            return
        try:
            catalogue = self.model.state.catalogue
            self.baselines["minilm"] = EncodedBaseline(catalogue, numbers, progress)
        except MissingExtraError as problem:
            self.left_out["minilm"] = f"{problem} ({problem.hint})"

    @abstractmethod
    def scored_items(self) -> Int32Array:
        """The items of which a baseline needs the score, int32 ascending."""

    @abstractmethod
    def query(self, row: int, text: str) -> Query:
        """The query of a row."""

    @abstractmethod
    def note(self, row: int, items: CandidateLists) -> None:
        """Keep the answer to a query."""

    @abstractmethod
    def note_baseline(self, row: int, name: str, scores: Float32Array) -> None:
        """Keep the scores of a baseline."""

    @abstractmethod
    def metrics(self, k: int, seed: int) -> Iterator[tuple[str, Mapping[str, Interval]]]:
        """The rows of the report."""

    def run(self, row: int, text: str) -> None:
        """Answer a query."""
        queries = [self.query(row, text[:MAX_TEXT])]
        model = self._without(text)
        start = time.perf_counter()
        items = model.run(queries, self._watch)[1]
        self.seconds[row] = time.perf_counter() - start
        self.note(row, items)
        for name, baseline in self.baselines.items():
            start = time.perf_counter()
            self.note_baseline(row, name, baseline.scores(text))
            self._watch(f"{name}.score", time.perf_counter() - start)

    def _without(self, text: str) -> LoadedModel:
        """The model as it would be, had it not learned from the judgements of a query."""
        step = relevance_step(self.model.pipeline)
        learned = step.learned if step is not None else None
        fold = -1 if learned is None else learned.fold_of(text)
        self.n_learned += fold >= 0
        if fold not in self._by_fold:
            pipeline = holding_out(self.model.pipeline, fold)
            self._by_fold[fold] = replace(self.model, pipeline=pipeline)
        return self._by_fold[fold]

    def results(self, k: int, seed: int, peak_mb: float) -> Iterator[Result]:
        """The rows of the report, with what each took."""
        for name, metrics in self.metrics(k, seed):
            is_baseline = name != FUSED and name not in self.names
            seconds = self._stage_seconds[f"{name}.retrieve"] + self._stage_seconds[f"{name}.score"]
            row_metrics = dict(metrics)
            if name == FUSED:
                seconds = float(self.seconds.sum())
                latencies = np.percentile(self.seconds * 1000, [50, 99]).tolist()
                for key, value in zip(("p50_ms", "p99_ms"), latencies, strict=True):
                    row_metrics[key] = Interval(value, nan, nan)
            yield Result(name, is_baseline, 0.0, seconds, peak_mb, row_metrics)

    def _watch(self, stage: str, seconds: float) -> None:
        self._stage_seconds[stage] += seconds


class _Collection(_Measured):
    """All items are ranked."""

    ability = Retriever

    def __init__(self, model: LoadedModel, judgements: Judgements, progress: Progress) -> None:
        super().__init__(model, judgements, progress)
        shape = (len(judgements.queries), DEPTH)
        names = (FUSED, *self.names, *self.baselines, "rrf")
        self._lists = {name: np.full(shape, ABSENT, np.int32) for name in names}

    def scored_items(self) -> Int32Array:
        """All that are not deleted."""
        return np.flatnonzero(self.model.state.catalogue.alive).astype(np.int32)

    def query(self, row: int, text: str) -> Query:
        """A search of all items."""
        return Query(text=text, k=DEPTH, seen="keep")

    def note(self, row: int, items: CandidateLists) -> None:
        """Keep the list of the recipe, those of its models, and their reciprocal rank fusion."""
        numbers = items.item_numbers[0]
        self._set(FUSED, row, numbers, items.columns["order"][0].astype(np.float32))
        reciprocal = np.zeros(len(numbers), np.float32)
        for name in self.names:
            if f"{name}.rank" in items.columns:
                ranks = items.columns[f"{name}.rank"][0].astype(np.float32)
                self._set(name, row, numbers, ranks)
                reciprocal += np.where(ranks >= 0, 1 / (_RRF_OFFSET + 1 + ranks), 0)
        self._set("rrf", row, numbers, np.where(reciprocal > 0, 1 - reciprocal, -1))

    def note_baseline(self, row: int, name: str, scores: Float32Array) -> None:
        """Keep the best items."""
        numbers = np.flatnonzero(scores > 0).astype(np.int32)
        ranks = np.argsort(np.argsort(-scores[numbers], kind="stable"))
        self._set(name, row, numbers, ranks.astype(np.float32))

    def metrics(self, k: int, seed: int) -> Iterator[tuple[str, Mapping[str, Interval]]]:
        """Those of lists."""
        for name, lists in self._lists.items():
            yield name, list_metrics(lists, self.judgements, k, seed)

    def _set(self, name: str, row: int, numbers: Int32Array, ranks: Float32Array) -> None:
        """Keep the items with a rank of 0 or more, in the order of their ranks."""
        ranked = np.flatnonzero(ranks >= 0)
        order = ranked[np.argsort(ranks[ranked], kind="stable")][:DEPTH]
        self._lists[name][row, : len(order)] = numbers[order]


class _Rerank(_Measured):
    """The judged items of each query are ranked."""

    ability = Scorer

    def __init__(self, model: LoadedModel, judgements: Judgements, progress: Progress) -> None:
        super().__init__(model, judgements, progress)
        self.left_out["rrf"] = "it fuses lists of the protocol collection"
        names = (FUSED, *self.names, *self.baselines)
        size = len(judgements.items)
        self._scores = {name: np.full(size, np.nan, np.float32) for name in names}

    def scored_items(self) -> Int32Array:
        """Those that are judged."""
        return np.unique(self.judgements.items)

    def query(self, row: int, text: str) -> Query:
        """A ranking of the judged items."""
        items = self.judgements.of_query(row)[0].tolist()[:MAX_ITEMS]
        ids = tuple(map(self.model.state.catalogue.id, items))
        return Query(text=text, candidates=ids, k=len(ids), seen="keep")

    def note(self, row: int, items: CandidateLists) -> None:
        """Keep the scores of the recipe and of its models."""
        numbers = items.item_numbers[0]
        for name in (FUSED, *self.names):
            column = items.columns.get("score" if name == FUSED else f"{name}.score")
            if column is not None:
                scores = np.full(len(self.model.state.catalogue), np.nan, np.float32)
                scores[numbers[numbers >= 0]] = column[0][numbers >= 0]
                self.note_baseline(row, name, scores)

    def note_baseline(self, row: int, name: str, scores: Float32Array) -> None:
        """Keep the scores of the judged items."""
        start, end = self.judgements.offsets[row : row + 2].tolist()
        self._scores[name][start:end] = scores[self.judgements.items[start:end]]

    def metrics(self, k: int, seed: int) -> Iterator[tuple[str, Mapping[str, Interval]]]:
        """Those of scores."""
        for name, scores in self._scores.items():
            yield name, score_metrics(scores, self.judgements, k, seed)
