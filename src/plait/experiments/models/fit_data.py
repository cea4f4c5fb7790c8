"""What a single model is fitted on: evidence, weights, the validation set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plait.data import dataset as arrays
from plait.data.array_types import Float32Array, Int32Array
from plait.data.query_batch import QueryBatch
from plait.data.ragged import Ragged, index_ranges
from plait.errors import InputError
from plait.experiments.argument_checks import check_dataset
from plait.experiments.data.dataset import Dataset
from plait.pipeline.fit_context import FitContext, ValidationSet
from plait.pipeline.recipe import load_recipe
from plait.pipeline.stage import Fittable, Stage, Trainable
from plait.pipeline.stage_calls import fit_stage as checked_fit
from plait.splitting.eval_queries import EvalQueries, queries_of

__all__ = [
    "FitData",
    "fit_stage",
    "queries_for",
    "seen_items",
    "validation_set",
]


@dataclass(frozen=True, slots=True, eq=False)
class FitData:
    """The data of a fit.

    Attributes:
        train: The training data.
        validation: Interactions to predict from those of `train`; None: none.
        event_weights: Weights by event type; events of weight 0 or less are no evidence.
        weight: "value" or "log" if an interaction counts by its value, as for `fit`; None: it does
            not.
    """

    train: Dataset
    validation: arrays.Dataset | None
    event_weights: dict[str, float]
    weight: str | None = None

    def evidence(self) -> arrays.Dataset:
        """Return the training data without the events of weight 0 or less and leaking relations.

        Raises:
            InputError: If nothing is left, or a value is missing or not above 0.
        """
        data: arrays.Dataset = self.train.weighted(self.event_weights)
        if len(self.train.interactions) and not len(data.interactions):
            names = ", ".join(self.train.event_types)
            message = f"no interaction is evidence: all event types ({names}) have weight 0 or less"
            raise InputError(message, hint="pass event_weights", field="event_weights")
        if self.weight is not None:
            events = data.interactions
            weights = events.weights * _value_weights(events.values, self.weight)
            data = replace(data, interactions=replace(events, weights=weights))
        relations = load_recipe("default").excluded_relations
        return replace(data, triples=data.triples.without_relations(relations))


def fit_stage(stage: Stage, data: FitData, context: FitContext) -> Stage:
    """Fit a stage.

    Args:
        stage: The stage.
        data: What it is fitted on.
        context: How; its validation set is set here.

    Returns:
        A fitted stage.

    Raises:
        InputError: As `FitData` and the stage raise it.
    """
    evidence, held = data.evidence(), None
    if data.validation is not None:
        held = validation_set(data.train, data.validation, data.event_weights, data.weight)
    context = replace(context, held=held)
    fitted: Stage = stage
    context.progress(f"fit {stage.name}", 0, 1)
    if isinstance(stage, Trainable | Fittable):
        fitted = checked_fit(stage, evidence, context)
    context.progress(f"fit {stage.name}", 1, 1)
    return fitted


def validation_set(
    train: arrays.Dataset,
    validation: arrays.Dataset,
    event_weights: dict[str, float],
    weight: str | None = None,
) -> ValidationSet:
    """Return the histories of the users of validation data, and what they did there.

    Args:
        train: The data set of the histories.
        validation: The interactions to predict.
        event_weights: Weights by event type; events of weight 0 or less are no targets.
        weight: "value" or "log" if an interaction counts by its value, as for `fit`.

    Raises:
        InputError: If `validation` is no data set, or has other users or items than `train`.
    """
    check_dataset(validation, "validation")
    same_users = train.users.ids == validation.users.ids
    if not same_users or train.catalogue.ids != validation.catalogue.ids:
        raise InputError(
            "validation has other users or items than train",
            hint="split one data set: data = Dataset.of([train_frame, validation_frame]), then "
            "data.matching(train_frame) and data.matching(validation_frame)",
            field="validation",
        )
    later = validation.weighted(event_weights).interactions
    users, counts = np.unique(later.users, return_counts=True)
    targets = Ragged.from_lengths(later.items, counts.astype(np.int64))
    queries = queries_for(train, users.astype(np.int32), event_weights, weight)
    return ValidationSet(queries, targets)


def queries_for(
    dataset: arrays.Dataset,
    users: Int32Array,
    event_weights: dict[str, float],
    weight: str | None = None,
) -> QueryBatch:
    """Build the queries of users from all their interactions.

    Args:
        dataset: The data set.
        users: int32 [B], user numbers, -1 for unknown users.
        event_weights: Weights by event type.
        weight: "value" or "log" if an interaction counts by its value, as for `fit`.

    Returns:
        B queries at the time of the last interaction.
    """
    numbers = dataset.interactions.users
    starts, stops = (
        np.searchsorted(numbers, users, side).astype(np.int64) for side in ("left", "right")
    )
    times = dataset.interactions.times
    now = np.full(len(users), times.max(initial=0), np.int64)
    eval_queries = EvalQueries(users, starts, stops, now, Ragged.empty(len(users)))
    queries = queries_of(dataset, eval_queries, event_weights, None)
    if weight is None or queries.events is None:
        return queries
    values = dataset.interactions.values[index_ranges(starts, stops - starts)]
    factors = _value_weights(values[queries.events.weights > 0], weight)
    history = queries.history
    weighted = replace(history, weights=(history.weights * factors).astype(np.float32))
    return replace(queries, history=weighted)


def seen_items(dataset: arrays.Dataset, past: arrays.Dataset, user_ids: list[str]) -> Ragged:
    """Look up what users interacted with in another data set.

    Args:
        dataset: The data set whose item numbers are returned.
        past: The data set of the interactions; it may have other users, items and numbers.
        user_ids: B external ids.

    Returns:
        The items of each user, without those that `dataset` does not have.
    """
    seen = queries_for(past, past.users.numbers(user_ids), {}).seen
    if past.catalogue.ids == dataset.catalogue.ids:
        return seen
    numbers = dataset.catalogue.numbers(past.catalogue.ids)[seen.values]
    return replace(seen, values=numbers).filter(numbers >= 0)


def _value_weights(values: Float32Array, weight: str) -> Float32Array:
    """What the weights of interactions are multiplied with: their values, which must be above 0."""
    if not (values > 0).all():
        n_wrong = int(np.count_nonzero(~(values > 0)))
        raise InputError(
            f"{n_wrong:,} of {len(values):,} interactions have no value above 0",
            hint='filter("value > 0") leaves them out',
            field="weight",
        )
    return values if weight == "value" else np.log2(1 + values)
