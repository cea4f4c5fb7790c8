"""Consent and pseudonyms."""

import pytest

from plait.data.types import Event
from plait.errors import InputError
from plait.privacy.consent import ConsentPolicy

KEY = b"k" * 32


def view(user, index=0):
    return Event("interaction", f"e{index}", "view", user, "i")


def user_event(user, fields, change="put"):
    return Event("user", f"u-{user}", change, user=user, fields=fields)


def test_everything_is_off_by_default():
    policy = ConsentPolicy()
    events = [view("u")]
    allowed, rejected = policy.filter_events(events)
    assert allowed is events
    assert rejected == []
    assert policy.user_id("u") == "u"
    assert policy.content_key == b""


def test_only_events_after_consent_are_allowed():
    events = [
        view("a"),
        user_event("a", '{"consent":true}'),
        view("a"),
        view("b"),
        Event("item", "x", "put", item="i"),
    ]
    allowed, rejected = ConsentPolicy(required=True).filter_events(events)
    assert allowed == [events[1], events[2], events[4]]
    assert [(rejection.index, rejection.field) for rejection in rejected] == [
        (0, "user"),
        (3, "user"),
    ]


def test_consent_given_earlier_counts():
    policy = ConsentPolicy(required=True, granted={"b"}.__contains__)
    allowed, rejected = policy.filter_events([view("a"), view("b")])
    assert [event.user for event in allowed] == ["b"]
    assert len(rejected) == 1


@pytest.mark.parametrize("value", ["true", '"true"', "1", '"yes"'])
def test_values_that_give_consent(value):
    events = [user_event("a", f'{{"consent":{value}}}'), view("a")]
    assert ConsentPolicy(required=True).filter_events(events) == (events, [])


@pytest.mark.parametrize(
    "fields", ['{"consent":false}', '{"consent":null}', '{"name":"x"}', None, "[", "5"]
)
def test_fields_that_give_no_consent(fields):
    events = [user_event("a", fields), view("a")]
    allowed, rejected = ConsentPolicy(required=True).filter_events(events)
    assert not allowed
    assert len(rejected) == 2


def test_withdrawn_consent_is_stored_and_ends_the_permission():
    policy = ConsentPolicy(required=True, granted=lambda _: True)
    withdrawal = user_event("a", '{"consent":false}', "patch")
    allowed, rejected = policy.filter_events([view("a"), withdrawal, view("a")])
    assert allowed == [view("a"), withdrawal]
    assert len(rejected) == 1


@pytest.mark.parametrize(
    ("event", "n_allowed"),
    [
        (user_event("a", '{"name":"x"}', "patch"), 2),
        (user_event("a", None, "delete"), 1),
        (Event("erase", "x", user="a"), 1),
    ],
)
def test_a_patch_keeps_consent_while_delete_and_erase_end_it(event, n_allowed):
    policy = ConsentPolicy(required=True, granted=lambda _: True)
    allowed, _ = policy.filter_events([event, view("a")])
    assert allowed == [event, view("a")][:n_allowed]


def test_pseudonyms_replace_user_ids_by_keyed_hashes():
    policy = ConsentPolicy(pseudonyms=True, key=KEY)
    pseudonym = policy.user_id("anna@example.org")
    assert pseudonym.startswith("p_")
    assert len(pseudonym) == 28
    assert policy.user_id("anna@example.org") == pseudonym
    assert policy.user_id(pseudonym) == pseudonym
    assert policy.user_id("Anna@example.org") != pseudonym
    other_key = ConsentPolicy(pseudonyms=True, key=b"x" * 32)
    assert other_key.user_id("anna@example.org") != pseudonym
    events = [view("anna@example.org"), Event("item", "x", "put", item="i")]
    allowed, rejected = policy.filter_events(events)
    assert [event.user for event in allowed] == [pseudonym, None]
    assert not rejected
    assert "anna" not in repr(allowed)
    assert policy.content_key not in (b"", KEY)
    assert "kkkk" not in repr(policy)


def test_earlier_consent_is_looked_up_by_the_stored_id():
    stored_id = ConsentPolicy(pseudonyms=True, key=KEY).user_id("b")
    policy = ConsentPolicy(
        required=True, pseudonyms=True, key=KEY, granted={stored_id}.__contains__
    )
    allowed, rejected = policy.filter_events([view("a"), view("b")])
    assert [event.user for event in allowed] == [stored_id]
    assert len(rejected) == 1


def test_pseudonyms_with_a_short_key_are_refused():
    with pytest.raises(InputError) as caught:
        ConsentPolicy(pseudonyms=True, key=b"short")
    assert caught.value.field == "pseudonym_key"
