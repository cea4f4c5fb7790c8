"""Requests that schemathesis makes from the OpenAPI description, and what the answers should be."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from faults.server_process import Server
from faults.shops import KEY
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

__all__ = ["HttpOutcome", "fuzz_http"]

SLOW_SECONDS = 10.0
ROUND = 25
"""Requests to a route, of each mode, in one round over all routes."""

MAX_ROUNDS = 100_000
CHECKS = {
    "5xx": not_a_server_error,
    "status": status_code_conformance,
    "content type": content_type_conformance,
    "schema": response_schema_conformance,
    "headers": response_headers_conformance,
}


class TimeIsUp(Exception):  # noqa: N818  ends the generation, is no error
    """No more requests are to be sent."""


@dataclass
class HttpOutcome:
    """What came of the requests.

    Attributes:
        cases: Requests by route.
        statuses: Answers by status.
        failures: Failed checks by their name.
        examples: The first failures of each check and route, as text.
        rounds: How many rounds over all routes are complete.
    """

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    rounds: int = 0

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> HttpOutcome:
        """Read what `to_dict` wrote to JSON, or nothing."""
        statuses = {int(status): count for status, count in results.get("statuses", {}).items()}
        return cls(
            Counter(results.get("routes", {})),
            Counter(statuses),
            Counter(results.get("failures", {})),
            dict(results.get("examples", {})),
            results.get("rounds", 0),
        )

    def to_dict(self) -> dict[str, Any]:
        """What is reported, and from which a later run goes on."""
        return {
            "cases": self.cases.total(),
            "statuses": dict(sorted(self.statuses.items())),
            "failures": dict(self.failures),
            "examples": self.examples,
            "routes": dict(self.cases),
            "rounds": self.rounds,
        }

    def fail(self, check: str, route: str, example: str) -> None:
        """Note a failed check."""
        self.failures[check] += 1
        self.examples.setdefault(f"{check}, {route}", example[:1500])


def fuzz_http(server: Server, count: int, seed: int, until: float, outcome: HttpOutcome) -> None:
    """Send about `count` requests, as many to each route, half of them against the description.

    Args:
        server: A server.
        count: How many requests, those of earlier runs included.
        seed: Decides them.
        until: The moment (of `time.monotonic`) after which none is sent.
        outcome: What came of earlier runs; what comes is added.
    """
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    modes = list(schemathesis.GenerationMode)
    while outcome.cases.total() < count and time.monotonic() < until:
        for operation in operations:
            for mode in modes:
                round_seed = seed * MAX_ROUNDS + outcome.rounds
                _fuzz_operation(operation, mode, ROUND, round_seed, until, outcome)
        outcome.rounds += time.monotonic() < until
    log = server.errors.read_text()
    if "Traceback" in log:
        outcome.fail("traceback", "server", log[log.index("Traceback") :])


def _fuzz_operation(
    operation: Any,
    mode: schemathesis.GenerationMode,
    count: int,
    seed: int,
    until: float,
    outcome: HttpOutcome,
) -> None:
    route = operation.label
    health = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=[*health, hypothesis.HealthCheck.data_too_large],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        if time.monotonic() > until:
            raise TimeIsUp
        _send(case, route, outcome)

    # Nothing contradicts a description that allows everything.
    with contextlib.suppress(hypothesis.errors.Unsatisfiable, TimeIsUp):
        send()


def _send(case: Any, route: str, outcome: HttpOutcome) -> None:
    start = time.monotonic()
    try:
        response = case.call(headers={"X-API-Key": KEY}, timeout=30)
    except Exception as problem:  # noqa: BLE001  no answer is what is looked for
        outcome.fail("no answer", route, f"{problem!r}\n{case.as_curl_command()}")
        return
    outcome.cases[route] += 1
    outcome.statuses[response.status_code] += 1
    if time.monotonic() - start > SLOW_SECONDS:
        outcome.fail("slow", route, case.as_curl_command())
    for name, check in CHECKS.items():
        try:
            case.validate_response(response, checks=[check], headers={"X-API-Key": KEY})
        except Exception as failure:  # noqa: BLE001  schemathesis has groups of several kinds
            outcome.fail(name, route, f"{failure}\n{getattr(failure, 'exceptions', '')}")
