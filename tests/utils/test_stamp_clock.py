"""Tests of the clock that stamps events."""

from plait.utils.stamp_clock import StampClock
from plait.utils.timestamps import DAY

MINUTE = 60_000_000


class Clocks:
    """Two clocks that a test sets."""

    def __init__(self):
        self.wall, self.steady = 1000 * DAY, 5 * DAY

    def pass_time(self, micros):
        self.wall += micros
        self.steady += micros


def stamp_clock():
    clocks = Clocks()
    return clocks, StampClock(lambda: clocks.wall, lambda: clocks.steady)


def test_a_jump_of_years_for_minutes_does_not_count():
    clocks, clock = stamp_clock()
    clocks.wall += 3650 * DAY
    assert clock.now() == 1000 * DAY
    clocks.pass_time(5 * MINUTE)
    assert clock.now() == 1000 * DAY + 5 * MINUTE
    clocks.wall -= 3650 * DAY
    assert clock.now() == clocks.wall


def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_ten_minutes():
    clocks, clock = stamp_clock()
    clocks.wall += 3650 * DAY
    clock.now()
    clocks.pass_time(10 * MINUTE)
    assert clock.now() == clocks.wall


def test_corrections_of_hours_count_at_once():
    clocks, clock = stamp_clock()
    clocks.wall -= DAY // 2
    assert clock.now() == clocks.wall
