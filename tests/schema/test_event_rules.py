"""The rules for ids, event types, times and values."""

import pytest

from plait.schema.event_bounds import (
    EARLIEST_TIME,
    MAX_CLOCK_SKEW,
    MAX_EVENT_TYPE_LENGTH,
    MAX_ID_LENGTH,
    event_type_problem,
    id_problem,
    is_plausible_time,
    is_plausible_value,
)

NOW = 1_700_000_000_000_000


@pytest.mark.parametrize("name", ["a", "😀", "مرحبا", "a b", "'; DROP TABLE", "\u00ad"])
def test_ids_and_event_types_may_contain_any_text(name):
    assert id_problem(name) == event_type_problem(name) == ""


@pytest.mark.parametrize("name", ["", " ", "\u2003", "a\nb", "a\tb", "\0", "a\x7f", "a\x85"])
def test_empty_names_and_control_characters_are_refused(name):
    assert id_problem(name)
    assert event_type_problem(name)


def test_lengths_are_bounded():
    assert not id_problem("x" * MAX_ID_LENGTH)
    assert str(MAX_ID_LENGTH) in id_problem("x" * (MAX_ID_LENGTH + 1))
    assert not event_type_problem("x" * MAX_EVENT_TYPE_LENGTH)
    assert str(MAX_EVENT_TYPE_LENGTH) in event_type_problem("x" * (MAX_EVENT_TYPE_LENGTH + 1))


def test_plausible_times_lie_between_1900_and_tomorrow():
    for time in (EARLIEST_TIME, 0, NOW, NOW + MAX_CLOCK_SKEW):
        assert is_plausible_time(time, NOW)
    for time in (EARLIEST_TIME - 1, NOW + MAX_CLOCK_SKEW + 1):
        assert not is_plausible_time(time, NOW)


def test_plausible_values_are_finite_and_fit_in_32_bits():
    for value in (0, -1.5, 1e38):
        assert is_plausible_value(value)
    for value in (float("nan"), float("inf"), -1e39):
        assert not is_plausible_value(value)
