"""Tests of exponential decay, and of the half-life that is chosen from a log."""

from __future__ import annotations

import numpy as np
import pytest

from plait.data.ragged import Ragged
from plait.models.popularity.half_life_selection import (
    HALF_LIVES,
    best_half_life,
    decay_weights,
    mean_ndcg,
)
from plait.models.popularity.popular import Popular, PopularConfig
from plait.testing.queries import ask, listed
from plait.testing.synthetic_data import make_dataset, positions_only
from plait.utils.timestamps import DAY


def changing_taste(days: float, users: int = 400) -> list[tuple[str, str, float]]:
    """Events of forty items of unequal popularity; which ones are popular changes every `days`."""
    random = np.random.default_rng(5)
    orders = [random.permutation(40) for _ in range(10)]
    times = np.sort(random.uniform(0, 9.5 * days, users * 10))
    return [
        (
            f"u{random.integers(users)}",
            f"i{orders[int(time / days)][int(random.pareto(1)) % 40]}",
            time,
        )
        for time in times
    ]


def constant_taste(users: int = 400) -> list[tuple[str, str, float]]:
    """Events in which the same items stay popular."""
    random = np.random.default_rng(5)
    return [
        (f"u{random.integers(users)}", f"i{int(random.pareto(1)):05}", time)
        for time in np.linspace(0, 400, users * 5)
    ]


def test_weight_halves_with_every_half_life() -> None:
    times = np.arange(0, 15)[::-1] * DAY
    assert decay_weights(times, 7.0)[[0, 7, 14]] == pytest.approx([1, 0.5, 0.25])
    assert decay_weights(times, 0.0).tolist() == [1.0] * 15
    assert len(decay_weights(times[:0], 7.0)) == 0


def test_time_without_events_counts_as_three_half_lives() -> None:
    """A single event of today does not make an old log worthless."""
    times = np.append(np.arange(8), 5000) * DAY
    assert decay_weights(times, 7.0)[[8, 7, 0]] == pytest.approx([1, 0.125, 0.0625])
    events = [(f"u{number}", f"i{number % 3}", number / 9) for number in range(30)]
    dataset = make_dataset([*events, ("late", "odd", 5000)])
    stage = Popular(PopularConfig(half_life_days=7.0), name="popular").fit(dataset)
    item_ids = listed(stage.retrieve(ask(dataset.catalogue, []), 4), dataset.catalogue)[0]
    assert set(item_ids) == {"i0", "i1", "i2", "odd"}


def test_weights_stay_above_zero() -> None:
    assert decay_weights(np.arange(0, 4000) * DAY, 0.5).min() > 0


def test_best_half_life_follows_how_fast_taste_changes() -> None:
    short, long = (best_half_life(make_dataset(changing_taste(days))) for days in (2.0, 60.0))
    assert short < 1 < 4 < long
    assert best_half_life(make_dataset(constant_taste())) in (112.0, 365.0, 0.0)


def test_best_half_life_is_a_week_if_the_log_cannot_tell() -> None:
    assert best_half_life(make_dataset([("a", "x", 0), ("b", "y", 9)])) == 7
    same_day = [(f"u{number}", f"i{number % 5}", 0) for number in range(300)]
    assert best_half_life(make_dataset(same_day)) == 7


@pytest.mark.parametrize(("item_id", "is_short"), [("new", True), ("old", False)])
def test_select_setting_chooses_by_targets_and_a_refit_keeps_it(
    item_id: str, is_short: bool
) -> None:
    old = [(f"u{number}", "old", number / 9) for number in range(90)]
    new = [(f"v{number}", "new", 8 + number / 15) for number in range(30)]
    dataset = make_dataset([*old, *new])
    queries = ask(dataset.catalogue, [], [])
    number = dataset.catalogue.number(item_id)
    targets = Ragged.from_lengths(np.array([number, number], np.int32), np.array([1, 1]))
    stage = Popular(name="popular").fit(dataset).select_setting(dataset, queries, targets)
    assert (0 < stage.describe()["half_life_days"] <= 2) == is_short
    assert stage.fit(dataset).describe() == stage.describe()
    assert listed(stage.retrieve(queries, 1), dataset.catalogue)[0] == [item_id]
    fixed = Popular(PopularConfig(half_life_days=3.0), name="popular").fit(dataset)
    assert fixed.select_setting(dataset, queries, targets) is fixed


def test_blocked_items_take_no_rank() -> None:
    ranks = np.array([1.0, 2.5, 2.5, 4.0, 5.0])  # the middle two are tied
    targets = Ragged.from_lengths(np.array([4, 2, 0, 3, 3], np.int32), np.array([1, 2, 1, 1]))
    blocked = Ragged.from_lengths(np.array([0, 2, 0, 1, 3], np.int32), np.array([3, 1, 1, 0]))
    gains = 1 / np.log2([4, 3, 2, 5])  # rank 3; 2 and 1; none; 4
    expected = [gains[0], (gains[1] + gains[2]) / (gains[1] + gains[2]), 0, gains[3]]
    assert mean_ndcg(ranks, targets, blocked) == pytest.approx(np.mean(expected))
    nothing = Ragged.from_lengths(np.zeros(0, np.int32), np.zeros(4, np.int64))
    assert mean_ndcg(ranks, targets, nothing) == pytest.approx(mean_ndcg(ranks, targets, None))


def test_popular_uses_the_best_half_life_unless_the_config_sets_it(tmp_path) -> None:
    dataset = make_dataset(changing_taste(2.0))
    stage = Popular(name="popular").fit(dataset)
    assert stage.describe() == {"half_life_days": best_half_life(dataset)}
    assert stage.describe()["half_life_days"] in HALF_LIVES
    stage.save(tmp_path)
    assert Popular.load(PopularConfig(), "popular", tmp_path).describe() == stage.describe()
    fixed = Popular(PopularConfig(half_life_days=3.0), name="popular").fit(dataset)
    assert fixed.describe() == {"half_life_days": 3.0}
    assert Popular(name="popular").fit(positions_only()).describe() == {"half_life_days": 0.0}
