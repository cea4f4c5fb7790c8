"""Tests of times that cannot be."""

from plait.data.plausible_times import with_plausible_times
from plait.testing.synthetic_data import make_dataset, positions_only
from plait.utils.timestamps import DAY


def test_times_beyond_a_day_from_now_become_the_last_that_can_be():
    dataset = make_dataset([("a", "x", 0), ("b", "y", 2), ("c", "z", 4000)])
    now = int(dataset.interactions.times[1])
    clipped, count = with_plausible_times(dataset, now)
    assert count == 1
    assert clipped.interactions.times.tolist() == [now - 2 * DAY, now, now]


def test_nothing_changes_where_no_time_can_be_or_there_are_none():
    dataset = make_dataset([("a", "x", 0), ("b", "y", 2)])
    assert with_plausible_times(dataset, 0) == (dataset, 0)
    positions = positions_only()
    assert with_plausible_times(positions, -DAY * 9) == (positions, 0)
