"""The complete listing: order, pages that stay right under changes, counts, and errors."""

import random

import pytest

import plait
from plait.errors import FilterError, InputError, TooLargeError
from plait.pipeline.recipe import Recipe, load_recipe

START = 1_700_000_000
COLOURS = ("red", "Blue", "green", "Écru")


def items(count):
    return [
        {
            "item": f"i{n}",
            "title": f"thing {n}",
            "category": "lamps" if n % 3 else "mugs",
            "tags": ["kitchen", COLOURS[n % 4]],
            **({} if n % 5 == 0 else {"price": n % 7 + 0.5}),
            "made": f"2024-01-{n % 28 + 1:02}",
            "colour": COLOURS[n % 4],
        }
        for n in range(count)
    ]


@pytest.fixture
def shop(tmp_path):
    with plait.open(tmp_path / "home") as opened:
        opened.ingest(items=items(57))
        yield opened


def pages(shop, **query):
    """The ids of all pages."""
    ids, cursor = [], None
    while True:
        page = shop.list(**query, cursor=cursor)
        ids += page.ids
        cursor = page.cursor
        if cursor is None:
            return ids


def price(shop, item):
    return shop.get_item(item)["fields"].get("price")


def test_pages_hold_every_item_once_without_a_fit(shop):
    for sort in ("popularity", "newness", "id", "price", "title", "tags", "made", "colour"):
        for order in (None, "asc", "desc"):
            ids = pages(shop, sort=sort, order=order, k=10)
            assert len(ids) == len(set(ids)) == 57, (sort, order)
            assert ids == pages(shop, sort=sort, order=order, k=1000)
    page = shop.list(k=57)
    assert (page.total, page.cursor, len(page), page.degraded) == (57, None, 57, [])
    assert page.version == shop.version


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_missing_values_come_last_in_both_directions(shop, order):
    ids = pages(shop, sort="price", order=order, k=9)
    prices = [price(shop, item) for item in ids]
    known = [value for value in prices if value is not None]
    assert prices[len(known) :] == [None] * 12
    assert known == sorted(known, reverse=order == "desc")


def test_texts_go_by_letters_whatever_the_case(shop):
    ids = pages(shop, sort="colour", k=50)
    colours = [shop.get_item(item)["fields"]["colour"] for item in ids]
    assert list(dict.fromkeys(colours)) == ["Blue", "green", "red", "Écru"]


def test_popularity_and_newness(shop):
    shop.post([{"user": f"u{n}", "item": "i7", "kind": "view"} for n in range(3)])
    shop.post([{"user": "u1", "item": "i8", "kind": "view"}])
    assert shop.list(k=2).ids == ["i7", "i8"]
    shop.fit("cold-start")
    assert shop.list(k=2).ids == ["i7", "i8"]
    shop.post([{"user": f"v{n}", "item": "i9", "kind": "purchase"} for n in range(9)])
    assert shop.list(k=3).ids == ["i9", "i7", "i8"]
    assert shop.list(k=3, order="asc").ids[0] not in ("i7", "i8", "i9")
    shop.put_item("fresh", {"title": "x"})
    assert shop.list(sort="newness", k=1).ids == ["fresh"]
    assert shop.list(sort="newness", order="asc", k=100).ids[-1] == "fresh"


def test_filter_fields_counts_and_exclude(shop):
    page = shop.list(
        'category == "mugs"', sort="price", fields=["title", "price"], counts=["category", "tags"]
    )
    assert page.total == 19
    assert all(set(item.fields) <= {"title", "price"} for item in page.items)
    assert [(entry.value, entry.count) for entry in page.counts["category"]] == [("mugs", 19)]
    tags = {entry.value: entry.count for entry in page.counts["tags"]}
    assert tags["kitchen"] == 19
    assert sum(tags.values()) == 38
    everything = shop.list(fields=["*"], k=1).items[0].fields
    assert {"title", "category", "tags", "made", "colour"} <= set(everything)
    assert shop.list(exclude=["i1", "i2", "unheard"], k=100).total == 55
    prices = {entry.value: entry.count for entry in shop.list(counts=["price"]).counts["price"]}
    assert prices[None] == 12
    assert page.to_frame().columns == ["id", "title", "price"]
    assert page.to_dict()["counts"]["category"] == [{"value": "mugs", "count": 19}]


