"""A catalogue is a chain of immutable versions that share unchanged columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plait.data.catalogue import NO_TIME, Catalogue, Change

TYPES = {
    "title": "text",
    "brand": "category",
    "tags": "set",
    "price": "number",
    "born": "time",
    "place": "place",
}
VALUES = {
    "title": st.text(max_size=3),
    "brand": st.sampled_from(["x", "y"]),
    "tags": st.just(("a", "b")),
    "price": st.floats(0, 9),
    "born": st.integers(0, 10**15),
    "place": st.just((48.2, 16.4)),
}


@st.composite
def changes(draw, size=4):
    drawn = []
    for offset in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["put", "patch", "delete", "touch"]))
        names = draw(st.lists(st.sampled_from(sorted(TYPES)), unique=True, max_size=3))
        fields = {name: draw(st.none() | VALUES[name]) for name in names}
        if kind in ("delete", "touch"):
            fields = {}
        drawn.append(Change(draw(st.integers(0, size - 1)), kind, fields, offset))
    return drawn


def grown(ids="abcd"):
    return Catalogue().with_ids(list(ids)).with_columns(TYPES)


def apply_one_by_one(catalogue, changed):
    """The expected fields of every entry, and which are alive."""
    fields = [dict(catalogue.fields(number)) for number in range(len(catalogue))]
    alive = catalogue.alive.tolist()
    for change in changed:
        alive[change.number] = change.kind != "delete"
        if change.kind in ("put", "delete"):
            fields[change.number] = {}
        fields[change.number].update(change.fields)
    present = [
        {name: value for name, value in entry.items() if value is not None} for entry in fields
    ]
    return present, alive


@given(changes(), st.integers(0, 12))
def test_updates_equal_changes_applied_one_by_one(drawn, cut):
    base = grown()
    expected, alive = apply_one_by_one(base, drawn)
    for version in (base.updated(drawn), base.updated(drawn[:cut]).updated(drawn[cut:])):
        assert list(map(version.fields, range(len(version)))) == expected
        assert version.alive.tolist() == alive
    assert base.fields(0) == {}
    assert not base.alive.any()


def test_columns_that_do_not_change_are_shared():
    base = grown().updated([Change(0, "put", {"price": 1.0, "brand": "x"}, 1)])
    after = base.updated([Change(0, "patch", {"price": 2.0}, 2)])
    assert after.columns["brand"] is base.columns["brand"]
    assert base.columns["price"].get(0) == 1.0
    assert after.columns["price"].get(0) == 2.0
    assert after.changed.tolist() == [2, -1, -1, -1]


def test_numbers_of_later_versions_are_unknown_to_earlier_ones():
    base = grown("ab")
    after = base.with_ids(["c"])
    assert base.number("c") == -1
    assert after.number("c") == 2
    assert after.numbers(["a", None, "zz"]).tolist() == [0, -1, -1]
    assert list(map(after.id, range(3))) == ["a", "b", "c"]
    assert after.with_ids([]) is after


def test_new_entries_have_no_value_in_any_column():
    after = grown("a").with_ids(["b"])
    assert after.fields(1) == {}
    assert after.columns["born"].values[1] == NO_TIME
    assert np.isnan(after.columns["price"].values[1])
    assert after.types() == TYPES


def test_tiebreak_depends_on_the_id_alone():
    forward, backward = grown("abc"), grown("cba")
    assert forward.tiebreak.tolist() == backward.tiebreak[::-1].tolist()
    assert len(set(forward.tiebreak.tolist())) == 3


def test_an_erased_entry_has_neither_id_nor_fields():
    base = grown().updated([Change(1, "put", {"brand": "x"}, 3)])
    after = base.without_id(1)
    assert after.number("b") == -1
    assert after.id(1) == ""
    assert after.fields(1) == {}
    assert not after.alive[1]
