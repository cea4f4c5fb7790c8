"""Leaves out models that add nothing to the fused ranking of held-out queries."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from plait.data.array_types import Float64Array
from plait.data.history import History
from plait.data.query_batch import QueryBatch
from plait.data.types import CandidateLists
from plait.metrics.dcg import ideal_dcg
from plait.pipeline.fusion_defaults import FusionDefaults
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.stage import Retriever, Stage
from plait.ranking.fusion.candidate_columns import scoring_models, without_model
from plait.ranking.fusion.fuse import Fuse
from plait.ranking.fusion.ranker_training import user_targets
from plait.ranking.fusion.weight_optimization import dcg, is_significant
from plait.training.pipeline_fit import Lesson

__all__ = ["PrunedModel", "Pruning"]

_ERRORS = 2.0
"""How many standard errors a model has to gain to stay."""

_BATCH = 512
_TOP = 10
_IDEAL = ideal_dcg(_TOP)


@dataclass(frozen=True, slots=True)
class PrunedModel:
    """A model that was left out.

    Attributes:
        name: Its name.
        gain: What it adds to NDCG@10 of held-out queries.
        megabytes: The size of its files in a bundle.
    """

    name: str
    gain: float
    megabytes: float

    def to_dict(self) -> dict[str, float | str]:
        """The figures, rounded, as a bundle keeps them."""
        figures = {"gain": round(self.gain, 5), "megabytes": round(self.megabytes, 2)}
        return {"model": self.name, **figures}


@dataclass(slots=True)
class Pruning:
    """Leaves out one model after the other, the one that adds least first.

    Models that declare a part in searches by words stay, and so does a model that answers users
    without a history: held-out queries have neither words nor strangers.

    Attributes:
        pruned: The models that were left out, in order.
    """

    pruned: list[PrunedModel] = field(default_factory=list)

    def __call__(self, pipeline: Pipeline, lesson: Lesson) -> tuple[Pipeline, Lesson]:
        """Leave out models: the function that fitting takes as `reduce`.

        Args:
            pipeline: A pipeline with learned weights.
            lesson: What they were learned from.

        Returns:
            The pipeline without the models, its weights learned again, and the lesson without
            their scores.
        """
        self.pruned = []
        fuse = next((step for step in pipeline.steps if isinstance(step, Fuse)), None)
        if fuse is None or fuse.learned is None:
            return pipeline, lesson
        needed = _needed(pipeline.models)
        while (least := _least_useful(fuse, lesson, needed)) is not None:
            name, fuse, lesson, gain = least
            pruned = next(model for model in pipeline.models if model.name == name)
            with tempfile.TemporaryDirectory() as folder:
                pruned.save(Path(folder))
                size = sum(file.stat().st_size for file in Path(folder).rglob("*"))
            self.pruned.append(PrunedModel(name, gain, size / 1e6))
            pipeline = _without(pipeline, name, fuse)
        return pipeline, lesson


def _least_useful(
    fuse: Fuse, lesson: Lesson, needed: Collection[str]
) -> tuple[str, Fuse, Lesson, float] | None:
    """The model whose absence costs least, if that is within the error, with what remains."""
    names = scoring_models(lesson.items)
    before = _ndcgs(fuse, lesson)
    trials = []
    for name in names if len(names) > 1 else ():
        if name in needed:
            continue
        reduced = replace(lesson, items=without_model(lesson.items, name))
        step = fuse.learn_weights(reduced.queries, reduced.items, reduced.targets)
        gains = before - _ndcgs(step, reduced)
        if not is_significant(gains, _ERRORS):
            trials.append((name, step, reduced, float(gains.mean())))
    return min(trials, key=lambda trial: trial[3], default=None)


def _ndcgs(fuse: Fuse, lesson: Lesson) -> Float64Array:
    """NDCG@10 of the queries that have a target, by the weighted sums, float64 [Q]."""
    values = []
    for start, batch in lesson.queries.batches(_BATCH):
        rows = slice(start, start + len(batch))
        columns = {name: column[rows] for name, column in lesson.items.columns.items()}
        items = CandidateLists(lesson.items.item_numbers[rows], columns)
        targets = lesson.targets.slice(rows.start, rows.stop)
        present, is_target = user_targets(batch, items, targets)
        scores = fuse.weighted_scores(batch, items).scores
        scores = np.where(present & np.isfinite(scores), scores, np.float32(-np.inf))
        asked = np.flatnonzero(targets.lengths)
        ideals = _IDEAL[np.minimum(targets.lengths[asked], _TOP)]
        values.append(dcg(scores[asked], is_target[asked]) / ideals)
    return np.concatenate(values) if values else np.zeros(0)


def _needed(models: Collection[Stage]) -> set[str]:
    """The models that stay whatever held-out queries say."""
    usual = FusionDefaults().text_query_weight
    needed = {
        model.name
        for model in models
        if model.fusion_defaults.must_match_text or model.fusion_defaults.text_query_weight > usual
    }
    stranger = QueryBatch.of_histories(History.empty(1))
    for model in models:
        if isinstance(model, Retriever) and (model.retrieve(stranger, 1).item_numbers >= 0).any():
            return needed | {model.name}
    return needed


def _without(pipeline: Pipeline, name: str, fuse: Fuse) -> Pipeline:
    """The pipeline without a model, and with another fusion."""
    recipe = pipeline.recipe
    models = {key: value for key, value in recipe.models.items() if key != name}
    references = {step.name: step.referenced_models for step in pipeline.steps}
    steps = {
        step: _unreferenced(settings, references.get(step, ()), name)
        for step, settings in recipe.steps.items()
    }
    return replace(
        pipeline,
        recipe=replace(recipe, models=models, steps=steps),
        models=tuple(model for model in pipeline.models if model.name != name),
        steps=tuple(fuse if isinstance(step, Fuse) else step for step in pipeline.steps),
    )


def _unreferenced(settings: Mapping[str, Any], paths: Iterable[str], name: str) -> dict[str, Any]:
    """The settings of a step without a model that those at some paths name."""
    result = dict(settings)
    for path in paths:
        setting, _, rest = path.partition(".")
        value = result.get(setting)
        if rest and isinstance(value, Mapping):
            result[setting] = _unreferenced(value, (rest,), name)
        elif isinstance(value, Mapping):
            result[setting] = {key: entry for key, entry in value.items() if key != name}
        elif isinstance(value, list | tuple):
            result[setting] = [entry for entry in value if entry != name]
    return result
