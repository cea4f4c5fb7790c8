"""Consent and pseudonyms."""

import pytest

from plait.data.types import Event
from plait.errors import InputError
from plait.privacy.consent import ConsentPolicy

KEY = b"k" * 32


def view(user, at=0):
    return Event("interaction", f"e{at}", "view", user, "i")


def said(user, fields, kind="put"):
    return Event("user", f"u-{user}", kind, user=user, fields=fields)


def test_off_by_default_and_free():
    events = [view("u")]
    kept, refused = ConsentPolicy().filter_events(events)
    assert kept is events
    assert refused == []
    assert ConsentPolicy().user_id("u") == "u"
    assert ConsentPolicy().content_key == b""


def test_only_with_consent():
    events = [
        view("a"),
        said("a", '{"consent":true}'),
        view("a"),
        view("b"),
        Event("item", "x", "put", item="i"),
    ]
    kept, refused = ConsentPolicy(required=True).filter_events(events)
    assert kept == [events[1], events[2], events[4]]
    assert [(one.index, one.field) for one in refused] == [(0, "user"), (3, "user")]


def test_consent_given_earlier():
    consent = ConsentPolicy(required=True, granted={"b"}.__contains__)
    kept, refused = consent.filter_events([view("a"), view("b")])
    assert [one.user for one in kept] == ["b"]
    assert len(refused) == 1


@pytest.mark.parametrize("yes", ["true", '"true"', "1", '"yes"'])
def test_ways_to_say_yes(yes):
    assert not ConsentPolicy(required=True).filter_events(
        [said("a", f'{{"consent":{yes}}}'), view("a")]
    )[1]


@pytest.mark.parametrize(
    "no", ['{"consent":false}', '{"consent":null}', '{"name":"x"}', None, "[", "5"]
)
def test_ways_to_say_nothing(no):
    kept, refused = ConsentPolicy(required=True).filter_events([said("a", no), view("a")])
    assert not kept
    assert len(refused) == 2


def test_consent_taken_back():
    consent = ConsentPolicy(required=True, granted=lambda _: True)
    back = said("a", '{"consent":false}', "patch")
    kept, refused = consent.filter_events([view("a"), back, view("a")])
    assert kept == [view("a"), back]
    assert len(refused) == 1
    kept, _ = consent.filter_events([said("a", '{"name":"x"}', "patch"), view("a")])
    assert len(kept) == 2
    kept, _ = consent.filter_events([said("a", None, "delete"), view("a")])
    assert len(kept) == 1
    kept, _ = consent.filter_events([Event("erase", "x", user="a"), view("a")])
    assert len(kept) == 1


def test_pseudonyms():
    consent = ConsentPolicy(pseudonyms=True, key=KEY)
    name = consent.user_id("anna@example.org")
    assert name.startswith("p_")
    assert len(name) == 28
    assert consent.user_id("anna@example.org") == name
    assert consent.user_id(name) == name
    assert consent.user_id("Anna@example.org") != name
    assert ConsentPolicy(pseudonyms=True, key=b"x" * 32).user_id("anna@example.org") != name
    kept, refused = consent.filter_events(
        [view("anna@example.org"), Event("item", "x", "put", item="i")]
    )
    assert [one.user for one in kept] == [name, None]
    assert not refused
    assert "anna" not in repr(kept)
    assert consent.content_key not in (b"", KEY)
    assert "kkkk" not in repr(consent)


def test_consent_goes_by_the_stored_name():
    name = ConsentPolicy(pseudonyms=True, key=KEY).user_id("b")
    consent = ConsentPolicy(required=True, pseudonyms=True, key=KEY, granted={name}.__contains__)
    kept, refused = consent.filter_events([view("a"), view("b")])
    assert [one.user for one in kept] == [name]
    assert len(refused) == 1


def test_a_key_is_needed():
    with pytest.raises(InputError, match="secret key"):
        ConsentPolicy(pseudonyms=True, key=b"short")
