"""Fits a fitted model again on more data, from what it learned where it can."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from plait.data import dataset as arrays
from plait.errors import InputError
from plait.experiments.argument_checks import check_fit
from plait.experiments.data.dataset import Dataset
from plait.experiments.models.fit_data import FitData, fit_stage
from plait.experiments.models.fit_options import reported_progress, run_name, trackers_of
from plait.pipeline.fit_context import FitContext, Progress
from plait.pipeline.stage import Fittable, WarmStarter
from plait.training.callbacks import callbacks_of
from plait.utils.number_arguments import plain_number

if TYPE_CHECKING:
    from plait.experiments.models.fitted_model import FittedModel

__all__ = ["WARM_SHARE", "UpdateOptions", "updated"]

ModelT = TypeVar("ModelT")

WARM_SHARE = 0.25
"""The share of its first epochs that a model makes which goes on; see docs/benchmarks.md."""

_LEAST_SHARE = 0.001
"""The smallest share, as a share of nothing would learn nothing."""


@dataclass(frozen=True, slots=True)
class UpdateOptions:
    """How a model is fitted again.

    Attributes:
        validation: As for `Estimator.fit`.
        seed: The seed of random choices.
        share: The share of its first epochs, rounds or samples that a model makes which goes on.
        progress: As for `Estimator.fit`.
        trackers: As for `Estimator.fit`.
        callbacks: As for `Estimator.fit`.
    """

    validation: arrays.Dataset | None
    seed: int
    share: float
    progress: Progress | bool | None
    trackers: Any
    callbacks: Any


def updated(
    fitted: FittedModel[ModelT], train: Dataset, options: UpdateOptions
) -> FittedModel[ModelT]:
    """Fit a model on other data, from what it learned where it can go on from there.

    Args:
        fitted: The fitted model, which stays as it is.
        train: The data; users and items of the earlier training data have the same numbers.
        options: How.

    Returns:
        A fitted model on `train`.

    Raises:
        InputError: If the model learns nothing, or an option is not valid.
    """
    if not isinstance(fitted.stage, Fittable):
        message = f"{fitted.model!r} cannot be updated"
        raise InputError(message, hint="fit it again on all data", field="new_events")
    check_fit(train, options.validation, options.seed)
    share = plain_number(options.share, "share", least=_LEAST_SHARE, greatest=1)
    data = FitData(train, options.validation, fitted.event_weights, fitted.weight)
    is_warm = isinstance(fitted.stage, WarmStarter) and fitted.stage.can_warm_start
    with reported_progress(options.progress) as report:
        context = FitContext(
            seed=int(options.seed),
            progress=report,
            trackers=trackers_of(options.trackers, None),
            callbacks=callbacks_of(options.callbacks),
            name=run_name(type(fitted.model).__name__),
            warm_start=is_warm,
            warm_share=share,
        )
        stage = fit_stage(fitted.stage, data, context)
    return replace(fitted, stage=stage, dataset=data.train, warm_started=is_warm)
