"""A shop whose log names shipping, whose items run out and come in sizes."""

import numpy as np
import pytest

import plait
from plait.data.types import Query
from plait.errors import InputError
from plait.pipeline.recipe import Recipe, load_recipe
from tests.workspace.workspace_fixtures import RECIPE

SIZES = "SML"
GARMENTS = [f"shirt{number}" for number in range(12)]
ITEMS = [f"{garment}-{size}" for garment in GARMENTS for size in SIZES]


def item_rows():
    for item in ITEMS:
        garment, size = item.split("-")
        yield {
            "item": item,
            "title": f"{garment} red shirt, size {size}",
            "parent": garment,
            "in_stock": "no" if size == "S" else "yes",
        }


def event_rows(people=60):
    generator = np.random.default_rng(0)
    for person in range(people):
        hour = 1_600_000_000 + person * 3600
        for step, item in enumerate(generator.choice(ITEMS, 4, replace=False)):
            yield {"user": f"u{person}", "item": str(item), "time": hour + step, "kind": "view"}
        yield {"user": f"u{person}", "item": "POSTAGE", "time": hour + 9, "kind": "view"}


def recipe(**rules):
    toy = {**RECIPE.to_dict(), "candidates_per_model": 100}
    return Recipe.of({**toy, "steps": {**toy["steps"], "rules": rules}})


