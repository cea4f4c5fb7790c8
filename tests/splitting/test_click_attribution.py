"""Tests of impressions as interactions: which were clicked, and when."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.splitting.click_attribution import (
    ANSWERS,
    ATTRIBUTION_WINDOW,
    UNKNOWN_RESPONSE,
    ImpressionItems,
    with_impressions,
)
from plait.splitting.labelled_examples import click_examples
from plait.utils.timestamps import DAY
from tests.dataset_fixtures import world

HOUR = DAY // 24


def impression_items(answers, naming=()):
    """From responses (user, microseconds, items); `naming`: (offset of an event, response)."""
    rows = [
        (number, user, time, item)
        for number, (user, time, items) in enumerate(answers)
        for item in items
    ]
    row_answers, users, times, items = np.array(rows, np.int64).reshape(-1, 4).T
    naming, named = np.array(sorted(naming), np.int64).reshape(-1, 2).T
    numbers = (users.astype(np.int32), items.astype(np.int32))
    return ImpressionItems(
        row_answers, *numbers, times, np.zeros(len(rows), np.int64), naming, named
    )


def outcomes(dataset):
    """(user, item, time, seconds until the click or None) of all impressions."""
    shown = dataset.interactions
    shown = shown.take(shown.event_types == dataset.event_types.index(ANSWERS))
    seconds = [None if np.isnan(value) else float(value) for value in shown.values]
    return sorted(
        zip(shown.users.tolist(), shown.items.tolist(), shown.times.tolist(), seconds, strict=True),
        key=lambda outcome: outcome[:3],
    )


def by_hand(events, answers, naming):
    """The same for `events` (user, item, time in microseconds), event by event."""
    clicks = {}
    for offset, (user, item, time) in enumerate(events):
        if offset in naming:
            matches = [naming[offset]] if naming[offset] != UNKNOWN_RESPONSE else []
            matches = [number for number in matches if item in answers[number][2]]
        else:
            before = [
                (answer_time, number)
                for number, (answer_user, answer_time, items) in enumerate(answers)
                if answer_user == user
                and item in items
                and 0 <= time - answer_time <= ATTRIBUTION_WINDOW
            ]
            matches = [max(before)[1]] if before else []
        for number in matches:
            clicks[number, item] = min(clicks.get((number, item), time), time)
    expected = []
    for number, (user, answer_time, items) in enumerate(answers):
        named = [time for offset, (_, _, time) in enumerate(events) if naming.get(offset) == number]
        start = min([answer_time, *named])
        if start <= max(time for _, _, time in events):
            for item in items:
                end = clicks.get((number, item))
                expected.append((user, item, start, None if end is None else (end - start) / 1e6))
    return sorted(expected, key=lambda outcome: outcome[:3])


TIME = st.integers(0, 60).map(lambda hour: hour * HOUR)
USER, ITEM = st.integers(0, 2), st.integers(0, 3)


@given(st.data())
def test_outcomes_equal_a_plain_attribution_of_events(data):
    events = data.draw(st.lists(st.tuples(USER, ITEM, TIME), min_size=1, max_size=12))
    lists = st.lists(ITEM, unique=True, max_size=4)
    answers = data.draw(st.lists(st.tuples(USER, TIME, lists), max_size=6))
    answers = [(user, time + index, items) for index, (user, time, items) in enumerate(answers)]
    answer_numbers = st.integers(UNKNOWN_RESPONSE, len(answers) - 1)
    event_offsets = st.integers(0, len(events) - 1)
    naming = data.draw(st.dictionaries(event_offsets, answer_numbers))
    rows = [(f"u{user}", f"i{item}", time / DAY) for user, item, time in events]
    dataset = world(rows, users=["u0", "u1", "u2"], items=["i0", "i1", "i2", "i3"])
    impressions = impression_items(answers, naming.items())
    extended = with_impressions(dataset, impressions, ("purchase",))
    expected = by_hand(events, answers, naming)
    assert [outcome[:3] for outcome in outcomes(extended)] == [row[:3] for row in expected]
    for (*_, seconds), (*_, exact) in zip(outcomes(extended), expected, strict=True):
        assert (seconds is None) == (exact is None)
        assert seconds is None or exact * (1 - 1e-6) <= seconds <= exact
    rows = extended.interactions
    order = np.lexsort((rows.offsets, rows.times, rows.users))
    np.testing.assert_array_equal(order, np.arange(len(rows)))
    is_event = rows.event_types != extended.event_types.index(ANSWERS)
    np.testing.assert_array_equal(rows.offsets[is_event], dataset.interactions.offsets)


def test_only_target_events_with_a_value_other_than_0_are_clicks():
    rows = [("u0", "i0", 1.0, "look"), ("u0", "i1", 1.0, "buy"), ("u0", "i2", 1.0, "buy")]
    data = world(rows, items=["i0", "i1", "i2"])
    values = np.array([np.nan, 0, np.nan], np.float32)
    data = replace(data, interactions=replace(data.interactions, values=values))
    shown = impression_items([(0, DAY - HOUR, [0, 1, 2])], [(0, 0), (1, 0), (2, 0)])
    rows = outcomes(with_impressions(data, shown, ("buy",)))
    assert [seconds is not None for *_, seconds in rows] == [False, False, True]


def examples(rows, answers, naming=(), cut=0, until=None):
    data = with_impressions(world(rows), impression_items(answers, naming), ("purchase",))
    return click_examples(data, cut, until, target_events=("purchase",), negative_events=(ANSWERS,))


ROWS = [("u0", "i0", 1.0), ("u0", "i1", 2.0), ("u0", "i2", 2.5), ("u0", "i0", 9.0)]


def test_examples_are_the_impressions_at_the_time_they_were_shown():
    clicks = examples(ROWS, [(0, 2 * DAY - HOUR, [1, 2]), (0, 8 * DAY, [2])], cut=DAY)
    assert clicks.item_numbers.values.tolist() == [1, 2, 2]
    assert clicks.outcomes.tolist() == [1, 1, 0]
    assert clicks.queries.times.tolist() == [2 * DAY - HOUR, 8 * DAY]
    history = clicks.queries.history
    assert [history.slice(row, row + 1).items.tolist() for row in (0, 1)] == [[0], [0, 1, 2]]
    event_types = clicks.train.interactions.event_types
    assert [clicks.train.event_types[number] for number in event_types] == ["purchase"]


def test_click_dated_before_its_impression_is_not_in_the_history():
    clicks = examples(ROWS, [(0, 3 * DAY, [1, 0])], [(1, 0)], cut=DAY)
    assert clicks.outcomes.tolist() == [1, 0]
    assert clicks.queries.times.tolist() == [2 * DAY]
    assert clicks.queries.history.items.tolist() == [0]


def test_other_event_dated_before_its_impression_is_not_in_the_history():
    rows = [("u0", "i0", 1.0), ("u0", "i1", 2.0, "look"), ("u0", "i1", 4.0), ("u0", "i0", 9.0)]
    clicks = examples(rows, [(0, 3 * DAY, [1, 0])], [(1, 0), (2, 0)], cut=DAY)
    assert clicks.outcomes.tolist() == [1, 0]
    assert clicks.queries.times.tolist() == [2 * DAY]
    assert clicks.queries.history.items.tolist() == [0]


def test_impression_clicked_after_the_end_of_the_period_is_a_miss():
    answers = [(0, 2 * DAY - HOUR, [1, 2]), (0, 2 * DAY, [0])]
    known = examples(ROWS, answers, cut=DAY)
    early = examples(ROWS, answers, cut=DAY, until=2 * DAY)
    assert known.outcomes.tolist() == [1, 1, 0]
    assert early.outcomes.tolist() == [1, 0, 0]


def test_impression_clicked_by_the_last_event_is_a_click():
    rows = [("u0", "i0", 1.0), ("u0", "i1", 1.0 + 12_345_678_901 / DAY)]
    clicks = examples(rows, [(0, DAY + 1, [0, 1])], [(1, 0)])
    assert clicks.outcomes.tolist() == [0, 1]
