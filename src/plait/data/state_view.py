"""The state that stages read while they answer queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from plait.data.array_types import Int32Array, Int64Array
from plait.data.catalogue import Catalogue
from plait.data.history import History
from plait.data.recent_interactions import RecentInteractions

__all__ = ["State", "StateView"]


class State(Protocol):
    """What stages may see of the live state (a projection of the log); `plait.state` makes it."""

    @property
    def version(self) -> int:
        """The offset of the last event that is applied."""

    @property
    def catalogue(self) -> Catalogue:
        """The items now."""

    @property
    def users(self) -> Catalogue:
        """The users now."""

    @property
    def event_types(self) -> tuple[str, ...]:
        """The names of the event types by the numbers that a `History` has."""

    @property
    def recent(self) -> RecentInteractions:
        """The newest interactions."""

    @property
    def arrivals(self) -> Int64Array:
        """When each item was first described, int64 [up to n_items]; `NO_TIME` for unknown."""

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Return the whole histories of users.

        Args:
            users: int32 [B], user numbers.
            kinds: Weights by event type, see `event_type_weights`.

        Returns:
            B histories; events of negative and zero weight are included.
        """


@dataclass(frozen=True, slots=True, eq=False)
class StateView:
    """The state as one request sees it from begin to end.

    Attributes:
        state: One version of the state.
        deltas: By stage name, the updates of items since the stage was fitted.
    """

    state: State
    deltas: Mapping[str, Any] = field(default_factory=dict)
