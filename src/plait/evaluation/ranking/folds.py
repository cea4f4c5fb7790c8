"""From a protocol to what is fitted, what the fusion learns on, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from plait.data.types import Dataset
from plait.evaluation.protocol import Protocol
from plait.splitting.held_out_users import held_out_users
from plait.splitting.splits import Split, leave_one_out, time_split

__all__ = ["Fold", "plans"]

FOLDS: tuple[Literal["test", "validation"], ...] = ("validation", "test")

MOST = 10_000
"""The most queries that a fusion learns from."""


class Fold(NamedTuple):
    """`learn`: what the fusion may look at. `test`: what nobody sees before the end.

    `refit`: whether strands are fitted again, on `test.train`, once the fusion has learned.
    `window`: the day on which a test window begins, where there are several.
    """

    learn: Split
    test: Split
    refit: bool
    window: str = ""


def plans(dataset: Dataset, protocol: Protocol, kinds: Mapping[str, float]) -> list[Fold]:
    """The splits of a resolved protocol that ranks, one plan for each test window, oldest first.

    `kinds` weighs the histories as a recipe does.
    """
    if protocol.name == "time":
        back = range(protocol.windows, 0, -1)
        return [_window(dataset, protocol, kinds, one) for one in back]
    return [_users(dataset, protocol, kinds)]


def _users(dataset: Dataset, protocol: Protocol, kinds: Mapping[str, float]) -> Fold:
    """Folds by user: the last events of all of them, or everything of some of them."""
    goal, seed, seen = protocol.goal, protocol.seed, protocol.seen
    if protocol.name == "leave-one-out":
        learn = leave_one_out(
            dataset, "validation", seen, goal=goal, kinds=kinds, most=MOST, seed=seed
        )
        test = leave_one_out(dataset, "test", seen, goal=goal, kinds=kinds, refit=protocol.refit)
        return Fold(learn, test, protocol.refit)
    found = {
        fold: held_out_users(
            dataset,
            fold,
            seen or "remove",
            share=protocol.test_users,
            fold_in=protocol.fold_in,
            goal=goal,
            kinds=kinds,
            most=MOST if fold == "validation" else 0,
            seed=seed,
            refit=protocol.refit and fold == "test",
        )
        for fold in FOLDS
    }
    return Fold(found["validation"], found["test"], protocol.refit)


def _window(dataset: Dataset, protocol: Protocol, kinds: Mapping[str, float], back: int) -> Fold:
    """The test window that begins `back` windows before the last event."""
    goal, seed, seen = protocol.goal, protocol.seed, protocol.seen
    cut = protocol.cut(dataset, back)
    end = cut + protocol.length if back > 1 else None
    before = cut - protocol.length
    # Strands that were fitted on nothing teach nothing: then nobody is asked, and defaults stand.
    close = cut if before >= int(dataset.interactions.times.min()) else before
    learn = time_split(dataset, before, close, seen, goal=goal, kinds=kinds, most=MOST, seed=seed)
    test = time_split(dataset, cut, end, seen, goal=goal, kinds=kinds)
    day = datetime.fromtimestamp(cut / 1e6, UTC).date().isoformat()
    return Fold(learn, test, refit=True, window=day if protocol.windows > 1 else "")
