"""A short form of benchmarks/chaos.py: each scenario once, on a shop of its own."""

import pytest

from tests.crash_recovery.chaos_benchmark import benchmark_module

chaos = benchmark_module("chaos")
ledger = benchmark_module("faults.ledger")
outages = benchmark_module("faults.outages")

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with chaos.Chaos(tmp_path_factory.mktemp("chaos"), seed=3) as opened:
        yield opened


@pytest.mark.parametrize(
    ("scenario", "store", "options", "happened"),
    [
        ("kill imports", chaos.SQLITE, {"rounds": 1}, None),
        ("kill fits", chaos.SQLITE, {"rounds": 1}, "answers"),
        ("damage files", chaos.SQLITE, {"rounds": 2}, "damages"),
        ("jump the clock", chaos.SQLITE, {"jumps": 1}, "jumps"),
        ("cut sessions", chaos.POSTGRES, {"cuts": 2}, "stops"),
    ],
)
def test_a_cycle_loses_nothing(runner, scenario, store, options, happened):
    cycle = runner.run(0, scenario, store, **options)
    assert (cycle["wrong"], cycle["unexpected"]) == ({}, [])
    assert cycle["acknowledged"] or scenario == "kill fits"
    assert happened is None or cycle["counts"][happened]


def test_a_file_at_its_limit_refuses_events_and_loses_none(runner, monkeypatch):
    monkeypatch.setattr(chaos, "tmpfs", outages.no_disk)
    cycle = runner.run(0, chaos.FILLING, chaos.SQLITE)
    assert (cycle["wrong"], cycle["unexpected"]) == ({}, [])
    assert cycle["counts"]["refusals"]


def test_compare_names_what_a_log_lacks(runner, tmp_path):
    shop = chaos.SqliteShops(tmp_path / "shops").new()
    right = ledger.Ledger(events={"first-0-0", "first-1-5"})
    wrong = ledger.Ledger(
        events={"first-0-0", "never-sent"},
        erased={"user0"},
        serials={"item-1": 7},
        version=10**6,
    )
    assert ledger.compare(shop.location, right).is_right
    assert vars(ledger.compare(shop.location, wrong)) == {
        "lost": 1,
        "twice": 0,
        "gaps": 1,
        "unindexed": 0,
        "behind": 1,
        "undead": 1,
    }
