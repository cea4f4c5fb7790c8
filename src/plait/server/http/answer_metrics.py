"""Counts answers by outcome, and answers that led to an event."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter

__all__ = ["AnswerMetrics"]

MAX_PLACEMENTS = 100
"""Placements with a label of their own; further ones are counted as "other"."""

MAX_PLACEMENT_LENGTH = 64
MAX_REMEMBERED = 100_000
"""Answers whose placement is remembered, and answers that are known to have led to an event."""

MAX_UNRESOLVED = 1_000
"""Requests that are looked up a second time; of further ones the oldest are forgotten."""

_OTHER = "other"


class AnswerMetrics:
    """The meters of answers. A placement is what the context of a query names so.

    Args:
        registry: Where the meters are registered.
        resolve_after: Seconds after which every process has stored the impressions of its answers.
    """

    def __init__(self, registry: CollectorRegistry, resolve_after: float = 0.5) -> None:
        self._resolve_after = resolve_after
        self._answers = Counter(
            "plait_answers",
            "Answers by what they held: all that was asked for (full), less (short), "
            "items that no model brought (filled), or nothing (empty).",
            ("route", "placement", "outcome"),
            registry=registry,
        )
        self._items = Counter(
            "plait_answer_items",
            "Items in answers, by whether a model brought them or they filled the list.",
            ("route", "source"),
            registry=registry,
        )
        self._clicked = Counter(
            "plait_answers_clicked",
            "Answers that led to an event of positive weight, each counted once by a worker.",
            ("placement",),
            registry=registry,
        )
        self._lock = threading.Lock()
        self._labels: set[str] = set()
        self._shown: OrderedDict[str, str] = OrderedDict()
        self._done: OrderedDict[str, None] = OrderedDict()
        self._unresolved: OrderedDict[str, float] = OrderedDict()

    def answered(self, route: str, response: Any, k: int, context: Mapping[str, Any]) -> None:
        """Count an answer.

        Args:
            route: The kind of query.
            response: The response.
            k: How many items were asked for.
            context: The context of the query.
        """
        placement = self._label(context)
        count, filled = len(response.items), int(getattr(response, "filled", 0))
        outcome = "full" if count >= k else "short"
        if not count or filled:
            outcome = "filled" if count else "empty"
        self._answers.labels(route, placement, outcome).inc()
        self._items.labels(route, "model").inc(count - filled)
        self._items.labels(route, "fill").inc(filled)
        self._remember(self._shown, response.request_id, placement)

    def continued(self, request_id: str, response: Any, k: int) -> None:
        """Count more of an earlier answer, at its placement.

        Args:
            request_id: The request that was continued.
            response: The response.
            k: How many items were asked for.
        """
        self.answered("next", response, k, {"placement": self._shown.get(request_id)})

    def clicked(
        self, request_ids: Iterable[str], context_of: Callable[[str], Mapping[str, Any] | None]
    ) -> None:
        """Count answers that led to an event.

        Args:
            request_ids: The requests that events name.
            context_of: Returns the context of a query that another process may have answered;
                None for an unknown request.
        """
        for request_id in request_ids:
            if request_id in self._done:
                continue
            placement = self._shown.get(request_id)
            if placement is None:
                context = context_of(request_id)
                if context is None:  # another process may not have stored the impression yet
                    limit = MAX_UNRESOLVED
                    self._remember(self._unresolved, request_id, time.monotonic(), limit)
                    continue
                placement = self._label(context)
            self._count_click(request_id, placement)

    def resolve(self, context_of: Callable[[str], Mapping[str, Any] | None]) -> None:
        """Look up once more the requests that were unknown when an event named them.

        Args:
            context_of: See `clicked`.
        """
        while due := self._pop_unresolved():
            if due not in self._done and (context := context_of(due)) is not None:
                self._count_click(due, self._label(context))

    def _pop_unresolved(self) -> str | None:
        """The oldest unresolved request, if every process has had time to store its impression."""
        with self._lock:
            for request_id, since in self._unresolved.items():
                if time.monotonic() - since < self._resolve_after:
                    break
                del self._unresolved[request_id]
                return request_id
        return None

    def _count_click(self, request_id: str, placement: str) -> None:
        self._remember(self._done, request_id, None)
        self._clicked.labels(placement).inc()

    def _label(self, context: Mapping[str, Any]) -> str:
        """The placement as a label: few, short, and never a number that might name a person."""
        placement = context.get("placement")
        if not isinstance(placement, str) or not placement:
            return ""
        label = placement[:MAX_PLACEMENT_LENGTH]
        with self._lock:
            if label not in self._labels:
                if len(self._labels) >= MAX_PLACEMENTS:
                    return _OTHER
                self._labels.add(label)
        return label

    def _remember(
        self,
        memory: OrderedDict[str, Any],
        request_id: str,
        value: Any,
        limit: int = MAX_REMEMBERED,
    ) -> None:
        with self._lock:
            memory[request_id] = value
            while len(memory) > limit:
                memory.popitem(last=False)
