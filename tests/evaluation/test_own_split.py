"""One's own train, validation and test data."""

import numpy as np
import pytest

from plait.errors import InputError
from plait.evaluation.evaluate import evaluate
from plait.evaluation.protocol import Protocol
from plait.splitting.own_split import OwnSplit, joined
from tests.dataset_fixtures import world
from tests.evaluation.fake_stages import recipe, witness

USERS = 30
ROWS = [
    (f"u{user:02}", f"i{(user + step) % 12:02}", 10 * step + user / 100)
    for user in range(USERS)
    for step in range(8)
]
DATA = world(ROWS)
PROTOCOL = Protocol("split", seen="keep", k=(3, 5))


def last_parts(data=DATA):
    """The last event of a user is the test, the one before it the validation."""
    users = data.interactions.users
    from_end = np.searchsorted(users, users, "right") - np.arange(len(users)) - 1
    train, validation, test = (data.keep(mask) for mask in split_masks(from_end))
    return OwnSplit(train, test, validation)


def split_masks(from_end):
    return from_end > 1, from_end == 1, from_end == 0


def flags(report):
    return {flag.name: flag for flag in report.flags}


def test_an_own_split_of_last_events_equals_leave_one_out():
    toy = recipe("Follows", "Counts")
    own = evaluate(DATA, [toy], PROTOCOL, split=last_parts())
    usual = evaluate(DATA, [toy], Protocol(seen="keep", k=(3, 5)))
    for row in usual.results:
        for metric, interval in row.metrics.items():
            own_values = tuple(own.result(row.model).metrics[metric])
            assert own_values == pytest.approx(tuple(interval), nan_ok=True), metric
    assert own.data["queries"] == usual.data["queries"] == USERS
    assert own.protocol.hash != usual.protocol.hash


def test_the_parts_decide_what_is_fitted_learned_from_and_measured():
    split = last_parts()
    evaluate(DATA, [recipe("Spy", "Counts")], PROTOCOL, split=split)
    (fitted,) = witness.fits
    assert len(fitted.interactions) == len(split.train.interactions)
    ((queries, _, targets),) = witness.taught
    assert (queries.history.lengths == 6).all()
    assert targets.values.tolist() == split.validation.interactions.items.tolist()


def test_refit_adds_the_validation_data():
    protocol = Protocol("split", seen="keep", refit=True)
    evaluate(DATA, [recipe("Spy", "Counts")], protocol, split=last_parts())
    assert [len(fit.interactions) for fit in witness.fits] == [USERS * 6, USERS * 7]


def test_without_validation_a_part_of_train_is_held_out_and_fitted_again():
    split = last_parts()
    known = OwnSplit(split.known, split.test)
    evaluate(DATA, [recipe("Spy", "Counts")], PROTOCOL, split=known)
    sizes = [len(fit.interactions) for fit in witness.fits]
    assert sizes[0] < sizes[1] == USERS * 7
    assert witness.taught


def test_flags_of_a_clean_split_are_down():
    report = evaluate(DATA, [recipe("Follows")], PROTOCOL, split=last_parts())
    names = ("cold-users", "cold-items", "test-before-train", "leak")
    assert [flags(report)[name].raised for name in names] == [False] * 4


def test_flags_name_cold_users_leaks_and_the_future():
    events = DATA.interactions
    is_first_user = events.users == 0
    train = DATA.keep(~is_first_user & (np.arange(len(events)) % 8 > 0))
    first = DATA.keep((np.arange(len(events)) % 8 == 0) | is_first_user)
    leaking = joined(first, DATA.keep(np.flatnonzero(events.users == 1)[1:3]))
    report = evaluate(DATA, [recipe("Follows")], PROTOCOL, split=OwnSplit(train, leaking))
    raised = flags(report)
    assert raised["cold-users"].value == pytest.approx(1 / USERS)
    assert raised["leak"].value == pytest.approx(2 / len(leaking.interactions))
    assert raised["test-before-train"].value > 0.5
    assert all(raised[name].raised for name in ("cold-users", "leak", "test-before-train"))
    assert "new-users" in report.data["slices"]


def test_items_without_a_training_event_are_flagged():
    events = DATA.interactions
    is_new = events.items == events.items[-1]
    split = OwnSplit(DATA.keep(~is_new), DATA.keep(is_new))
    report = evaluate(DATA, [recipe("Counts")], PROTOCOL, split=split)
    assert flags(report)["cold-items"].value == 1
    assert report.result("fused").metrics["recall@5"].value == 0


def test_seen_items_are_removed_where_few_are_taken_again():
    split = last_parts()
    assert (
        evaluate(DATA, [recipe("Counts")], Protocol("split"), split=split).protocol.seen == "remove"
    )
    again = world([*ROWS, *((user, item, time + 200) for user, item, time in ROWS)])
    halves = OwnSplit(
        again.keep(again.interactions.times < again.interactions.times.max()),
        again.keep(again.interactions.times == again.interactions.times.max()),
    )
    report = evaluate(again, [recipe("Counts")], Protocol("split"), split=halves)
    assert report.protocol.seen == "keep"


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_an_empty_part_is_refused_by_name(name):
    parts = {"train": DATA, "validation": DATA, "test": DATA}
    parts[name] = DATA.keep(np.zeros(len(DATA.interactions), np.bool_))
    with pytest.raises(InputError) as refused:
        OwnSplit(**parts)
    assert refused.value.field == name


def test_parts_with_other_users_are_refused():
    with pytest.raises(InputError) as refused:
        OwnSplit(DATA, world(ROWS[8:]))
    assert refused.value.field == "test"


def test_a_split_needs_its_protocol_and_the_protocol_a_split():
    with pytest.raises(InputError) as refused:
        evaluate(DATA, [recipe("Counts")], Protocol(), split=last_parts())
    assert refused.value.field == "protocol"
    with pytest.raises(InputError) as refused:
        evaluate(DATA, [recipe("Counts")], PROTOCOL)
    assert refused.value.field == "test"


def test_parts_of_positions_are_joined_one_after_the_other():
    rows = [(user, item) for user in ("a", "b") for item in ("x", "y", "z")]
    data = world([(*row, at) for at, row in enumerate(rows)], clock="position")
    first = np.arange(len(rows)) % 3 < 2
    both = joined(data.keep(first), data.keep(~first))
    assert both.interactions.items.tolist() == data.interactions.items.tolist()
    assert both.interactions.users.tolist() == data.interactions.users.tolist()
