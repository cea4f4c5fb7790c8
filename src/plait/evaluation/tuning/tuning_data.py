"""The data of a search for settings: without test targets, of all users and of a few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from plait.data.types import Dataset
from plait.errors import InputError
from plait.evaluation.protocol import Protocol
from plait.evaluation.tuning.without_test_targets import RESAMPLES, sample_users, validation_data
from plait.pipeline.fit_cache import FitCache, stage_key
from plait.pipeline.recipe import Recipe, build_stage
from plait.pipeline.search_space import Choice, Range
from plait.splitting.own_split import OwnSplit

__all__ = ["TuningData", "cache_of_unsearched", "tuning_data"]

SHARE = 0.25
"""Share of the users that a trial is evaluated on first; a poor one is pruned there."""


@dataclass(frozen=True, slots=True, eq=False)
class TuningData:
    """A data set without test targets.

    Attributes:
        dataset: The data set.
        split: Its parts under the protocol "split".
    """

    dataset: Dataset
    split: OwnSplit | None = None


def tuning_data(
    dataset: Dataset,
    protocol: Protocol,
    recipe: Recipe,
    test: Dataset | None,
    split: OwnSplit | None,
) -> tuple[TuningData, TuningData, Protocol]:
    """Remove the test targets from the data of a search.

    Args:
        dataset: The data set.
        protocol: The resolved protocol.
        recipe: The recipe, for its weights of event types.
        test: Separate test ratings.
        split: For the protocol "split" the training data, and as its test the validation data.

    Returns:
        The data of all users, those of a few, and the protocol that measures trials.
    """
    if split is None:
        inner, validation = validation_data(dataset, protocol, recipe.event_weights, test)
        few_users = inner.keep(sample_users(inner, SHARE, protocol.seed)[inner.interactions.users])
        return TuningData(inner), TuningData(few_users), validation
    sampled = sample_users(dataset, SHARE, protocol.seed)
    of_few = dataset.keep(sampled[dataset.interactions.users])
    validation = replace(protocol, refit=False, resamples=RESAMPLES)
    try:
        few = TuningData(of_few, split.keep_users(sampled))
    except InputError:  # a part without interactions: no trial is pruned
        few = TuningData(dataset, split)
    return TuningData(dataset, split), few, validation


def cache_of_unsearched(recipe: Recipe, space: Mapping[str, Range | Choice]) -> FitCache:
    """Return a cache for the models whose settings no trial changes.

    Args:
        recipe: The recipe.
        space: The searched settings by "stage.setting".
    """
    searched = {name.partition(".")[0] for name in space}
    return FitCache(
        stage_key(build_stage(name, settings))
        for name, settings in recipe.models.items()
        if name not in searched
    )
