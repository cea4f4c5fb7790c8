"""`plait.fuse`: one ranking from those of several fitted models, which are not fitted again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.experiments.argument_checks import check_dataset
from plait.experiments.data.dataset import Dataset
from plait.experiments.data.list_frames import read_pairs
from plait.experiments.fusion.fusion_inputs import (
    FUSED_ROW,
    WITHOUT_ROW,
    check_models,
    fusion_settings,
    has_idle_band,
    learns_from_validation,
    recipe_names,
    settings_of_models,
)
from plait.experiments.fusion.fusion_pipeline import (
    fuse_step,
    fusion_pipeline,
    learned_pipeline,
    with_fixed_weights,
)
from plait.experiments.models.fitted_model import FittedModel
from plait.experiments.models.pipeline_stage import PipelineStage
from plait.experiments.models.updates import WARM_SHARE, UpdateOptions, updated
from plait.experiments.scores.metric_definitions import Metric
from plait.experiments.scores.score import score
from plait.experiments.scores.score_table import ScoreTable
from plait.pipeline.fit_context import Progress
from plait.pipeline.pipeline import Pipeline
from plait.pipeline.recipe import Recipe
from plait.ranking.fusion.fuse import Fuse

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Fusion", "fuse"]


def fuse(
    fitted: Mapping[str, FittedModel[Any]],
    *,
    validation: arrays.Dataset | None = None,
    weights: Mapping[str, float] | None = None,
    seen: str = "remove",
    candidates_per_model: int = 200,
    settings: Mapping[str, Any] | None = None,
) -> Fusion:
    """Fuse fitted models: a weighted sum of their comparable scores, as in recipes.

    The weights are learned by length of history, on what the users of `validation` did there after
    their training history; so is the ranker of the methods lambdarank and mixer. No model is
    fitted.

    Args:
        fitted: The models by name, all fitted on the same training data.
        validation: Interactions that no model was fitted on.
        weights: Fixed weights by model in place of learned ones; `validation` is not needed then,
            unless the method learns a ranker.
        seen: "remove": items of the training history are no candidates while weights are learned;
            "keep": they are.
        candidates_per_model: How many items each model retrieves for a user.
        settings: Other settings of the step `fuse` of recipes, such as `method`. Settings that name
            models, such as `transforms`, use the names in `fitted`; `fixed` has fixed weights by
            length of history.

    Returns:
        The fusion, which recommends as a fitted model does.

    Raises:
        InputError: If there are fewer than two models, a name is not allowed, they were fitted on
            different data, `validation` is missing, empty, no data set or has other users or items,
            or weights or settings are wrong.

    Example:
        >>> import plait
        >>> from plait import models
        >>> data = plait.Dataset.from_arrays("aabbccdd", "xyxyxyyx")
        >>> train, validation = data.split_last()
        >>> fitted = {"knn": models.ItemKNN().fit(train), "popular": models.Popular().fit(train)}
        >>> fusion = plait.fuse(fitted, validation=validation, seen="keep")
        >>> fusion.weights.columns
        ['history_from', 'queries', 'knn', 'popular']
    """
    if seen not in ("remove", "keep"):
        raise InputError(f"seen is {seen!r}, expected 'remove' or 'keep'", field="seen")
    check_models(fitted)
    table = fusion_settings(settings, weights, fitted)
    if validation is not None:
        check_dataset(validation, "validation")
    learns = learns_from_validation(table)
    if learns and validation is None:
        raise InputError(
            "fuse learns weights, or a ranker, on validation data, and there are none",
            hint="pass validation=, or weights= with a method without a ranker",
            field="validation",
        )
    return _fused(fitted, validation if learns else None, table, seen, candidates_per_model)


@dataclass(frozen=True, eq=False, repr=False)
class Fusion(FittedModel[Recipe]):
    """Fitted models and their weights; recommends as a fitted model does.

    The score of an item is the weighted sum of the comparable scores of the models among the
    candidates that they retrieve for the user. `scores` takes the candidates of `recommend` with at
    most `candidates_per_model` items, no filter, and seen items as while weights were learned.

    Attributes:
        model: The recipe of the fusion.
        stage: All models as a single one.
        dataset: The training data of the models.
        event_weights: Weights by event type of the models.
        fitted: The fitted models by name.
        validation: What the weights, or a ranker, were learned on; None: weights are fixed, and
            there is no ranker.
        seen: Whether seen items were candidates then.
        settings: Settings of the step `fuse`, in which models go by the names in `fitted`.

    Example:
        >>> import plait
        >>> from plait import models
        >>> train = plait.Dataset.from_arrays("aabbbc", "xyxyzx")
        >>> fitted = {"ease": models.EASE(l2=1.0).fit(train), "top": models.Popular().fit(train)}
        >>> fusion = plait.fuse(fitted, weights={"ease": 1, "top": 0.5})
        >>> fusion.recommend(["c"], k=1)["item"].to_list()
        ['y']
        >>> fusion.save("fusion")
        >>> models.load("fusion").weights["top"].to_list()
        [0.5]
    """

    fitted: Mapping[str, FittedModel[Any]] = field(kw_only=True)
    validation: arrays.Dataset | None = field(kw_only=True)
    seen: str = field(kw_only=True)
    settings: Mapping[str, Any] = field(kw_only=True)

    @property
    def weights(self) -> pl.DataFrame:
        """The weights by length of history.

        A row for each band with the columns history_from (the length at which the band begins),
        queries (how many it was learned from; 0: fixed), and one for each model.
        """
        import polars as pl

        learned = self.step.learned
        if learned is None:
            raise InputError("this method of fusion has no weights by band")
        columns: dict[str, Any] = {"history_from": learned.lower, "queries": learned.queries}
        for name, model in zip(self.fitted, recipe_names(self.fitted), strict=True):
            is_learned = model in learned.models
            zeros = np.zeros(len(learned.lower), np.float32)
            place = learned.models.index(model) if is_learned else 0
            columns[name] = learned.weights[:, place] if is_learned else zeros
        return pl.DataFrame(columns)

    @property
    def ranker(self) -> dict[str, Any] | None:
        """What the ranker of the methods lambdarank and mixer is, and gains on held-out queries.

        None where the method learns none, or where it gained nothing: weights decide alone.
        """
        ranker: dict[str, Any] | None = self.step.describe()["ranker"]
        return ranker

    @property
    def step(self) -> Fuse:
        """The step of recipes that fuses, with its weights."""
        assert isinstance(self.stage, PipelineStage)
        return fuse_step(self.stage.pipeline)

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        fitted: Mapping[str, FittedModel[Any]],
        *,
        validation: arrays.Dataset | None,
        seen: str,
        settings: Mapping[str, Any],
    ) -> Fusion:
        """Return the fusion that a pipeline is.

        Args:
            pipeline: The pipeline, its weights learned or fixed.
            fitted: Its fitted models by name.
            validation: What was learned from; None: nothing.
            seen: Whether seen items were candidates then.
            settings: Settings of the step, in which models go by the names in `fitted`.
        """
        first = next(iter(fitted.values()))
        return cls(
            with_fixed_weights(pipeline),
            PipelineStage(pipeline, without_seen=seen == "remove"),
            first.dataset,
            first.event_weights,
            warm_started=any(model.warm_started for model in fitted.values()),
            fitted=dict(fitted),
            validation=validation,
            seen=seen,
            settings=settings,
        )

    def save(self, path: str | Path) -> None:
        """Write the models and their weights to a folder, which `plait.models.load` reads.

        Args:
            path: The folder. It may hold a saved model, which is replaced, or nothing.

        Raises:
            InputError: If the folder holds any other file, or a class is none of `plait.models`.
            StorageError: If the folder cannot be written.
        """
        from plait.experiments.fusion.fusion_files import save_fusion

        save_fusion(self, path)

    def update(
        self,
        new_events: Any,
        *,
        validation: arrays.Dataset | None = None,
        seed: int = 0,
        share: float = WARM_SHARE,
        progress: Progress | bool | None = None,
        trackers: Any = (),
        callbacks: Any = (),
    ) -> Fusion:
        """Fit every model on the training data and new events. This fusion stays as it is.

        The weights stay, and so does a ranker, unless there is `validation` to learn them from
        again. Without it they are fixed in the result: `ablate` learns none.

        Args:
            new_events: As for `update` of a fitted model.
            validation: Interactions that are not among all of these, with their users and items.
            seed: The seed of random choices.
            share: As for `update` of a fitted model.
            progress: As for `fit`.
            trackers: As for `fit`.
            callbacks: As for `fit`.

        Returns:
            A fusion; its `dataset` holds all events.

        Raises:
            InputError: If the events cannot be read, or only some of all have times.
        """
        train = self._with_events(new_events)
        options = UpdateOptions(validation, seed, share, progress, trackers, callbacks)
        fitted = {name: updated(model, train, options) for name, model in self.fitted.items()}
        depth = self.model.candidates_per_model
        if validation is not None:
            learned_from = validation if learns_from_validation(self.settings) else None
            return _fused(fitted, learned_from, self.settings, self.seen, depth)
        pipeline = fusion_pipeline(fitted, self.settings, self.seen, depth)
        step = self.step.fit(train.weighted(self.event_weights))
        settings = {**self.settings, **self._fixed_weights()}
        return Fusion.of(
            replace(pipeline, steps=(step,)),
            fitted,
            validation=None,
            seen=self.seen,
            settings=settings,
        )

    def _fixed_weights(self) -> dict[str, Any]:
        """The weights as the setting `fixed`, by the names of the models, if there are any."""
        fixed = self.model.steps["fuse"].get("fixed")
        names = dict(zip(recipe_names(self.fitted), self.fitted, strict=True))
        return {} if fixed is None else settings_of_models({"fixed": fixed}, names)

    def recipe(self) -> Recipe:
        """Return these models with these weights as a recipe.

        Every call that takes a recipe takes the fusion itself: `plait.open(home, recipe=fusion)`,
        and `fit` there fits the models on the log of the home and leaves the weights as they are.
        No recipe holds a ranker: under the methods lambdarank and mixer `fit` learns one from the
        log.

        Raises:
            InputError: If a model holds data that no recipe can hold, such as `Given`, or counts
                interactions by their value.
        """
        for name, model in self.fitted.items():
            if model.model.data_names:
                raise InputError(
                    f"{name!r} holds {model.model.data_names[0]}, which no recipe can hold",
                    hint="write them to a file, and name it in a recipe (stages given, vectors)",
                    field=name,
                )
            if model.weight is not None:
                raise InputError(
                    f"{name!r} was fitted with weight={model.weight!r}, which no recipe has",
                    hint="fit it without weight to serve the fusion",
                    field=name,
                )
        return self.model

    def ablate(
        self,
        test: Any,
        *,
        k: int | Sequence[int] = 10,
        metrics: Sequence[Metric] | Metric = ("ndcg", "recall"),
        seen: str | Dataset | None = None,
    ) -> ScoreTable:
        """Measure the fusion, the fusions without one model each, and every model alone.

        Nothing is fitted. Learned weights are learned again for the models that are left; fixed
        weights stay. A model that alone has a fixed weight in some band has no row "without:NAME":
        nothing would rank.

        Args:
            test: The targets, as for `plait.score`.
            k: Cut-offs.
            metrics: Names of metrics, or functions, as for `plait.score`.
            seen: As for `recommend`; None: as while weights were learned.

        Returns:
            The rows "fused", "without:NAME" and NAME for each model.

        Raises:
            InputError: If the test cannot be understood.
        """
        rule = self.seen if seen is None else seen
        past = {"remove": self.dataset}.get(rule) if isinstance(rule, str) else rule
        rows: dict[str, FittedModel[Any]] = {FUSED_ROW: self}
        for name in self.fitted:
            if (fewer := self._without(name)) is not None:
                rows[f"{WITHOUT_ROW}{name}"] = fewer
        rows |= self.fitted
        cutoffs = list(k) if isinstance(k, Iterable) else [k]
        users = read_pairs(test, "test")["user"].unique(maintain_order=True).to_list()
        lists = {name: row.recommend(users, max(cutoffs), seen=rule) for name, row in rows.items()}
        return score(lists, test, k=cutoffs, metrics=metrics, seen=past)

    def _without(self, name: str) -> FittedModel[Any] | None:
        """The fusion of the other models; None if their fixed weights are 0."""
        others = {other: model for other, model in self.fitted.items() if other != name}
        table = settings_of_models(self.settings, {other: other for other in others})
        if has_idle_band(table):
            return None
        if len(others) == 1:
            return next(iter(others.values()))
        depth = self.model.candidates_per_model
        return _fused(others, self.validation, table, self.seen, depth)

    def __repr__(self) -> str:
        names = ", ".join(self.fitted)
        return f"Fusion({names}) fitted on {str(self.dataset).partition(chr(10))[0]}"


def _fused(
    fitted: Mapping[str, FittedModel[Any]],
    validation: arrays.Dataset | None,
    table: Mapping[str, Any],
    seen: str,
    depth: int,
) -> Fusion:
    """The fusion of checked models, its weights learned unless `table` fixes them."""
    pipeline = fusion_pipeline(fitted, table, seen, depth)
    if validation is not None:
        pipeline = learned_pipeline(pipeline, next(iter(fitted.values())), validation, seen)
    return Fusion.of(pipeline, fitted, validation=validation, seen=seen, settings=table)
