"""What stages may learn from held-out targets: settings, a few weights, or a ranker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

from plait.data.ragged import Ragged
from plait.data.types import CandidateLists, Dataset, QueryBatch
from plait.pipeline.stage import Stage

__all__ = ["HasLearnedRanker", "HasLearnedWeights", "SelfTuning"]


@runtime_checkable
class HasLearnedWeights(Protocol):
    """A step with a few numbers that are learned from held-out targets, such as the fusion."""

    def learns_weights(self, models: Sequence[Stage]) -> bool:
        """Return whether there is anything to learn for some models.

        Args:
            models: The models of the pipeline.
        """

    def learn_weights(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        """Learn from held-out targets.

        Args:
            queries: B queries.
            items: Their candidates [B, K], scored by every model.
            targets: The relevant items of each query.

        Returns:
            A new step.
        """


@runtime_checkable
class HasLearnedRanker(Protocol):
    """A step that may learn many numbers, from models that did not see the targets."""

    @property
    def has_ranker(self) -> bool:
        """Whether its settings say so."""

    def learn_ranker(self, queries: QueryBatch, items: CandidateLists, targets: Ragged) -> Self:
        """Learn from held-out targets.

        Args:
            queries: B queries.
            items: Their candidates [B, K], scored by every model.
            targets: The relevant items of each query.

        Returns:
            A new step.
        """

    def with_ranker_of(self, other: Self) -> Self:
        """This step with the ranker that another one learned.

        Args:
            other: A step with the same settings, fitted on other data.
        """


@runtime_checkable
class SelfTuning(Protocol):
    """A fitted model with a setting that is chosen by held-out targets."""

    def select_setting(self, dataset: Dataset, queries: QueryBatch, targets: Ragged) -> Self:
        """Choose the setting under which the targets rank best.

        Args:
            dataset: The data set that the model was fitted on.
            queries: B queries.
            targets: The relevant items of each query.

        Returns:
            The model with the best setting, fitted on the same data; later fits keep the setting.
        """
