"""What is asked: one question, and a batch of them as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from plait.data.arrays import ABSENT, BoolArray, Int32Array, Int64Array
from plait.data.history import History
from plait.data.ragged import Ragged
from plait.data.state import StateView

__all__ = ["Query", "QueryBatch"]


@dataclass(frozen=True, slots=True)
class Query:
    """One question as it comes from outside; every part may be missing.

    `history` are outside item ids, oldest first, put behind what is known of the user; `items` are
    what "more like this" starts from; `candidates` the caller's list to be ordered; `context` is
    free (time, place, device, ...); `filter` a rule expression; `time` microseconds UTC, None: now.
    """

    user: str | None = None
    history: tuple[str, ...] = ()
    text: str | None = None
    items: tuple[str, ...] = ()
    candidates: tuple[str, ...] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    filter: str | None = None
    exclude: tuple[str, ...] = ()
    k: int = 10
    seed: int = 0
    time: int | None = None
    target: Literal["item", "user"] = "item"
    seen: Literal["keep", "remove"] | None = None
    """Whether items that the user knows may come back; None: as the recipe's rules say."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryBatch:
    """B questions as arrays; what stages read.

    `users` int32 [B], -1 unknown. `history`: the positive events of each, oldest first. `seen`: all
    items the user ever touched. `hidden`: items the user rejected. `items`: anchors. `candidates`:
    the caller's own lists, None if the strands shall retrieve. `times` int64 [B], when each is
    asked. `blocked`: items no retriever need bring, by query. `mask` bool [B or 1, n_items]: which
    items may be brought at all, None for all. `work` is room where a stage keeps, by its name, what
    `retrieve` computed and `score` needs again; it lives as long as the batch. `keep_seen` bool [B]
    or None: whether seen items may come back, None leaves it to the rules. `pinned`: items that
    the rules want among the candidates, whatever the strands bring.
    """

    users: Int32Array
    history: History
    seen: Ragged
    rejected: Ragged
    items: Ragged
    texts: tuple[str | None, ...]
    contexts: tuple[Mapping[str, Any], ...]
    filters: tuple[str | None, ...]
    exclude: Ragged
    times: Int64Array
    k: int = 10
    seed: int = 0
    target: Literal["item", "user"] = "item"
    keep_seen: BoolArray | None = None
    candidates: Ragged | None = None
    blocked: Ragged | None = None
    mask: BoolArray | None = None
    pinned: Ragged | None = None
    live: StateView | None = None
    cache: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def of_histories(
        history: History, *, times: Int64Array | None = None, k: int = 10, seed: int = 0
    ) -> QueryBatch:
        """Questions that consist of a history alone; what evaluation asks."""
        batch = len(history)
        nothing = Ragged.empty(batch)
        return QueryBatch(
            users=np.full(batch, ABSENT, np.int32),
            history=history,
            seen=history.ragged,
            rejected=nothing,
            items=nothing,
            texts=(None,) * batch,
            contexts=({},) * batch,
            filters=(None,) * batch,
            exclude=nothing,
            times=np.zeros(batch, np.int64) if times is None else times,
            k=k,
            seed=seed,
        )

    def __len__(self) -> int:
        return len(self.users)

    def slice(self, start: int, stop: int) -> QueryBatch:
        """The questions `start`..`stop`, with fresh working room."""
        cut = slice(start, stop)
        mask = self.mask
        return replace(
            self,
            users=self.users[cut],
            history=self.history.slice(start, stop),
            seen=self.seen.slice(start, stop),
            rejected=self.rejected.slice(start, stop),
            items=self.items.slice(start, stop),
            texts=self.texts[cut],
            contexts=self.contexts[cut],
            filters=self.filters[cut],
            exclude=self.exclude.slice(start, stop),
            times=self.times[cut],
            keep_seen=None if self.keep_seen is None else self.keep_seen[cut],
            candidates=None if self.candidates is None else self.candidates.slice(start, stop),
            blocked=None if self.blocked is None else self.blocked.slice(start, stop),
            mask=mask if mask is None or len(mask) == 1 else mask[cut],
            pinned=None if self.pinned is None else self.pinned.slice(start, stop),
            cache={},
        )

    def batches(self, size: int) -> Iterator[tuple[int, QueryBatch]]:
        """Pieces of at most `size` questions, each with the place of its first."""
        for start in range(0, len(self), size):
            yield start, self.slice(start, min(start + size, len(self)))
