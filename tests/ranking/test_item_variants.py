"""Variants of a product: one of each is shown, the best in stock."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plait.data.product_groups import ProductGroups
from plait.data.ragged import Ragged
from plait.data.types import StateView
from plait.errors import InputError
from plait.pipeline.recipe import build_stage
from plait.ranking.final_order import Policy
from plait.ranking.item_variants import group_field_of, product_groups
from tests.ranking.candidate_fixtures import Standing, ask, candidates, ragged
from tests.ranking.catalogue_fixtures import catalogue_of

SHIRTS = catalogue_of(
    {"parent": "category", "stock": "number", "brand": "category"},
    [
        {"parent": "shirt", "brand": "A"},
        {"parent": "shirt", "brand": "A"},
        {"parent": "shirt", "stock": 0.0, "brand": "A"},
        {"parent": "hat", "brand": "A"},
        {"parent": "hat", "brand": "B"},
        {"brand": "B"},
        {},
    ],
)


def groups_of(catalogue, group_by="auto"):
    """The ids of every group of more than one item."""
    groups = product_groups(catalogue, group_by)
    if groups is None:
        return None
    pairs = zip(groups.starts, groups.starts[1:], strict=False)
    members = [[catalogue.ids[n] for n in groups.order[start:end]] for start, end in pairs]
    return [group for group in members if len(group) > 1]


def shown(queries, score, *, catalogue=SHIRTS, **config):
    """The ids in their order, by the rules and the final order."""
    queries = replace(queries, live=StateView(Standing(catalogue)))
    rules = build_stage("rules", {"group_by": "auto", **config})
    limited = rules.limit(queries)
    items = candidates(range(len(catalogue)), score=[score])
    placed = Policy(name="policy").apply(limited, rules.apply(limited, items))
    order = placed.column("order")[0]
    numbers = [int(np.flatnonzero(order == rank)[0]) for rank in range(order.max(initial=-1) + 1)]
    return [catalogue.ids[number] for number in numbers], placed


def test_the_first_field_that_the_catalogue_has():
    names = ["variant_of", "group_id", "Item Group Id", "parentId", "PARENT"]
    for last in range(1, len(names) + 1):
        catalogue = catalogue_of(
            dict.fromkeys(names[:last], "category"), [dict.fromkeys(names[:last], "x")] * 2
        )
        assert group_field_of(catalogue, "auto") == names[last - 1]
    assert group_field_of(catalogue_of({"brand": "category"}, [{"brand": "x"}]), "auto") == ""
    empty = catalogue_of(
        {"parent": "category", "variant_of": "category"}, [{"variant_of": "x"}, {}]
    )
    assert group_field_of(empty, "auto") == "variant_of"
    assert product_groups(empty, "") is None


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("category", ["p", "p", "q", None, ""]),
        ("text", ["p", "p", "q", None, None]),
        ("number", [7.0, 7.0, 8.0, None, None]),
        ("set", [("p",), ("p",), ("q",), None, ()]),
        ("set", [("p", "q"), ("p", "q"), ("q", "p"), None, None]),
    ],
)
def test_equal_values_are_one_product_and_missing_ones_stand_alone(kind, values):
    catalogue = catalogue_of({"parent": kind}, [{"parent": value} for value in values])
    assert groups_of(catalogue) == [["i0", "i1"]]


def test_a_parent_that_is_an_item_belongs_to_its_variants():
    rows = [{}, {"parent": "shirt"}, {"parent": "shirt"}, {"parent": "10"}, {}]
    catalogue = catalogue_of({"parent": "category"}, rows, ["shirt", "s", "m", "x", "10"])
    assert groups_of(catalogue) == [["shirt", "s", "m"], ["x", "10"]]
    numbers = catalogue_of({"parent": "number"}, [{"parent": 10.0}, {}], ["x", "10"])
    assert groups_of(numbers) == [["x", "10"]]


def test_chains_and_circles_are_one_product():
    rows = [{"variant_of": "b"}, {"variant_of": "c"}, {"variant_of": "a"}, {"variant_of": "d"}]
    catalogue = catalogue_of({"variant_of": "category"}, rows, ["a", "b", "c", "d"])
    assert groups_of(catalogue) == [["a", "b", "c"]]


def test_unknown_and_unfit_fields_are_refused():
    for group_by in ("parents", "stock_date"):
        catalogue = catalogue_of({"parent": "category", "stock_date": "time"}, [{"parent": "x"}])
        with pytest.raises(InputError) as caught:
            product_groups(catalogue, group_by)
        assert caught.value.field == "group_by"
    assert product_groups(catalogue_of({}, [{}, {}]), "parent") is None


def test_the_best_of_each_product_in_stock_is_shown():
    ids, placed = shown(ask(k=10), [1, 2, 9, 5, 4, 3, 0])
    assert ids == ["i3", "i5", "i1", "i6"]
    reasons = placed.column("removed_by")[0].tolist()
    names = [placed.removal_reasons[reason] if reason >= 0 else None for reason in reasons]
    assert names == ["variant", None, "unavailable", None, "variant", None, None]
    assert shown(ask(k=2), [1, 2, 9, 5, 4, 3, 0])[0] == ["i3", "i5"]


def test_stock_decides_among_variants_even_where_no_rule_hides_what_is_gone():
    assert shown(ask(k=9), [1, 2, 9, 5, 4, 3, 0], availability=[])[0] == ["i3", "i5", "i1", "i6"]
    sold_out = catalogue_of(
        {"parent": "category", "stock": "number"}, [{"parent": "x", "stock": 0.0}] * 2
    )
    assert shown(ask(), [1, 2], catalogue=sold_out, availability=[])[0] == ["i1"]


def test_the_query_may_group_or_not():
    score = [1, 2, 9, 5, 4, 3, 0]
    assert shown(ask(group_by=""), score)[0] == ["i3", "i4", "i5", "i1", "i0", "i6"]
    assert shown(ask(group_by="brand"), score)[0] == ["i3", "i4", "i6"]
    assert shown(ask(group_by="parent"), score, group_by="")[0] == ["i3", "i5", "i1", "i6"]
    assert len(shown(ask(), score, group_by="")[0]) == 6


def test_a_product_that_was_seen_does_not_come_back_as_another_variant():
    score = [1, 2, 9, 5, 4, 3, 0]
    assert shown(ask((0,)), score)[0] == ["i3", "i5", "i6"]
    assert shown(ask(exclude=ragged([4])), score)[0] == ["i5", "i1", "i6"]
    assert shown(ask(rejected=ragged([4])), score)[0] == ["i5", "i1", "i6"]
    # Brands are no products: what was seen of a brand hides only itself.
    assert shown(ask((3,), group_by="brand"), score)[0] == ["i4", "i1", "i6"]


def test_more_like_this_shows_no_variant_of_the_item_itself():
    score, anchor = [1, 2, 9, 5, 4, 3, 0], {"items": ragged([0]), "keep_seen": np.array([True])}
    assert shown(ask(**anchor), score)[0] == ["i3", "i5", "i6"]
    assert shown(ask(**anchor), score, group_by="")[0] == ["i3", "i4", "i5", "i6"]
    assert shown(ask(**anchor, group_by=""), score)[0] == ["i3", "i4", "i5", "i1", "i6"]
    visible = shown(ask(**anchor), score, group_by="", anchor_variants="show")[0]
    assert visible == ["i3", "i4", "i5", "i1", "i6"]


def test_the_callers_own_list_is_not_grouped():
    queries = ask(candidates=ragged(range(7)))
    assert len(shown(queries, [1, 2, 9, 5, 4, 3, 0], availability=[])[0]) == 7


def test_pins_stay_and_stand_for_their_product():
    ids, _ = shown(ask(k=9), [1, 2, 9, 5, 4, 3, 0], pins=["i4"])
    assert ids == ["i4", "i5", "i1", "i6"]


def test_past_questions_are_grouped_only_if_they_ask():
    score = [1, 2, 9, 5, 4, 3, 0]
    assert len(shown(ask(is_replayed=True), score)[0]) == 7
    # Today's stock says nothing about the past.
    assert shown(ask(is_replayed=True, group_by="auto"), score)[0] == ["i2", "i3", "i5", "i6"]


def test_a_field_of_the_recipe_that_no_item_has_yet_groups_nothing():
    assert len(shown(ask(), [1, 2, 9, 5, 4, 3, 0], group_by="colour")[0]) == 6
    with pytest.raises(InputError):
        shown(ask(group_by="colour"), [1, 2, 9, 5, 4, 3, 0])


products = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "r", None]),
        st.sampled_from([0.0, 1.0, None]),
        st.sampled_from([0.0, 1.0, 2.0, float("nan")]),
    ),
    min_size=1,
    max_size=9,
)


@given(products, st.integers(1, 6), st.lists(st.integers(0, 8), max_size=2))
def test_against_a_plain_loop(items, k, seen):
    """The best item in stock of each product that was not seen, best first."""
    catalogue = catalogue_of(
        {"parent": "category", "stock": "number"},
        [{"parent": parent, "stock": stock} for parent, stock, _ in items],
    )
    history = tuple(number for number in seen if number < len(items))
    scores = [score for _, _, score in items]
    actual, _ = shown(ask(history, k=k), scores, catalogue=catalogue)

    def product(number):
        return items[number][0] or number

    worth = [-np.inf if score != score else score for score in scores]
    best_first = sorted(
        range(len(items)), key=lambda number: (-worth[number], catalogue.tiebreak[number])
    )
    expected, shown_products = [], {product(number) for number in history}
    for number in best_first:
        if items[number][1] != 0.0 and product(number) not in shown_products:
            shown_products.add(product(number))
            expected.append(catalogue.ids[number])
    assert actual == expected[:k]


rows = st.lists(st.lists(st.integers(-1, 11), max_size=5), min_size=1, max_size=4)
labels = st.lists(st.integers(0, 4), min_size=1, max_size=12)


@given(labels, rows)
def test_all_variants_of_items(names, item_rows):
    _, numbers = np.unique(names, return_inverse=True)
    groups = ProductGroups.of(numbers.astype(np.int32))
    widened = groups.with_variants(Ragged.from_rows(item_rows))
    for row, items in enumerate(item_rows):
        products = {names[item] for item in items if 0 <= item < len(names)}
        expected = [number for number, name in enumerate(names) if name in products]
        assert sorted(widened[row].tolist()) == expected
