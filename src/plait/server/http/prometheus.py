"""The Prometheus metrics of all worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plait.server.http.answer_metrics import AnswerMetrics
from plait.settings import metrics_folder

__all__ = ["PrometheusMetrics"]

_SECONDS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_STAGES = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.1, 1.0)

STAGE_SAMPLE = 10
"""The stages of one request in so many are observed."""


class PrometheusMetrics:
    """The meters of one process. Their labels are few and never hold an id of a user or item.

    Attributes:
        answers: The meters of answers and of what they led to.
    """

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "plait_requests", "Requests answered.", ("method", "route", "status"), registry=own
        )
        self._seconds = Histogram(
            "plait_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS, registry=own
        )
        self._stages = Histogram(
            "plait_stage_seconds", "Time in a stage.", ("stage",), buckets=_STAGES, registry=own
        )
        self._events = Counter(
            "plait_events", "Rows posted, by what came of them.", ("status",), registry=own
        )
        self._impressions = Counter(
            "plait_impressions", "Answers, by whether they are kept.", ("outcome",), registry=own
        )
        self._rate_limited = Counter(
            "plait_rate_limited", "Requests refused by a rate limit.", ("by",), registry=own
        )
        gauge = partial(Gauge, registry=own)
        self._head = gauge(
            "plait_version_head", "The newest version in the log.", multiprocess_mode="max"
        )
        self._folded = gauge(
            "plait_version_folded", "What every worker knows.", multiprocess_mode="livemin"
        )
        self._lag = gauge(
            "plait_version_lag", "Versions the worst worker lacks.", multiprocess_mode="livemax"
        )
        total = partial(gauge, multiprocess_mode="livesum")
        self._ready = total("plait_ready_workers", "Workers that can answer.")
        self._degraded = total("plait_degraded_workers", "Workers that answer from a stale state.")
        self._bundle = total(
            "plait_bundle_workers", "Workers by the bundle they answer from.", ("bundle",)
        )
        self._age = gauge(
            "plait_bundle_age_seconds",
            "The age of the oldest bundle that answers.",
            multiprocess_mode="livemax",
        )
        self._items = gauge(
            "plait_catalogue_items", "Items in the catalogue.", multiprocess_mode="livemax"
        )
        self._doubtful = gauge(
            "plait_doubtful_items", "Items with few or new users.", multiprocess_mode="livemax"
        )
        self._problems = gauge(
            "plait_problems", "Problems of the worst worker.", multiprocess_mode="livemax"
        )
        self._names = gauge(
            "plait_names", "Fields and kinds in use.", ("of",), multiprocess_mode="livemax"
        )
        self.answers = AnswerMetrics(own)
        self._turn = 0
        self._counted: dict[str, int] = {}
        self._bundles: set[str] = set()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            method: The HTTP method.
            route: The template of the path, such as "/v1/items/{id}".
            status: The HTTP status of the response.
            seconds: How long the response took.
        """
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def stages(self, timings: Mapping[str, float]) -> None:
        """Observe how long the stages of a request took, for one request in ten.

        Seventeen stages a request, all observed, would cost as much as one of them.

        Args:
            timings: The seconds of every stage, by its name.
        """
        self._turn += 1
        if self._turn % STAGE_SAMPLE == 1:
            for stage, seconds in timings.items():
                self._stages.labels(stage).observe(seconds)

    def rows(self, statuses: Iterable[str]) -> None:
        """Count posted rows by their status.

        Args:
            statuses: The status of each row, such as "stored".
        """
        for status in statuses:
            self._events.labels(status).inc()

    def rate_limited(self, by: str) -> None:
        """Count a request that a rate limit refused.

        Args:
            by: Whose limit it was: "key" or "user".
        """
        self._rate_limited.labels(by).inc()

    def observe(self, vitals: Mapping[str, Any]) -> None:
        """Set the gauges to the state of the workspace.

        Args:
            vitals: What `Workspace.vitals` returns.
        """
        self._folded.set(vitals["version"])
        if vitals["head"] is not None:
            self._head.set(vitals["head"])
            self._lag.set(max(0, vitals["head"] - vitals["version"]))
        gauges = {"bundle_age": self._age, "items": self._items, "doubtful_items": self._doubtful}
        for name, gauge in gauges.items():
            if vitals[name] is not None:
                gauge.set(vitals[name])
        self._problems.set(len(vitals["problems"]))
        for owner, count in (vitals["names"] or {}).items():
            self._names.labels(owner).set(count)
        self._degraded.set(1 if vitals["degraded"] else 0)
        self._ready.set(1 if vitals["ready"] else 0)
        current = {vitals["bundle"]} if vitals["bundle"] else set()
        for bundle in self._bundles | current:
            self._bundle.labels(bundle).set(1 if bundle in current else 0)
        self._bundles |= current
        for outcome in ("written", "dropped", "pruned"):
            total = int(vitals[f"impressions_{outcome}"])
            self._impressions.labels(outcome).inc(total - self._counted.get(outcome, 0))
            self._counted[outcome] = total

    def text(self) -> bytes:
        """The exposition of all workers, in Prometheus' text format."""
        if metrics_folder() is None:
            return generate_latest(self._registry)
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]
        return generate_latest(all_workers)