def opened(folder, chosen, items=True):
    shop = plait.open(folder)
    shop.ingest(events=list(event_rows()), items=list(item_rows()) if items else None)
    shop.fit(chosen)
    return shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A fitted shop without any setting."""
    with opened(tmp_path_factory.mktemp("plain"), recipe()) as shop:
        yield shop


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """The same shop, which shows one size of a garment."""
    with opened(tmp_path_factory.mktemp("grouped"), recipe(group_by="auto")) as shop:
        yield shop


def answers(shop, k=100):
    """The ids of every route that retrieves."""
    yield shop.recommend(k=k).ids
    yield shop.recommend("u1", k=k).ids
    yield shop.search("red shirt", k=k).ids
    yield shop.similar("shirt3-M", k=k).ids
    yield shop.similar("POSTAGE", k=k).ids


def garments(ids):
    return [item.split("-")[0] for item in ids]


def test_shipping_and_what_is_sold_out_is_never_shown(shop):
    for ids in answers(shop):
        assert len(ids) >= 15
        assert "POSTAGE" not in ids
        assert not [item for item in ids if item.endswith("-S")]
    assert len(shop.recommend(k=100)) == 24


def test_the_callers_list_may_name_shipping(shop):
    assert set(shop.rank("u1", ["shirt0-M", "POSTAGE"]).ids) == {"shirt0-M", "POSTAGE"}


def test_without_a_catalogue_all_ids_are_shown(tmp_path):
    with opened(tmp_path, recipe(), items=False) as shop:
        assert sorted(shop.recommend(k=100).ids) == sorted([*ITEMS, "POSTAGE"])
        assert shop.info()["sellable"]["has_catalogue"] is False
        shop.put_item("shirt0-M", {"title": "the first item of a catalogue"})
        assert shop.recommend(k=100).ids == ["shirt0-M"]
        shop.delete_item("shirt0-M")
        assert sorted(shop.recommend(k=100).ids) == sorted({*ITEMS, "POSTAGE"} - {"shirt0-M"})


def test_a_recipe_may_show_all(tmp_path):
    with opened(tmp_path, recipe(uncatalogued="show", availability=[])) as shop:
        assert sorted(shop.recommend(k=100).ids) == sorted([*ITEMS, "POSTAGE"])


def test_stock_changes_at_once(tmp_path):
    with opened(tmp_path, recipe()) as shop:
        assert "shirt0-S" not in shop.recommend(k=100).ids
        shop.patch_item("shirt0-S", {"in_stock": "yes"})
        shop.patch_item("shirt0-M", {"in_stock": "ausverkauft"})
        shop.patch_item("shirt1-M", {"available_until": "2020-01-01"})
        shop.patch_item("shirt1-L", {"available_from": "2999-01-01T00:00:00Z"})
        shop.put_item("POSTAGE", {"title": "Shipping can be bought now"})
        ids = shop.recommend(k=100).ids
        assert {"shirt0-S", "POSTAGE"} <= set(ids)
        assert not {"shirt0-M", "shirt1-M", "shirt1-L"} & set(ids)
        later = shop.recommend(k=100, time="2999-06-01").ids
        assert "shirt1-L" in later


def test_one_size_of_a_garment_is_shown_in_every_route(grouped):
    for ids in answers(grouped):
        assert len(set(garments(ids))) == len(ids) >= 8
        assert not [item for item in ids if item.endswith("-S")]
    assert len(grouped.recommend(k=12)) == 12
    assert len(grouped.search("red shirt", k=12)) == 12


def test_grouping_keeps_the_order_of_the_best_sizes(shop, grouped):
    ungrouped = shop.recommend(k=100).ids
    expected = {}
    for item in ungrouped:
        expected.setdefault(garments([item])[0], item)
    assert grouped.recommend(k=12).ids == list(expected.values())


def test_a_garment_that_was_seen_does_not_come_in_another_size(grouped):
    seen = {row["item"].split("-")[0] for row in event_rows() if row["user"] == "u1"}
    assert not seen & set(garments(grouped.recommend("u1", k=12).ids))


def test_more_like_this_never_shows_the_garment_itself(shop, grouped):
    for opened_shop in (shop, grouped):
        assert "shirt3" not in garments(opened_shop.similar("shirt3-M", k=100).ids)


def test_the_next_page_repeats_no_garment(grouped):
    first = grouped.recommend(k=5)
    second = grouped.next(first.request_id, k=5)
    assert len({*garments(first.ids), *garments(second.ids)}) == 10


def test_the_query_decides(shop, grouped):
    answer, brand, ungrouped = grouped.queries.run(
        [Query(k=100), Query(k=100, group_by="in_stock"), Query(k=100, group_by="")]
    )
    assert (len(answer), len(brand), len(ungrouped)) == (12, 1, 24)
    [asked] = shop.queries.run([Query(k=100, group_by="auto")])
    assert asked.ids == answer.ids
    [similar] = shop.queries.run([Query(items=("shirt3-M",), seen="keep", k=100, group_by="")])
    assert "shirt3-L" in similar.ids


def test_a_long_list_of_products_with_many_variants_is_full(tmp_path):
    """Fewer candidates than variants of the popular products: models retrieve more of them."""
    rows = [
        {"item": f"p{product}-{size}", "title": f"lamp {product} {size}", "parent": f"p{product}"}
        for product in range(30)
        for size in range(20)
    ]
    events = [
        {"user": f"u{user}", "item": f"p{product}-{size}", "time": 1_600_000_000 + user}
        for product in range(30)
        for size in range(20)
        for user in range(31 - product)
    ]
    chosen = {**recipe(group_by="parent").to_dict(), "candidates_per_model": 10}
    with plait.open(tmp_path) as shop:
        shop.ingest(events=events, items=rows)
        shop.fit(Recipe.of(chosen))
        assert len(shop.recommend(k=30)) == 30
        assert len(shop.search("lamp", k=30)) == 30


def test_a_shop_without_events_fills_its_list_with_one_size_of_each(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.ingest(items=list(item_rows()))
        shop.fit(recipe(group_by="auto"))
        ids = shop.recommend(k=12).ids
        assert len(ids) == len(set(garments(ids))) == 12
        assert not [item for item in ids if item.endswith("-S")]
        shirt = shop.recommend(k=12, filter='parent == "shirt7"').ids
        assert garments(shirt) == ["shirt7"]
        assert len(shop.similar("shirt0-M", k=11)) == 11


def test_lists_that_the_models_leave_short_are_filled_by_product(grouped):
    for user in ("u1", "u2", "nobody"):
        seen = {row["item"].split("-")[0] for row in event_rows() if row["user"] == user}
        ids = grouped.recommend(user, k=12).ids
        assert len(ids) == len(set(garments(ids))) == 12 - len(seen - {"POSTAGE"})


def test_the_listing_shows_what_is_sold_and_one_of_each_product(shop, grouped):
    everything = shop.list(k=100)
    assert everything.total == len(everything) == 24
    assert shop.list(k=100, all=True).total == 37
    products = grouped.list(k=5, sort="title")
    assert (products.total, garments(products.ids)[0]) == (12, "shirt0")
    rest = grouped.list(k=100, sort="title", cursor=products.cursor)
    assert len({*garments(products.ids), *garments(rest.ids)}) == 12
    assert grouped.list(k=100, group_by="").total == 24
    assert shop.list(k=100, group_by="auto").total == 12
    assert shop.list(k=100, group_by="parent", all=True).total == 13
    falling = shop.list(k=100, group_by="auto", sort="title", order="desc")
    assert all(item.endswith("-M") for item in falling.ids)  # "size M" before "size L"
    with pytest.raises(InputError) as caught:
        shop.list(group_by="colour")
    assert caught.value.field == "group_by"


def test_info_says_what_is_shown(shop, grouped):
    sellable = grouped.info()["sellable"]
    assert sellable["n_items"] == 37
    assert sellable["n_uncatalogued"] == 1
    assert sellable["n_unavailable"] == 12
    assert [rule["field"] for rule in sellable["availability"]] == ["in_stock"]
    assert (sellable["group_field"], sellable["n_products"]) == ("parent", 12)
    assert sellable["rules"] == {"uncatalogued": "hide", "available": "", "group_by": "auto"}
    assert shop.info()["sellable"]["rules"]["group_by"] == ""


def test_the_receipt_of_an_import_says_what_is_shown(tmp_path):
    with plait.open(tmp_path) as shop:
        events_only = shop.ingest(events=list(event_rows(3)))
        assert events_only.sellable is None
        report = shop.ingest(items=list(item_rows()))
        assert report.sellable is not None
        assert report.sellable.to_dict() == report.to_dict()["sellable"]
        assert (report.sellable.n_uncatalogued, report.sellable.n_unavailable) == (1, 12)
        assert [rule.field for rule in report.sellable.availability] == ["in_stock"]
        assert (report.sellable.group_field, report.sellable.n_products) == ("parent", 12)
        text = "\n".join(report.lines())
        assert "`in_stock`" in text
        assert "`parent`" in text
        started = shop.start().ingest(items=[{"item": "shirt0-M", "in_stock": "sold out"}])
        assert started.sellable is not None
        assert started.sellable.n_unavailable == 13
        again = shop.ingest(items=[{"item": "shirt1-M", "in_stock": "no"}], dry_run=True)
        assert again.sellable is not None
        assert again.sellable.n_unavailable == 14
        assert shop.ingest(events=[{"user": "u", "item": "i"}], dry_run=True).sellable is None


def test_every_bundled_recipe_hides_what_is_not_sold():
    for name in ("default", "cold-start", "news", "search"):
        rules = load_recipe(name).steps["rules"]
        assert rules.get("uncatalogued", "hide") == "hide"
