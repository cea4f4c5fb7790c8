"""Filters mean what a person means, refuse what they cannot mean, and never raise anything else."""

import gc
import weakref
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.errors import FilterError
from plait.ranking.filters.filter_expression import compile_filter
from tests.ranking.candidate_fixtures import DAY, FIELDS, IDS, catalogue

SHOP = catalogue()


def passing(text, shop=SHOP):
    return np.nonzero(compile_filter(text).mask(shop))[0].tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('category == "lamps" and price < 20', [3]),
        ("category == 'lamps' or category == 'mugs'", [0, 1, 2, 3, 4]),
        ('category != "lamps"', [0, 1]),
        ('not category == "lamps"', [0, 1, 5, 6, 7]),
        ('category in ["lamps", "cups"]', [2, 3, 4]),
        ('category not in ["lamps"]', [0, 1]),
        ('category < "m"', [2, 3, 4]),
        ("price >= 5 and price <= 18.5", [1, 3]),
        ("20 > price", [0, 1, 3, 5]),
        ("price == 4e0", [0]),
        ("price > -1", [0, 1, 2, 3, 5]),
        ("price in [4, 5]", [0, 1]),
        ("price not in [4, 5]", [2, 3, 5]),
        ("price == null", [4, 6, 7]),
        ("price != null", [0, 1, 2, 3, 5]),
        ("null == title", [4, 7]),
        ("brand in [null, 'OPI']", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("available == true", [1]),
        ("available == false", [4]),
        ("available != false", [1]),
        ("available", [1]),
        ("stock == true", []),
        ("stock", [5]),
        ("title", [0, 1, 2, 3, 5]),
        ("tags", [0, 1, 2]),
        ("place", [5, 6]),
        ("stock < price", [0]),
        ("category == brand", []),
        ('"red" in tags', [0, 2]),
        ('"red" not in tags', [1, 6]),
        ('tags == "red"', [0, 2]),
        ('tags != "red"', [1, 6]),
        ('tags in ["red", "blue"]', [0, 1, 2]),
        ('tags contains "blue"', [1]),
        ("tags != null", [0, 1, 2, 6]),
        ('contains(title, "MUG")', [0, 1]),
        ('title contains "STRASSE"', [5]),
        ('"lamp" in title', [2, 3]),
        ('id in ["i1", "i2", "gone"]', [1, 2]),
        ('id == "i3"', [3]),
        ('id not in ["i0","i1","i2","i3","i4","i5","i6"]', [7]),
        ('born > "2024-01-01"', [4]),
        ('born <= "2022-01-08T00:00:00Z"', [3]),
        ('born < "2022-01-08T01:00:00+01:00"', []),
        ("distance(place, 48.2, 16.4) < 5", [5]),
        ("distance(place, 48.2, 16.4) < 12", [5, 6]),
        ("5 <= distance(place, 48.2, 16.4)", [6]),
        ("(price < 5 or price > 20) and not (category == 'mugs')", [2, 5]),
        ("true", list(range(8))),
        ("not true", []),
        ("`price` < 5", [0, 5]),
        ("price in []", []),
        (r'title == "Red \mug"', [0]),
    ],
)
def test_meaning(text, expected):
    assert passing(text) == expected


def test_fields_with_any_name_are_quoted():
    odd = catalogue([{}]).with_columns({"unit price, €": "number"})
    assert passing("`unit price, €` == null", odd) == [0]


