"""What a reader should know before believing a table."""

from dataclasses import replace

import pytest

from plait.errors import ProtocolError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.evaluation.results.data_warnings import DataWarning
from tests.dataset_fixtures import random_rows, world
from tests.evaluation.fake_stages import recipe


def flags(data, protocol=None, toy=None):
    report = evaluate(data, [toy or recipe("Counts")], protocol or Protocol())
    return {flag.name: flag for flag in report.flags}


def rising(length, ids="i{:02}"):
    return world(
        [
            (f"u{user}", ids.format((user * 7 + step) % 60), step * 2 + user / 99)
            for user in range(40)
            for step in range(length)
        ]
    )


def test_ids_that_give_the_order_away_are_flagged():
    found_warnings = flags(rising(5))
    assert found_warnings["id-order-train"].raised
    assert found_warnings["id-order-test"].value > 0.8


@pytest.mark.parametrize(
    ("rules", "seen", "is_flagged"),
    [
        ({"seen": "once"}, "keep", True),
        ({"seen": "off"}, "remove", True),
        ({"seen": "once"}, "remove", False),
        ({"seen": "off"}, "keep", False),
    ],
)
def test_another_rule_for_seen_items_than_the_served_one_is_flagged(rules, seen, is_flagged):
    base = recipe("Counts")
    steps = {"fuse": {}, "rules": rules, "policy": {}}
    toy = replace(base, steps=steps)
    assert ("served-seen" in flags(rising(5), Protocol(seen=seen), toy)) == is_flagged


def falling(length):
    """As `rising`, and every next id is one less."""
    return world(
        [
            (f"u{user}", f"i{(user * 7 - step) % 60:02}", step * 2 + user / 99)
            for user in range(40)
            for step in range(length)
        ]
    )


def test_ids_that_fall_give_the_order_away_as_well():
    found_warnings = flags(falling(6))
    for where, what in (("train", "training pairs"), ("test", "test pairs")):
        flag = found_warnings[f"id-order-{where}"]
        assert flag.raised
        assert flag.value < 0.2
        share = f"{1 - flag.value:.0%}"
        assert flag.text.startswith(f"the next item has the smaller id in {share} of {what}: ")
    up = flags(rising(6))["id-order-train"]
    assert up.text.startswith(f"the next item has the larger id in {up.value:.0%} of training")


def test_ids_that_rise_by_first_appearance_raise_no_warning():
    """Ids count up as items appear: what falls below 45 % falls by the order of the log."""
    rows = random_rows(users=200, events=4000)
    names = {}
    for _, item, _ in rows:
        names.setdefault(item, str(len(names)))
    found_warnings = flags(world([(user, names[item], time) for user, item, time in rows]))
    for where in ("train", "test"):
        assert 0.45 < found_warnings[f"id-order-{where}"].value < 0.6
    assert not found_warnings["id-order-train"].raised
    assert "larger id" in found_warnings["id-order-train"].text


def test_numeric_ids_are_ordered_as_numbers():
    data = world(
        [(f"u{user}", str(8 + step), step + user / 99) for user in range(9) for step in range(5)]
    )
    assert flags(data)["id-order-train"].value == 1


def test_ids_without_order_are_not_flagged():
    found_warnings = flags(world(random_rows(users=200, events=4000)))
    assert 0.4 < found_warnings["id-order-train"].value < 0.6
    assert not found_warnings["id-order-train"].raised


def test_few_pairs_raise_no_order_warning():
    rows = [
        (f"u{user}", f"i{(user * 7 + step) % 60:02}", step)
        for user in range(5)
        for step in (0, 5, 3)
    ]
    rows += [(f"u{user}", f"i{59 * (user > 0):02}", 10) for user in range(5)]
    warning = flags(world(rows))["id-order-test"]
    assert warning.value > 0.55
    assert warning.raised is False
    back = [(user, f"i{59 - int(item[1:]):02}", time) for user, item, time in rows]
    warning = flags(world(back))["id-order-test"]
    assert warning.value < 0.45
    assert warning.raised is False


