"""What stages may look at while they answer: the fold of the log, read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from plait.data.arrays import Int32Array
from plait.data.catalogue import Catalogue
from plait.data.history import History

__all__ = ["State", "StateView"]


class State(Protocol):
    """The fold of the log that stages may look at; `plait.state` makes it."""

    @property
    def version(self) -> int:
        """The offset of the last event folded in."""

    @property
    def catalogue(self) -> Catalogue:
        """The items as they are now."""

    def user_numbers(self, ids: Sequence[str | None]) -> Int32Array:
        """The numbers of outside ids, -1 where unknown."""

    def history(self, users: Int32Array, kinds: Mapping[str, float]) -> History:
        """Everything these users did; `weights` by kind, negative and zero ones included."""


@dataclass(frozen=True, slots=True, eq=False)
class StateView:
    """The pair a whole request holds: the state, and by stage name what its bundle lacks."""

    state: State
    deltas: Mapping[str, Any] = field(default_factory=dict)