def test_distance_in_kilometres():
    """Vienna to Paris: 1,034 km."""
    shop = catalogue([{"place": (48.2082, 16.3738)}, {"place": (48.8566, 2.3522)}])
    assert passing("distance(place, 48.2082, 16.3738) > 1024", shop) == [1]
    assert passing("distance(place, 48.2082, 16.3738) > 1044", shop) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("price <", "the end"),
        ("price < 20 and", "the end"),
        ("price = 20", "=="),
        ("price < 20 20", "expected the end"),
        ("1 < price < 20", "do not chain"),
        ("(price < 20", r"'\)'"),
        ("price < 20)", "expected the end"),
        ('title == "mug', "cannot read"),
        ("__import__('os')", "unknown function '__import__'"),
        ("price.__class__ == 1", "price.__class__"),
        ("lambda: 1", "cannot read"),
        ("colour == 1", "fields are id, available, born"),
        ("5", "neither true nor false"),
        ("1 == 1", "compares no field"),
        ("price == '4'", "price is a number"),
        ("category == 4", "category is a category"),
        ("tags < 'red'", "in tags"),
        ("tags == 4", "in tags"),
        ("place == 'here'", "distance"),
        ("born > 'yesterday'", "born is a time"),
        ("born > 5", "born is a time"),
        ("born > '0001-01-01T00:00:00+23:59' and 1", "neither true nor false"),
        ("price < null", "no order"),
        ("available < true", "no meaning"),
        ("price == [1]", "behind `in`"),
        ("price in 5", "a list in brackets"),
        ("1 in [1]", "FIELD"),
        ("price contains 'x'", "contains nothing"),
        ("contains(title)", "2 arguments"),
        ("contains(title, 5)", "a field and a text"),
        ("distance(place, 48.2, 16.4)", "compared with a number"),
        ("distance(place, 48.2, 16.4) < 'x'", "compared with a number"),
        ("distance(price, 48.2, 16.4) < 5", "a place field"),
        ("distance(place, 148.2, 16.4) < 5", "not a latitude"),
        ("price < title", "cannot be compared"),
        ("not " * 40 + "true", "deeper than 32"),
        ("(" * 5000 + "true" + ")" * 5000, "deeper than 32"),
        ("contains(" * 1500, "expected"),
        ("true " * 5000, "25000 characters"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(text, named):
    with pytest.raises(FilterError, match=named):
        passing(text)


WORDS = """( ) [ ] , == != < <= > >= in not and or contains distance true false null price title
tags id born place category nothing `price` 'red' "mug" 4 -1.5e3 1e999 .5 . \\ " ' ` = ! é 红 \0"""
PIECES = st.sampled_from(WORDS.split())


@given(st.text(max_size=40) | st.lists(PIECES, max_size=14).map(" ".join))
def test_random_text_raises_nothing_but_filter_errors(text):
    with suppress(FilterError):
        assert compile_filter(text).mask(SHOP).shape == (8,)


def missing_is_false(name, test):
    return lambda item: item.get(name) is not None and test(item[name])


OPERATORS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@st.composite
def simple(draw):
    """An expression as text, and what it means for the fields of one item."""
    name, value = draw(
        st.tuples(st.sampled_from(["price", "stock"]), st.sampled_from([0.0, 3.0, 4.0, 18.5]))
        | st.tuples(
            st.sampled_from(["category", "brand", "title"]), st.sampled_from(["lamps", "OPI"])
        )
    )
    shown = f"{value}" if isinstance(value, float) else f'"{value}"'
    shape = draw(st.integers(0, 4))
    if shape == 0:
        return f"{name} in [{shown}]", missing_is_false(name, lambda own: own == value)
    if shape == 1:
        return f"{name} not in [{shown}]", missing_is_false(name, lambda own: own != value)
    if shape == 2:
        return f"{name} == null", lambda item: item.get(name) is None
    if shape == 3:
        return '"red" in tags', missing_is_false("tags", lambda own: "red" in own)
    operator = draw(st.sampled_from(sorted(OPERATORS)))
    test = OPERATORS[operator]
    return f"{name} {operator} {shown}", missing_is_false(name, lambda own: test(own, value))


def joined(parts):
    def both(pair, word, join):
        (first, test_first), (second, test_second) = pair
        return f"({first}) {word} ({second})", lambda item: join(
            (test_first(item), test_second(item))
        )

    pairs = st.tuples(parts, parts)
    return (
        pairs.map(lambda pair: both(pair, "and", all))
        | pairs.map(lambda pair: both(pair, "or", any))
        | parts.map(
            lambda expression: (f"not ({expression[0]})", lambda item: not expression[1](item))
        )
    )


@given(st.recursive(simple(), joined, max_leaves=6))
def test_random_expressions_against_one_item_at_a_time(case):
    text, meaning = case
    assert passing(text) == [place for place, item in enumerate(FIELDS) if meaning(item)]


def test_masks_are_kept_for_a_version_and_go_with_it():
    shop = catalogue()
    mask = compile_filter("price < 5").mask(shop)
    assert compile_filter("price < 5").mask(shop) is mask
    assert not mask.flags.writeable
    other = catalogue([{"price": 9.0}])
    assert passing("price < 5", other) == []
    gone = weakref.ref(shop)
    del shop
    gc.collect()
    assert gone() is None


def test_an_empty_catalogue():
    nothing = catalogue([])
    for text in (
        "price < 5",
        "tags",
        "id == 'x'",
        "title contains 'x'",
        "born == null",
        "distance(place, 1, 1) < 5",
        "category == 'x'",
        "'x' in tags",
    ):
        assert passing(text, nothing) == []


def test_ids_and_days():
    assert IDS[3] == SHOP.ids[3]
    assert SHOP.columns["born"].values[3] == 19_000 * DAY
