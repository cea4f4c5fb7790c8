"""Calls stages and checks what they return, so that an error names the stage at fault.

An exception of a stage keeps its type and gets a note with the name of the stage and the method. A
pipeline checks the stages of plug-ins at every call; it calls built-in stages directly, which
`plait.testing.conformance` checks in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from plait.data.types import CandidateLists, Dataset, Float32Array, Int32Array, QueryBatch
from plait.errors import StageError
from plait.pipeline.fit_context import FitContext
from plait.pipeline.stage import (
    Explainer,
    Filler,
    Fittable,
    ProgressFittable,
    RatingPredictor,
    Reranker,
    Retriever,
    Scorer,
    Stage,
    Trainable,
)

__all__ = [
    "Retrieve",
    "StageCalls",
    "all_scores",
    "call_step",
    "changed_stage",
    "explain_items",
    "fit_stage",
    "noted",
    "predict_ratings",
    "retrieve_items",
    "score_items",
]

Retrieve = Callable[[QueryBatch, int], CandidateLists]
"""`retrieve` of a stage."""
Score = Callable[[QueryBatch, Int32Array], Float32Array]
"""`score` of a stage."""
Explain = Callable[[QueryBatch, Int32Array], Int32Array]
"""`explain` of a stage."""
Rerank = Callable[[QueryBatch, CandidateLists], CandidateLists]
"""`apply` or `fill` of a stage."""


@dataclass(frozen=True, slots=True)
class StageCalls:
    """What a pipeline calls, in the order of its recipe: stages, each with one of its functions.

    Abilities are looked up once, because `isinstance` of a protocol is slow.

    Attributes:
        retrievers: Models with `retrieve`.
        scorers: Models with `score`.
        explainers: Models with `explain`.
        steps: Steps with `apply`, or else `fill`.
    """

    retrievers: tuple[tuple[Stage, Retrieve], ...]
    scorers: tuple[tuple[Stage, Score], ...]
    explainers: tuple[tuple[Stage, Explain], ...]
    steps: tuple[tuple[Stage, Rerank], ...]

    @staticmethod
    def of(models: Sequence[Stage], steps: Sequence[Stage]) -> StageCalls:
        """Look up the functions of stages.

        Args:
            models: The models of a pipeline.
            steps: Its steps.

        Returns:
            Their functions; those of plug-ins check what they return.
        """
        return StageCalls(
            tuple(
                (model, model.retrieve if _is_built_in(model) else partial(retrieve_items, model))
                for model in models
                if isinstance(model, Retriever)
            ),
            tuple(
                (model, model.score if _is_built_in(model) else partial(score_items, model))
                for model in models
                if isinstance(model, Scorer)
            ),
            tuple(
                (model, model.explain if _is_built_in(model) else partial(explain_items, model))
                for model in models
                if isinstance(model, Explainer)
            ),
            tuple(
                (step, call if _is_built_in(step) else partial(call_step, step, call))
                for step in steps
                if isinstance(step, Reranker | Filler)
                for call in (step.apply if isinstance(step, Reranker) else step.fill,)
            ),
        )


def fit_stage(stage: Fittable | Trainable, dataset: Dataset, context: FitContext) -> Any:
    """Fit a stage; one that trains by gradient is trained.

    Args:
        stage: The stage.
        dataset: The data set.
        context: What a fit needs.

    Returns:
        The fitted stage.

    Raises:
        StageError: If the fit returns anything else.
    """
    name = _name(stage)
    method = "train" if isinstance(stage, Trainable) else "fit"
    try:
        if isinstance(stage, Trainable):
            fitted: Any = stage.train(dataset, context.for_stage(name))
        elif isinstance(stage, ProgressFittable):
            progress = context.for_stage(name).progress
            fitted = stage.fit_with_progress(dataset, seed=context.seed, progress=progress)
        else:
            fitted = stage.fit(dataset, seed=context.seed)
    except Exception as problem:
        noted(problem, stage, method)
        raise
    return _checked_stage(stage, method, fitted)


def changed_stage(stage: Stage, method: str, *inputs: Any) -> Any:
    """Let a stage make another one, as `select_setting` of models and `learn_weights` of steps do.

    Args:
        stage: The stage.
        method: The name of the method.
        inputs: What it is called with.

    Returns:
        The other stage.

    Raises:
        StageError: If the method returns anything else.
    """
    try:
        changed = getattr(stage, method)(*inputs)
    except Exception as problem:
        noted(problem, stage, method)
        raise
    return _checked_stage(stage, method, changed)


def predict_ratings(
    model: RatingPredictor, queries: QueryBatch, numbers: Int32Array
) -> Float32Array:
    """Predict ratings.

    Args:
        model: The model.
        queries: B queries.
        numbers: Item numbers, int32 [B, K].

    Returns:
        float32 [B, K].

    Raises:
        StageError: If the model returns anything else.
    """
    return _matrix(model, "predict", model.predict, queries, numbers)


def retrieve_items(model: Retriever, queries: QueryBatch, k: int) -> CandidateLists:
    """Retrieve candidates.

    Args:
        model: The model.
        queries: B queries.
        k: The number of candidates.

    Returns:
        Candidates [B, at most k], -1 pads.

    Raises:
        StageError: If the model returns anything else.
    """
    try:
        items: Any = model.retrieve(queries, k)
    except Exception as problem:
        noted(problem, model, "retrieve")
        raise
    if not isinstance(items, CandidateLists):
        hint = "return CandidateLists(item_numbers)"
        raise _error(model, "retrieve", _described(items), "CandidateLists", hint)
    numbers: Any = items.item_numbers
    if (
        isinstance(numbers, np.ndarray)
        and numbers.dtype == np.int32
        and numbers.ndim == 2
        and len(numbers) == len(queries.users)
        and numbers.shape[1] <= k
    ):
        return items
    expected = f"int32 [{len(queries)}, at most {k}]"
    raise _error(model, "retrieve", f"item numbers {_described(numbers)}", expected)


def score_items(model: Scorer, queries: QueryBatch, numbers: Int32Array) -> Float32Array:
    """Score items.

    Args:
        model: The model.
        queries: B queries.
        numbers: Item numbers, int32 [B, K].

    Returns:
        float32 [B, K].

    Raises:
        StageError: If the model returns anything else.
    """
    return _matrix(model, "score", model.score, queries, numbers)


def all_scores(
    model: Stage, call: Callable[[QueryBatch], Any], queries: QueryBatch
) -> Float32Array:
    """Score all items.

    Args:
        model: The model.
        call: Its `score_all`.
        queries: B queries.

    Returns:
        Floating-point numbers [B, n], as `score_all` returned them.

    Raises:
        StageError: If the model returns anything else.
    """
    scores = call(queries)
    if (
        isinstance(scores, np.ndarray)
        and scores.dtype.kind == "f"
        and scores.ndim == 2
        and len(scores) == len(queries.users)
    ):
        return scores
    raise _error(model, "score_all", _described(scores), f"float32 [{len(queries)}, items]")


def explain_items(model: Explainer, queries: QueryBatch, numbers: Int32Array) -> Int32Array:
    """Find the items that explain candidates.

    Args:
        model: The model.
        queries: B queries.
        numbers: Item numbers, int32 [B, K].

    Returns:
        int32 [B, K].

    Raises:
        StageError: If the model returns anything else.
    """
    try:
        because: Any = model.explain(queries, numbers)
    except Exception as problem:
        noted(problem, model, "explain")
        raise
    shape = numbers.shape
    if isinstance(because, np.ndarray) and because.dtype == np.int32 and because.shape == shape:
        return because
    raise _error(model, "explain", _described(because), f"int32 {list(shape)}")


def call_step(
    step: Stage,
    method: Callable[[QueryBatch, CandidateLists], CandidateLists],
    queries: QueryBatch,
    items: CandidateLists,
) -> CandidateLists:
    """Let a step add columns, or candidates behind the others.

    Args:
        step: The step.
        method: Its `apply` or `fill`.
        queries: B queries.
        items: Their candidates [B, K].

    Returns:
        The candidates with more columns, [B, K or more].

    Raises:
        StageError: If the step returns anything else.
    """
    name = getattr(method, "__name__", "apply")
    try:
        result: Any = method(queries, items)
    except Exception as problem:
        noted(problem, step, name)
        raise
    if not isinstance(result, CandidateLists):
        hint = "return items.with_columns(**{'name': column})"
        raise _error(step, name, _described(result), "CandidateLists", hint)
    if result is items:
        return result
    shape, before = result.item_numbers.shape, items.item_numbers.shape
    rows, width = shape
    if rows != before[0] or width < before[1]:
        raise _error(step, name, f"candidates {list(shape)}", f"{list(before)}")
    columns: dict[str, Any] = dict(result.columns)
    for column, values in columns.items():
        if not isinstance(values, np.ndarray) or values.shape[:2] != shape:
            text = f"the column {column!r} as {_described(values)}"
            raise _error(step, name, text, f"an array [{rows}, {width}]")
    return result


def _matrix(
    model: object,
    method: str,
    call: Callable[[QueryBatch, Int32Array], Any],
    queries: QueryBatch,
    numbers: Int32Array,
) -> Float32Array:
    """What a model computes for items, float32 [B, K]."""
    try:
        values = call(queries, numbers)
    except Exception as problem:
        noted(problem, model, method)
        raise
    shape = numbers.shape
    if isinstance(values, np.ndarray) and values.dtype == np.float32 and values.shape == shape:
        return values
    raise _error(model, method, _described(values), f"float32 {list(shape)}")


def _checked_stage(stage: object, method: str, result: Any) -> Any:
    """What a method returned, which must be a stage."""
    if not isinstance(result, Stage):
        hint = "return the fitted copy that self.clone() made"
        raise _error(stage, method, _described(result), "a fitted stage", hint)
    return result


def noted(problem: Exception, stage: object, method: str) -> Exception:
    """Add to an exception which stage raised it.

    Args:
        problem: The exception.
        stage: The stage.
        method: The name of the method that was called.

    Returns:
        The exception, with one note more unless it has this note already or names the stage itself.
    """
    note = f"in {_place(stage, method)}"
    if not isinstance(problem, StageError) and note not in getattr(problem, "__notes__", ()):
        problem.add_note(note)
    return problem


def _is_built_in(stage: object) -> bool:
    """Whether the class of a stage ships with this package."""
    return type(stage).__module__.partition(".")[0] == __name__.partition(".")[0]


def _described(value: Any) -> str:
    """The type of a value; of an array dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype.name} {list(value.shape)}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _error(stage: object, method: str, actual: str, expected: str, hint: str = "") -> StageError:
    message = f"{_place(stage, method)} returned {actual}, expected {expected}"
    default = "plait.testing.conformance checks the contract of a stage"
    return StageError(message, hint=hint or default, field=_name(stage))


def _place(stage: object, method: str) -> str:
    cls = type(stage)
    return f"{method} of the stage {_name(stage)!r} ({cls.__module__}:{cls.__qualname__})"


def _name(stage: object) -> str:
    return str(getattr(stage, "name", type(stage).__name__))
