"""Controls of a query beside its filters: seen items by event type, boosts, pins."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Boost", "Cooldown", "PinnedItem", "SeenRule"]


@dataclass(frozen=True, slots=True)
class Cooldown:
    """For how long matching items stay away after an event with them.

    Attributes:
        filter: A filter expression: which items.
        days: How many days.
    """

    filter: str
    days: float


@dataclass(frozen=True, slots=True)
class SeenRule:
    """Which items that a user knows may not be returned.

    Attributes:
        exclude: The event types that count, in lower case; empty: all.
        days: For how many days an item stays away after the user's last such event; None: for
            good; 0: not at all.
        cooldowns: Other periods for some items; the first one whose expression matches holds.
    """

    exclude: tuple[str, ...] = ()
    days: float | None = None
    cooldowns: tuple[Cooldown, ...] = ()


@dataclass(frozen=True, slots=True)
class Boost:
    """Moves matching items up (a factor above 1) or down (below 1).

    Attributes:
        filter: A filter expression: which items.
        factor: How far; see `plait.ranking.boost_and_bury`.
    """

    filter: str
    factor: float


@dataclass(frozen=True, slots=True)
class PinnedItem:
    """An item with a fixed position.

    Attributes:
        item: The external id.
        position: The position, from 1.
    """

    item: str
    position: int