@pytest.mark.parametrize("sort", ["price", "popularity", "newness", "id", "colour"])
def test_pages_stay_right_while_items_and_events_come_and_go(shop, sort):
    shop.fit("cold-start")
    draw = random.Random(1)
    before = set(shop.list(k=100).ids)
    listed, cursor, changed = [], None, set()
    for step in range(50):
        page = shop.list(sort=sort, k=4, cursor=cursor)
        listed += page.ids
        cursor = page.cursor
        if cursor is None:
            break
        item = f"i{draw.randrange(57)}"
        changed.add(item)
        shop.post([{"user": f"u{step}-{n}", "item": item, "kind": "view"} for n in range(3)])
        if step % 3 == 0:
            shop.put_item(f"n{step}", {"title": "new", "price": draw.random() * 7, "colour": "red"})
        if step % 4 == 0:
            shop.delete_item(item)
    assert len(listed) == len(set(listed))
    assert before - changed <= set(listed)


def test_a_cursor_outlives_a_new_fit(shop):
    for n in range(9):
        shop.post([{"user": f"u{m}", "item": f"i{n}", "kind": "view"} for m in range(n)])
    shop.fit("cold-start")
    first = shop.list(k=4)
    assert first.ids == ["i8", "i7", "i6", "i5"]
    shop.post([{"user": f"u{n}", "item": "i0", "kind": "view"} for n in range(99)])
    shop.fit("news")
    assert shop.list(k=4, cursor=first.cursor).ids == ["i4", "i3", "i2", "i1"]


def test_rules_of_the_recipe_hold_unless_all_is_asked_for(shop):
    recipe = load_recipe("default").to_dict()
    recipe["steps"]["rules"] = {"deny": 'category == "mugs"'}
    shop.fit(Recipe.of(recipe))
    assert shop.list(k=1).total == 38
    assert shop.list(k=1, all=True).total == 57
    shop.delete_item("i1")
    assert "i1" not in pages(shop, all=True, k=100)


def test_a_field_that_is_called_as_an_order_stands_in_backticks(shop):
    shop.put_item("x", {"title": "x", "popularity": 5})
    shop.put_item("y", {"title": "y", "popularity": 7})
    assert shop.list(sort="`popularity`", order="desc", k=2).ids == ["y", "x"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sort": "colr"}, "sort"),
        ({"sort": ""}, "sort"),
        ({"order": "up"}, "order"),
        ({"k": 0}, "k"),
        ({"k": 1001}, "k"),
        ({"k": "3"}, "k"),
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "bm9uZQ"}, "cursor"),
        ({"fields": ["colr"]}, "fields"),
        ({"counts": ["colr"]}, "counts"),
        ({"fields": "title"}, "fields"),
        ({"filter": "colr == 3"}, "filter"),
        ({"filter": "colour =="}, "filter"),
    ],
)
def test_a_wrong_value_is_named(shop, query, field):
    with pytest.raises((InputError, FilterError)) as refused:
        shop.list(**query)
    assert refused.value.field == field


def test_a_cursor_of_another_listing_is_refused(shop):
    cursor = shop.list(sort="price", k=3).cursor
    for other in (
        {"sort": "title"},
        {"sort": "price", "order": "desc"},
        {"sort": "price", "filter": "price > 1"},
    ):
        with pytest.raises(InputError) as refused:
            shop.list(**other, cursor=cursor)
        assert refused.value.field == "cursor"
    with pytest.raises(TooLargeError):
        shop.list(exclude=[f"i{n}" for n in range(10_001)])


def test_places_have_no_order(shop):
    shop.put_item("here", {"place": {"lat": 48.2, "lon": 16.4}})
    with pytest.raises(InputError) as refused:
        shop.list(sort="place")
    assert refused.value.field == "sort"


def test_an_empty_home_lists_nothing(tmp_path):
    with plait.open(tmp_path / "empty") as shop:
        page = shop.list(sort="price") if shop.host.state().catalogue.columns else shop.list()
        assert (page.total, page.ids, page.cursor) == (0, [], None)
        assert page.to_frame().columns == ["id"]
