"""From a protocol to what is fitted, what the fusion learns on, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from plait.core.types import Dataset
from plait.evaluate.protocol import Protocol
from plait.measure.splits import Split, leave_one_out, time_split

__all__ = ["Plan", "plan"]

MOST = 10_000
"""The most queries that a fusion learns from."""


class Plan(NamedTuple):
    """`learn`: what the fusion may look at. `test`: what nobody sees before the end.

    `refit`: whether strands are fitted again, on `test.train`, once the fusion has learned.
    """

    learn: Split
    test: Split
    refit: bool


def plan(dataset: Dataset, protocol: Protocol, kinds: Mapping[str, float]) -> Plan:
    """The splits of a resolved protocol; `kinds` weighs the histories as a recipe does."""
    goal, seed, seen = protocol.goal, protocol.seed, protocol.seen
    if protocol.name == "leave-one-out":
        learn = leave_one_out(
            dataset, "validation", seen, goal=goal, kinds=kinds, most=MOST, seed=seed
        )
        test = leave_one_out(dataset, "test", seen, goal=goal, kinds=kinds, refit=protocol.refit)
        return Plan(learn, test, protocol.refit)
    cut = protocol.cut(dataset)
    before = cut - protocol.length
    learn = time_split(dataset, before, cut, seen, goal=goal, kinds=kinds, most=MOST, seed=seed)
    return Plan(learn, time_split(dataset, cut, None, seen, goal=goal, kinds=kinds), refit=True)
