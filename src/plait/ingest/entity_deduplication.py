"""Merges several rows of one item (or user) into one: the most frequent value of each field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import orjson

from plait.data.array_types import Int64Array
from plait.data.types import Event
from plait.ingest.row_chunk import ROWS, DictChunk

__all__ = ["ID", "MajorityVote"]

ID = ""
"""The column of ids in the rows that `MajorityVote.chunks` gives: a name that no field has."""


class MajorityVote:
    """Counts the values of each field of each id.

    Memory grows with the number of different values, not with the number of rows.

    Args:
        role: "item" or "user".
    """

    def __init__(self, role: str) -> None:
        self._role = role
        self._first_rows: dict[str, int] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, events: list[Event], rows: Int64Array) -> None:
        """Count the fields of some events.

        Args:
            events: N events; those without an item (or user) are left out.
            rows: The row of each, int64 [N].
        """
        for event, row in zip(events, rows.tolist(), strict=True):
            external_id = event.item if self._role == "item" else event.user
            if external_id is not None:
                self._first_rows.setdefault(external_id, row)
                self._counts[external_id, event.fields or "{}"] += 1

    def chunks(self) -> Iterator[DictChunk]:
        """Give a row for each id, in the order of their first rows, with the winning values."""
        winners = self._winners()
        names = [ID, *sorted({name for fields in winners.values() for name in fields})]
        entries = iter(self._first_rows.items())
        while batch := list(islice(entries, ROWS)):
            dicts = [{**winners.get(external_id, {}), ID: external_id} for external_id, _ in batch]
            yield DictChunk(dicts, np.array([row for _, row in batch], np.int64), names)

    def _winners(self) -> dict[str, dict[str, Any]]:
        """By id and field the value that most rows have; among equals the one that came first."""
        votes: dict[str, dict[str, Counter[str]]] = {}
        for (external_id, text), count in self._counts.items():
            fields = votes.setdefault(external_id, {})
            for name, value in orjson.loads(text).items():
                if value is not None:
                    fields.setdefault(name, Counter())[orjson.dumps(value).decode()] += count
        return {
            external_id: {
                name: orjson.loads(counter.most_common(1)[0][0]) for name, counter in fields.items()
            }
            for external_id, fields in votes.items()
        }
