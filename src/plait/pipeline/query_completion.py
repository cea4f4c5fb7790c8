"""How a text that is being typed goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from plait.data.query_batch import QueryBatch

__all__ = ["Completion", "QueryCompleter"]


@dataclass(frozen=True, slots=True)
class Completion:
    """A text that goes on where another one ends.

    Attributes:
        text: The whole text.
        count: How many items have all of its words.
    """

    text: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Return the completion as JSON has it."""
        return asdict(self)


@runtime_checkable
class QueryCompleter(Protocol):
    """A model that completes texts."""

    def complete(self, queries: QueryBatch, k: int) -> Sequence[Sequence[Completion]]:
        """Complete the last word of each text.

        Args:
            queries: B queries.
            k: The most completions of a query.

        Returns:
            By query its completions, those of most items first.
        """