def test_equal_times_are_flagged():
    data = world(
        [
            (f"u{user}", f"i{(user * 7 + step) % 60}", step // 3)
            for user in range(30)
            for step in range(9)
        ]
    )
    assert flags(data)["time-ties"].raised
    assert not flags(rising(6))["time-ties"].raised


def test_leave_one_out_is_flagged_for_future_events():
    rows = [
        (f"u{user}", f"i{(user * 7 + step) % 60}", user * 3 + step)
        for user in range(40)
        for step in range(6)
    ]
    data = world(rows)
    assert flags(data)["future"].raised
    assert "future" not in flags(data, Protocol(name="time", test_days=20))


def test_targets_that_ties_decide_are_flagged():
    rows = [(f"u{user}", f"i{user * 4 + step}", step) for user in range(30) for step in range(4)]
    assert flags(world(rows))["ties"].value == 0  # nobody else ever took the targets
    rows += [(f"w{user}", f"i{user}", 0) for user in range(120) if user % 4 > 1]
    assert flags(world(rows))["ties"].raised


def test_too_few_queries_to_learn_from_are_flagged():
    rows = [(f"u{user}", f"i{(user + step) % 9}", step) for user in range(6) for step in range(5)]
    assert flags(world(rows))["unlearned"].value == 6
    assert "unlearned" not in flags(world(random_rows()))


def test_few_queries_are_flagged():
    few = [(f"u{user}", f"i{(user + step) % 9}", step) for user in range(99) for step in range(5)]
    warning = flags(world(few))["few"]
    assert warning.value == 99
    assert "99 test queries are few" in warning.text
    assert "few" not in flags(world([*few, *(("u99", f"i{step}", step) for step in range(5))]))


def test_flags_count_the_queries_of_all_windows():
    """Sixty users in each of three windows: a window is few, all of them are not."""
    rows = [
        (f"u{user}", f"i{(user * 7 + step) % 60}", step + user / 99)
        for user in range(60)
        for step in range(40)
    ]
    assert flags(world(rows), Protocol(name="time", test_days=5))["few"].value == 60
    found_warnings = flags(world(rows), Protocol(name="time", test_days=5, windows=3))
    assert "few" not in found_warnings
    some = [row for row in rows if int(row[0][1:]) < 20]
    few = flags(world(some), Protocol(name="time", test_days=5, windows=3))["few"]
    assert few.value == 60
    assert few.text.startswith("60 test queries are few")


def test_the_warning_names_the_window_without_learned_fusion():
    """Nothing lies before the first window but a handful of events."""
    rows = [
        (f"u{user}", f"i{(user * 7 + step) % 60}", (35 if user > 4 else 0) + step + user / 99)
        for user in range(120)
        for step in range(19 if user > 4 else 54)
    ]
    warning = flags(world(rows), Protocol(name="time", test_days=10, windows=2))["unlearned"]
    assert warning.value == 5
    assert warning.text.startswith("5 (window 19")
    assert "queries are too few" in warning.text


def test_a_late_event_is_named_with_the_days_that_reach_the_others():
    rows = [
        (f"u{user}", f"i{(user * 7 + step) % 60}", step + user / 99)
        for user in range(120)
        for step in range(40)
    ]
    week = Protocol(name="time", test_days=7)
    assert "few" not in flags(world(rows), week)
    with pytest.raises(ProtocolError, match=r"last 1 of 4,801 events.*4,960 days"):
        flags(world([*rows, ("u5", "i35", 5000)]), week)
    late = world([*rows, ("u5", "new", 4000), ("u6", "new", 4001)])
    text = flags(late, week)["few"].text
    assert "2 test queries are few" in text
    assert "the last 2 of 4,802 events are 3,960 days later than the one before them" in text
    assert "--test-days 3968" in text
    assert "few" not in flags(late, Protocol(name="time", test_days=3968))


def test_an_evenly_filled_window_has_no_tail_note():
    rows = [(f"u{step % 30}", f"i{step % 7}", step / 5) for step in range(400)]
    text = flags(world(rows), Protocol(name="time", test_days=20))["few"].text
    assert text.endswith("not the means")


def at_once(*orders):
    """Baskets of three, written in these orders of their ids, one after the other."""
    return world(
        [
            (f"u{user}", f"i{(user * 7 + step * 3 + place) % 200:03}", step)
            for user in range(40)
            for step in range(5)
            for place in orders[(user + step) % len(orders)]
        ]
    )


UP, DOWN = (0, 1, 2), (2, 1, 0)


def test_a_file_sorted_by_id_is_flagged():
    warning = flags(at_once(UP))["id-order-ties"]
    assert warning.raised
    assert warning.value > 0.95
    assert f"the next has the larger id in {warning.value:.0%}: " in warning.text
    mixed = flags(at_once(UP, DOWN))
    assert mixed["time-ties"].raised
    assert not mixed["id-order-ties"].raised


def test_a_file_sorted_by_falling_id_is_flagged_too():
    """A model that learns the order learns this one as easily."""
    warning = flags(at_once(DOWN))["id-order-ties"]
    assert warning.raised
    assert warning.value < 0.05
    assert f"the next has the smaller id in {1 - warning.value:.0%}: " in warning.text


def test_targets_chosen_by_the_order_of_the_file_are_flagged():
    assert flags(at_once(DOWN))["file-order"].value == 1
    assert flags(rising(6))["file-order"].value == 0
    held = Protocol(name="held-out-users", test_users=0.3, fold_in=0.5)
    assert 0 < flags(at_once(DOWN), held)["file-order"].value <= 1
    assert "file-order" not in flags(rising(60), Protocol(name="time", test_days=20))


def test_data_warning_to_dict_rounds_its_value():
    flag = DataWarning("x", 0.12345678, False, "text")
    assert flag.to_dict() == {"name": "x", "value": 0.123457, "raised": False, "text": "text"}


def test_ties_of_any_recipe_are_flagged():
    rows = [(f"u{user}", f"i{user * 4 + step}", step) for user in range(30) for step in range(4)]
    rows += [(f"w{user}", f"i{user}", 0) for user in range(120) if user % 4 > 1]
    both = [recipe("Dice", name="apart"), recipe("Counts", name="tied")]
    found_warnings = {flag.name: flag for flag in evaluate(world(rows), both, Protocol()).flags}
    alone = {flag.name: flag for flag in evaluate(world(rows), both[:1], Protocol()).flags}
    assert found_warnings["ties"].raised
    assert not alone["ties"].raised


def test_an_evaluation_without_queries_is_refused_with_the_reason():
    again = [(f"u{user}", item, day) for user in range(9) for day, item in enumerate("aba")]
    with pytest.raises(ProtocolError) as seen:
        flags(world(again), Protocol(seen="remove"))
    assert "9 targets" in seen.value.message
    assert "--seen keep" in seen.value.hint
    once = [(f"u{user}", f"i{user}", user) for user in range(9)]
    with pytest.raises(ProtocolError) as too_short:
        flags(world(once), Protocol())
    assert too_short.value.field == "protocol"
    assert "--seen" not in too_short.value.hint
