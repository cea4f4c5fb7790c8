"""One row of the table: what every user got from one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from plait.core.types import Bools, Floats, Numbers
from plait.measure.exposure import Shown, add_absence, novelty, shown
from plait.measure.metrics import linear_metrics, tied_targets, user_metrics
from plait.measure.splits import Split
from plait.measure.ties import Doubles, relevance, tie_groups

__all__ = ["Asked", "Piece", "Row", "Scorer"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One batch of one row: metrics of users, of slices of their targets, float64 [B]; who showed.

    `novelty` is NaN for an empty list; `tied` counts targets that a tie alone put in or out.
    """

    users: Mapping[str, Doubles]
    parts: Mapping[str, Doubles]
    novelty: Mapping[str, Doubles]
    tied: Doubles
    shown: Mapping[int, Shown]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One batch of candidates and what came true among them; shared by all rows."""

    numbers: Numbers
    relevant: Bools
    relevant_parts: Mapping[str, Bools]
    start: int
    stop: int


class Scorer:
    """Turns scored lists into metrics, for one split.

    `parts` bool [n_items] by name: slices of the targets. `surprises` float64 [n_items]: what
    novelty is the mean of.
    """

    def __init__(
        self, split: Split, ks: Sequence[int], parts: Mapping[str, Bools], surprises: Doubles
    ) -> None:
        self._targets = split.targets
        self._ks = tuple(ks)
        self._parts = dict(parts)
        self._surprises = surprises
        rows, values = split.targets.rows, split.targets.values
        self._wanted = {
            name: np.bincount(rows[mask[values]], minlength=len(split.targets))
            for name, mask in self._parts.items()
        }

    def row(self, model: str, *, baseline: bool = False) -> Row:
        """An empty row for this split."""
        absence = {k: np.zeros(len(self._surprises)) for k in self._ks}
        return Row(model, baseline, absence=absence)

    def asked(self, start: int, numbers: Numbers) -> Asked:
        """What came true among candidates int32 [B, K] of the queries from `start` on."""
        stop = start + len(numbers)
        relevant = relevance(numbers, self._targets.slice(start, stop))
        parts = {name: relevant & mask[numbers] for name, mask in self._parts.items()}
        return Asked(numbers, relevant, parts, start, stop)

    def piece(self, asked: Asked, scores: Floats, valid: Bools) -> Piece:
        """The metrics of one batch from scores [B, K] and which candidates are in the list."""
        ks, cut = self._ks, slice(asked.start, asked.stop)
        groups = tie_groups(scores, valid, max(ks))
        hits = groups.hits(asked.relevant)
        parts: dict[str, Doubles] = {}
        for name, relevant in asked.relevant_parts.items():
            found = linear_metrics(groups, groups.hits(relevant), self._wanted[name][cut], ks)
            parts.update({f"{metric}|{name}": values for metric, values in found.items()})
        lists = {k: shown(groups, asked.numbers, k) for k in ks}
        return Piece(
            user_metrics(groups, hits, self._targets.lengths[cut], ks),
            parts,
            {f"novelty@{k}": novelty(one, self._surprises, len(valid)) for k, one in lists.items()},
            tied_targets(groups, hits, max(ks)),
            lists,
        )


@dataclass(slots=True, eq=False)
class Row:
    """A model's metrics user by user, and what it cost.

    `users`, `parts`, `novelty` and `tied` are Piece's, for all U users once `close` was called;
    `absence` by k float64 [n_items] is the log of the chance to be in nobody's list.
    """

    model: str
    baseline: bool = False
    fit_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    peak_mb: float = 0.0
    absence: dict[int, Doubles] = field(default_factory=dict)
    users: dict[str, Doubles] = field(default_factory=dict)
    parts: dict[str, Doubles] = field(default_factory=dict)
    novelty: dict[str, Doubles] = field(default_factory=dict)
    tied: Doubles = field(default_factory=lambda: np.zeros(0))
    _pieces: list[Piece] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """One more batch; batches come in the order of the queries."""
        for k, one in piece.shown.items():
            add_absence(self.absence[k], one)
        self._pieces.append(replace(piece, shown={}))

    def close(self) -> Row:
        """Put the batches together; nothing is added afterwards."""
        self.users = _joined([piece.users for piece in self._pieces])
        self.parts = _joined([piece.parts for piece in self._pieces])
        self.novelty = _joined([piece.novelty for piece in self._pieces])
        self.tied = np.concatenate([piece.tied for piece in self._pieces])
        self._pieces.clear()
        return self


def _joined(parts: Sequence[Mapping[str, Doubles]]) -> dict[str, Doubles]:
    return {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
