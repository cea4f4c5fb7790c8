"""Bodies are closed and strict, and no nesting hurts."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import InputError
from plait.server.http.json_body import MAX_DEPTH, object_of, parsed
from plait.server.http.request_models import Next, Rank, Recommend, Search


def test_defaults():
    body = parsed(Recommend, b"{}")
    assert dict(body) == {
        "user": None,
        "k": 10,
        "filter": None,
        "exclude": [],
        "context": {},
        "history": [],
        "at_least": None,
        "session": None,
        "fields": [],
        "seen": None,
        "boosts": [],
        "pins": [],
        "group_by": None,
        "language": None,
    }


def test_whole_numbers_are_ids():
    body = parsed(Rank, b'{"user": 17850, "items": [1, "b"]}')
    assert (body.user, body.items) == ("17850", ["1", "b"])


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (Recommend, {"usr": "a"}, "usr"),
        (Recommend, {"k": 0}, "k"),
        (Recommend, {"k": -1}, "k"),
        (Recommend, {"k": 10**30}, "k"),
        (Recommend, {"k": "10"}, "k"),
        (Recommend, {"k": 2.5}, "k"),
        (Recommend, {"k": True}, "k"),
        (Recommend, {"user": True}, "user"),
        (Recommend, {"user": ""}, "user"),
        (Recommend, {"user": ["a"]}, "user"),
        (Recommend, {"exclude": "a"}, "exclude"),
        (Recommend, {"exclude": ["a", None]}, "exclude.1"),
        (Recommend, {"context": []}, "context"),
        (Recommend, {"at_least": -1}, "at_least"),
        (Search, {}, "text"),
        (Rank, {"user": "a"}, "items"),
        (Next, {"k": 3}, "request_id"),
    ],
)
def test_the_wrong_field_is_named(model, body, field):
    with pytest.raises(InputError) as caught:
        parsed(
            model, orjson.dumps(body) if body.get("k") != 10**30 else b'{"k": 1%s}' % (b"0" * 30)
        )
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize(
    "raw",
    [b"", b"nonsense", b"[1]", b'"text"', b"null", b'{"k": NaN}', b'{"k": Infinity}', b'{"a": 1,}',
     b'{"user": "\xff"}', b"[" * 100_000, b'{"a":' * 100_000, b'{"user": "\\ud800"}'],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(raw):
    with pytest.raises(InputError) as caught:
        parsed(Recommend, raw)
    assert caught.value.field == "body"


def nested(depth):
    return b'{"context": ' + b'{"a":' * (depth - 1) + b"1" + b"}" * depth


def test_nesting_has_a_bound():
    assert object_of(nested(MAX_DEPTH))
    with pytest.raises(InputError) as caught:
        object_of(nested(MAX_DEPTH + 1))
    assert caught.value.field == "body"
    wide = orjson.dumps({"context": {"list": [[]] * 10_000}})
    assert object_of(wide)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from([*Recommend.model_fields, "x"]), json_values))
def test_any_body_is_understood_or_refused_by_field(body):
    try:
        raw = orjson.dumps(body)
    except TypeError:  # an integer of more than 64 bits or a lone surrogate
        return
    try:
        query = parsed(Recommend, raw)
    except InputError as caught:
        assert caught.field  # noqa: PT017  either outcome is right
    else:
        assert query.k >= 1
        assert not isinstance(query.k, float)
