"""The users and targets that `plait.score` measures lists on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plait.errors import InputError
from plait.experiments.data.list_frames import read_pairs
from plait.experiments.scores.item_facts import ItemFacts, item_facts, no_facts
from plait.experiments.scores.metric_definitions import RankedLists
from plait.experiments.scores.sampled_candidates import sampled_candidates
from plait.experiments.scores.score_request import ScoreRequest

__all__ = ["EvaluatedUsers", "evaluated_users"]

_PAIR = ["user", "item"]


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedUsers:
    """U users with their targets.

    Attributes:
        users: The ids of the users, String [U].
        targets: The pairs of user and item.
        past: The pairs that do not count; None: all count.
        candidates: The pairs that lists are limited to; None: they are not limited.
        facts: Train and fields.
        n_excluded: Users of the test who are not measured: all their targets are in `past`.
    """

    users: pl.Series
    targets: pl.DataFrame
    past: pl.DataFrame | None
    candidates: pl.DataFrame | None
    facts: ItemFacts
    n_excluded: int = 0

    def ranked(self, frame: pl.DataFrame, depth: int) -> tuple[RankedLists, list[str]]:
        """Take the lists of these users, to a depth and the ties there.

        Args:
            frame: The columns user, item and score of a model.
            depth: How many items of a list are measured.

        Returns:
            The lists, and what a reader must know of them.
        """
        frame, flags = self._counted(frame)
        if not frame["score"].is_finite().all():  # minus infinity pads arrays
            frame = frame.with_columns(pl.col("score").rank("dense").cast(pl.Float64))
        frame = frame.sort("score", descending=True, maintain_order=True)
        place = pl.col("score").rank("min", descending=True).over("user")
        is_target = self.targets.with_columns(is_hit=pl.lit(value=True))
        frame = frame.filter(place <= depth).join(
            is_target, on=_PAIR, how="left", maintain_order="left"
        )
        by_user = frame.group_by("user", maintain_order=True).agg("item", "score", "is_hit")
        lists = pl.DataFrame({"user": self.users}).join(
            by_user, on="user", how="left", maintain_order="left"
        )
        if missing := lists["item"].null_count():
            flags.append(f"{missing:,} of {len(self.users):,} users have no list and count as 0")
        if short := int((lists["item"].list.len() < depth).sum()):
            flags.append(f"{short:,} lists have fewer than {depth} items")
        return self._as_arrays(lists), flags

    def settings(self, request: ScoreRequest) -> dict[str, Any]:
        """Return how lists are measured, for the table.

        Args:
            request: What is measured.
        """
        excluded = {"excluded": self.n_excluded} if self.n_excluded else {}
        return {
            "k": request.ks,
            "users": len(self.users),
            **excluded,
            "targets": len(self.targets),
            "seen": "kept" if self.past is None else "removed from lists and targets",
            "candidates": request.candidates,
            "ties": "expected value over their order",
        }

    def _counted(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """The rows of a model that count, and what a reader must know of the others."""
        flags = []
        if self.n_excluded:
            flags.append(f"{self.n_excluded:,} users are not measured: all their targets are seen")
        if self.past is not None:
            n_before = len(frame)
            frame = frame.join(self.past, on=_PAIR, how="anti", maintain_order="left")
            if len(frame) < n_before:
                flags.append(f"{n_before - len(frame):,} seen items left the lists")
        if self.candidates is not None:
            frame = frame.join(self.candidates, on=_PAIR, how="semi", maintain_order="left")
            if absent := len(self.candidates) - len(frame):
                share = absent / len(self.candidates)
                flags.append(f"{share:.0%} of the sampled candidates are not in the lists")
        return frame, flags

    def _as_arrays(self, lists: pl.DataFrame) -> RankedLists:
        """The lists, a row a user, as arrays."""
        items = [entry or [] for entry in lists["item"].to_list()]
        width = max(1, *map(len, items))
        lengths = np.array([len(entry) for entry in items])
        cells = np.arange(width) < lengths[:, None]
        listed = lists.explode("item", "score", "is_hit").filter(pl.col("item").is_not_null())
        scores = np.full(cells.shape, -np.inf)
        scores[cells] = listed["score"].to_numpy()
        is_hit = np.zeros(cells.shape, np.bool_)
        is_hit[cells] = listed["is_hit"].fill_null(value=False).to_numpy()
        numbers = np.full(cells.shape, -1, np.int32)
        numbers[cells] = self.facts.numbers(listed["item"].to_list())
        targets = (
            pl.DataFrame({"user": self.users})
            .join(self.targets.group_by("user").agg("item"), on="user", maintain_order="left")
            .get_column("item")
            .to_list()
        )
        n_targets = np.array([len(entry) for entry in targets], np.int64)
        return RankedLists(
            scores,
            is_hit,
            n_targets,
            items,
            [set(entry) for entry in targets],
            numbers,
            np.repeat(np.arange(len(targets)), n_targets),
            self.facts.numbers(item for entry in targets for item in entry),
        )


def evaluated_users(
    test: Any, seen: Any, train: Any, items: Any, users: Any, request: ScoreRequest
) -> EvaluatedUsers:
    """Read the tables that lists are measured on.

    Args:
        test: The targets.
        seen: Interactions that do not count; None: all count.
        train: Training interactions; None: those of `seen`.
        items: Fields of items; None: those of `train`.
        users: Fields of users, likewise.
        request: What is measured.

    Returns:
        The users of the test.

    Raises:
        InputError: If a table cannot be understood, or no target is left.
    """
    past = None if seen is None else read_pairs(seen, "seen")
    targets = read_pairs(test, "test")
    n_users = targets["user"].n_unique()
    if past is not None:
        targets = targets.join(past, on=_PAIR, how="anti", maintain_order="left")
    if not len(targets):
        raise InputError("test has no target", hint="all of them may be in seen", field="test")
    names = targets["user"].unique(maintain_order=True)
    n_excluded = n_users - len(names)
    if not request.needs_facts:
        return EvaluatedUsers(names, targets, past, None, no_facts(), n_excluded)
    source = seen if train is None else train
    facts = item_facts(source, test, items, users, propensity=request.propensity)
    candidates = None
    if request.n_sampled:
        pairs = sampled_candidates(targets, names, past, facts, request.n_sampled, request.seed)
        candidates = pairs
    return EvaluatedUsers(names, targets, past, candidates, facts, n_excluded)
