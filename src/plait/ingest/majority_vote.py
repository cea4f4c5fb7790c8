"""One row an item (or user) from a file with many: each field with its most frequent value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import orjson

from plait.data.types import Event
from plait.ingest.row_chunk import ROWS, DictChunk

__all__ = ["ID", "MajorityVote"]

ID = ""
"""The column of ids in what a tally gives back: a name that no field has."""


class MajorityVote:
    """Counts the values of each field of each id; memory grows with what differs, not with rows."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._first: dict[str, int] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, events: list[Event], rows: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Count what these events say of their item or user; those without one say nothing."""
        for event, row in zip(events, rows.tolist(), strict=True):
            outside = event.item if self._role == "item" else event.user
            if outside is not None:
                self._first.setdefault(outside, row)
                self._counts[outside, event.fields or "{}"] += 1

    def chunks(self) -> Iterator[DictChunk]:
        """A row for each id in the order of their first rows, under the names of fields."""
        found = self._elected()
        names = [ID, *sorted({name for said in found.values() for name in said})]
        waiting = iter(self._first.items())
        while piece := list(islice(waiting, ROWS)):
            dicts = [{**found.get(one, {}), ID: one} for one, _ in piece]
            yield DictChunk(dicts, np.array([row for _, row in piece], np.int64), names)

    def _elected(self) -> dict[str, dict[str, Any]]:
        """By id and field the value that most rows have; among equals the one that came first."""
        votes: dict[str, dict[str, Counter[str]]] = {}
        for (outside, text), count in self._counts.items():
            fields = votes.setdefault(outside, {})
            for name, value in orjson.loads(text).items():
                if value is not None:
                    said = orjson.dumps(value).decode()
                    fields.setdefault(name, Counter())[said] += count
        return {
            outside: {
                name: orjson.loads(counter.most_common(1)[0][0]) for name, counter in fields.items()
            }
            for outside, fields in votes.items()
        }
