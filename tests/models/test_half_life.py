"""How interest fades, and which half-life a log tells."""

from __future__ import annotations

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.models.popularity.half_life import (
    HALF_LIVES,
    _ahead,
    _ndcg,
    best_half_life,
    decay_weights,
)
from plait.models.popularity.popular import Popular, PopularConfig
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import make_dataset, positions_only

DAY = 86_400_000_000


def passing(days: float, users: int = 400) -> list[tuple[str, str, float]]:
    """Events of forty items, some far more popular than others; which ones changes every `days`."""
    draw = np.random.default_rng(5)
    orders = [draw.permutation(40) for _ in range(10)]
    at = np.sort(draw.uniform(0, 9.5 * days, users * 10))
    return [
        (f"u{draw.integers(users)}", f"i{orders[int(one / days)][int(draw.pareto(1)) % 40]}", one)
        for one in at
    ]


def lasting(users: int = 400) -> list[tuple[str, str, float]]:
    """Events in which the same items are popular for ever."""
    draw = np.random.default_rng(5)
    return [
        (f"u{draw.integers(users)}", f"i{int(draw.pareto(1)):05}", one)
        for one in np.linspace(0, 400, users * 5)
    ]


def test_an_event_counts_half_a_half_life_before_the_newest() -> None:
    times = np.arange(0, 15)[::-1] * DAY
    assert decay_weights(times, 7.0)[[0, 7, 14]] == pytest.approx([1, 0.5, 0.25])
    assert decay_weights(times, 0.0).tolist() == [1.0] * 15
    assert len(decay_weights(times[:0], 7.0)) == 0


def test_a_silence_counts_as_three_half_lives() -> None:
    """One event stamped today leaves an old log what it was."""
    times = np.append(np.arange(8), 5000) * DAY
    assert decay_weights(times, 7.0)[[8, 7, 0]] == pytest.approx([1, 0.125, 0.0625])
    events = [(f"u{one}", f"i{one % 3}", one / 9) for one in range(30)]
    dataset = make_dataset([*events, ("late", "odd", 5000)])
    stage = Popular(PopularConfig(half_life_days=7.0), name="popular").fit(dataset)
    found = listed(stage.retrieve(ask(dataset.catalogue, []), 4), dataset.catalogue)[0]
    assert set(found) == {"i0", "i1", "i2", "odd"}


def test_nothing_fades_to_zero() -> None:
    times = np.arange(0, 4000) * DAY
    assert decay_weights(times, 0.5).min() > 0


def test_the_half_life_follows_how_long_things_live() -> None:
    short, long = (best_half_life(make_dataset(passing(days))) for days in (2.0, 60.0))
    assert short < 1 < 4 < long
    assert best_half_life(make_dataset(lasting())) in (112.0, 365.0, 0.0)


def test_a_log_that_tells_nothing_gets_a_week() -> None:
    assert best_half_life(make_dataset([("a", "x", 0), ("b", "y", 9)])) == 7
    assert best_half_life(make_dataset([(f"u{one}", f"i{one % 5}", 0) for one in range(300)])) == 7


def test_held_out_targets_choose_it_and_a_later_fit_keeps_it() -> None:
    old = [(f"u{one}", "old", one / 9) for one in range(90)]
    dataset = make_dataset([*old, *((f"v{one}", "new", 8 + one / 15) for one in range(30))])
    queries = ask(dataset.catalogue, [], [])
    for wanted, fast in (("new", True), ("old", False)):
        number = dataset.catalogue.number(wanted)
        targets = Ragged.from_lengths(np.array([number, number], np.int32), np.array([1, 1]))
        stage = Popular(name="popular").fit(dataset).select_setting(dataset, queries, targets)
        found = stage.describe()["half_life_days"]
        assert (0 < found <= 2) == fast
        assert stage.fit(dataset).describe() == stage.describe()
        assert listed(stage.retrieve(queries, 1), dataset.catalogue)[0] == [wanted]
    told = Popular(PopularConfig(half_life_days=3.0), name="popular").fit(dataset)
    assert told.select_setting(dataset, queries, targets) is told


def test_what_is_blocked_takes_no_place() -> None:
    places = np.array([1.0, 2.5, 2.5, 4.0, 5.0])  # the middle two are equals
    targets = Ragged.from_lengths(np.array([4, 2, 0, 3, 3], np.int32), np.array([1, 2, 1, 1]))
    blocked = Ragged.from_lengths(np.array([0, 2, 0, 1, 3], np.int32), np.array([3, 1, 1, 0]))
    assert _ahead(places, targets, blocked).tolist() == [2, 0.5, 0, -np.inf, 0]
    gains = 1 / np.log2([4, 3, 2, 5])  # places 3; 2 and 1; none; 4
    wanted = [gains[0], (gains[1] + gains[2]) / (gains[1] + gains[2]), 0, gains[3]]
    assert _ndcg(places, targets, blocked) == pytest.approx(np.mean(wanted))
    nothing = Ragged.from_lengths(np.zeros(0, np.int32), np.zeros(4, np.int64))
    assert _ndcg(places, targets, nothing) == pytest.approx(_ndcg(places, targets, None))


def test_popular_reads_it_from_the_log_unless_told(tmp_path) -> None:
    dataset = make_dataset(passing(2.0))
    stage = Popular(name="popular").fit(dataset)
    assert stage.describe() == {"half_life_days": best_half_life(dataset)}
    assert stage.describe()["half_life_days"] in HALF_LIVES
    stage.save(tmp_path)
    assert Popular.load(PopularConfig(), "popular", tmp_path).describe() == stage.describe()
    told = Popular(PopularConfig(half_life_days=3.0), name="popular").fit(dataset)
    assert told.describe() == {"half_life_days": 3.0}
    assert Popular(name="popular").fit(positions_only()).describe() == {"half_life_days": 0.0}
