"""`kill -9` at any moment: acknowledged events are stored once, and offsets have no gaps."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.conftest import home, log_location, new_database, postgres_server
from tests.crash_recovery.chaos_benchmark import benchmark_module

__all__ = ["home", "log_location", "new_database", "postgres_server"]  # fixtures

kills = benchmark_module("faults.kills")
ledger = benchmark_module("faults.ledger")
shops = benchmark_module("faults.shops")

ROUNDS = 6


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost(log_location: str, home: Path) -> None:
    database = log_location if "://" in log_location else ""
    shop, acknowledged = shops.Shop(home, database), ledger.Ledger()
    for turn in range(ROUNDS):
        counts = kills.kill_writers(shop, random.Random(turn), acknowledged, rounds=1, first=turn)
        assert counts["kills"] == 3
        assert ledger.compare(shop.location, acknowledged) == ledger.Verdict()
    assert len(acknowledged.events) > 100
