"""A data set as a state, for evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.recent_interactions import RecentInteractions
from plait.data.types import Dataset, History, event_type_weights
from plait.state.interaction_index import InteractionIndex, InteractionRows, SortedRun

__all__ = ["DatasetState"]


@dataclass(frozen=True, slots=True, eq=False)
class DatasetState:
    """A data set seen as a state: what evaluation hands to stages that ask for one.

    Attributes:
        dataset: The snapshot.
        events: Its interactions, all event types included.
    """

    dataset: Dataset
    events: InteractionIndex

    @staticmethod
    def of(dataset: Dataset) -> DatasetState:
        """Make the state of a snapshot.

        Args:
            dataset: The snapshot.

        Returns:
            The state.
        """
        columns = dataset.interactions
        rows = InteractionRows(columns.users, columns.items, columns.event_types, columns.times)
        runs = (SortedRun.from_rows(rows),) if len(columns) else ()
        return DatasetState(dataset, InteractionIndex(runs))

    @property
    def version(self) -> int:
        """The offset that the snapshot goes up to."""
        return self.dataset.version

    @property
    def catalogue(self) -> Catalogue:
        """The items of the snapshot."""
        return self.dataset.catalogue

    @property
    def users(self) -> Catalogue:
        """The users of the snapshot."""
        return self.dataset.users

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of its event types."""
        return self.dataset.event_types

    @property
    def recent(self) -> RecentInteractions:
        """None: nothing comes after a snapshot."""
        return RecentInteractions()

    @property
    def arrivals(self) -> Int64Array:
        """Unknown: a snapshot does not say when items arrived."""
        return np.zeros(0, np.int64)

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Return everything that users did, oldest first.

        Args:
            users: int32 [B] user numbers, -1 for an unknown user.
            kinds: The weight of each event type; "*" stands for any other.

        Returns:
            The histories, with the weight of every event.
        """
        offsets, rows = self.events.batch_rows(users)
        weights = event_type_weights(self.event_types, kinds)
        return History(offsets, rows.items, rows.times, weights[rows.event_types], rows.event_types)
