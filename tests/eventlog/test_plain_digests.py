"""Checking a batch by columns agrees with checking each of its events."""

import pytest

from plait.data.types import NOW, Event
from plait.eventlog import EventLog
from plait.eventlog.event_validation import id_hash, id_hashes, plain_digests, validate_event

INTERACTIONS = [
    Event("interaction", "e1", "view", "anna", "mug", 1, None, None, None, None),
    Event("interaction", "e2", "rate", "bob", "Tasse", None, 7, 4.5, "r1", '{"country":"DE"}'),
    Event("interaction", "e3", "purchase", "안나", "茶", NOW + 1, None, 2, None, "{}"),
]
PLAIN = {
    "interactions": INTERACTIONS[:2],
    "interactions that happen now": [INTERACTIONS[0]._replace(time=NOW), INTERACTIONS[1]],
    "items": [
        Event("item", "i1", "put", item="mug", fields='{"title":"Mug"}'),
        Event("item", "i2", "delete", "anna", "pot", 3),
    ],
    "users": [Event("user", "u1", "patch", "anna"), Event("user", "u2", "put", "bob", time=9)],
}
DOUBTFUL = {
    "a text as a time": {"time": "1"},
    "a time after the year 9999": {"time": 1 << 60},
    "a position of 65 bits": {"position": 1 << 64},
    "an infinite value": {"value": float("inf")},
    "no value": {"value": float("nan")},
    "truth as a value": {"value": True},
    "no user": {"user": None},
    "an empty item": {"item": ""},
    "an empty event type": {"event_type": ""},
    "a long id": {"id": "x" * 513},
    "a NUL in the fields": {"fields": '{"a":"\0"}'},
    "half a character": {"user": "\ud800"},
    "an id in bytes": {"id": b"e"},
    "fields beyond the limit": {"fields": " " * ((1 << 20) + 1)},
    "another record type": {"record_type": "erase"},
    "a record type that is none": {"record_type": "event"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_digests_of_plain_events_are_those_of_each(name):
    events = PLAIN[name]
    assert plain_digests(events) == [validate_event(event) for event in events]
    ids = [event.id for event in INTERACTIONS] + ["茶"]
    assert id_hashes(ids) == [id_hash(external_id) for external_id in ids]


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_batch_with_a_doubtful_event_is_checked_event_by_event(name):
    assert plain_digests([INTERACTIONS[0], INTERACTIONS[1]._replace(**DOUBTFUL[name])]) is None


def test_a_change_that_is_none_is_doubtful():
    assert plain_digests([PLAIN["items"][0]._replace(event_type="view")]) is None
    assert plain_digests([]) is None


def test_a_doubtful_event_changes_nothing_for_the_others(tmp_path):
    bad = INTERACTIONS[0]._replace(id="e9", value=float("inf"))
    with EventLog.open(tmp_path / "a") as log, EventLog.open(tmp_path / "b") as other:
        mixed = log.append([*INTERACTIONS[:2], bad])
        plain = other.append(INTERACTIONS[:2])
        assert [row.status for row in mixed.rows] == ["stored", "stored", "rejected"]
        assert mixed.rows[:2] == plain.rows
        assert log.digests([1, 2]) == other.digests([1, 2])
        assert log.append(INTERACTIONS[:2]).rows[0].status == "duplicate"


@pytest.mark.parametrize("n_events", [1, 3, 20])
def test_events_without_a_time_can_be_sent_again(tmp_path, n_events):
    events = [INTERACTIONS[0]._replace(id=f"now{n}", time=NOW) for n in range(n_events)]
    with EventLog.open(tmp_path) as log:
        assert {row.status for row in log.append(events).rows} == {"stored"}
        assert {row.status for row in log.append(events).rows} == {"duplicate"}
