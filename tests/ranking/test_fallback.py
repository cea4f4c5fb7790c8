"""Lists that the models leave short are filled, by a stated ladder, and say so."""

import json
import shutil

import pytest

import plait
from plait.errors import NotReadyError, RecipeError
from plait.pipeline.recipe import LADDER, Recipe, load_recipe
from plait.ranking.explanation.fallback_reasons import fallback_reason
from plait.ranking.fallback import FilledBy
from plait.utils.timestamps import iso

START = 1_700_000_000
DAY = 86_400


def view(user, item, second=0):
    return {"user": user, "item": item, "kind": "view", "time": START + second}


def steps_of(response):
    """The step of each filled item by its id."""
    return {item.id: item.reasons[0]["model"] for item in response.items if item.filled}


@pytest.fixture
def shop(tmp_path):
    with plait.open(tmp_path / "home") as opened:
        items = [
            {"item": f"old{n}", "title": f"thing {n}", "category": "old", "price": n}
            for n in range(10)
        ]
        items += [{"item": f"new{n}", "title": f"kite {n}", "category": "new"} for n in range(3)]
        events = [
            view(f"u{user}", f"old{(user + n) % 10}", n) for user in range(30) for n in (0, 1)
        ]
        opened.ingest(items=items, events=events)
        opened.fit()
        yield opened


@pytest.mark.parametrize("recipe", ["default", "cold-start", "news", "search"])
def test_a_shop_without_events_lists_its_items(tmp_path, recipe):
    with plait.open(tmp_path / "home") as shop:
        shop.ingest(items=[{"item": f"i{n}", "title": f"lamp {n}"} for n in range(7)])
        with pytest.raises(NotReadyError):
            shop.recommend()
        shop.fit(recipe)
        for user in ("stranger", None):
            response = shop.recommend(user, k=5)
            assert len(set(response.ids)) == 5
            assert response.filled == 5
            assert all(item.score is None and item.reasons for item in response.items)
        assert len(shop.recommend(k=100).ids) == 7
        assert set(shop.similar("i3", k=10).ids) == {f"i{n}" for n in range(7)} - {"i3"}


@pytest.mark.parametrize("user", ["u1", "stranger", None])
def test_a_filter_that_only_items_without_events_pass(shop, user):
    response = shop.recommend(user, k=5, filter='category == "new"')
    assert sorted(response.ids) == ["new0", "new1", "new2"]


def test_an_item_of_a_second_ago_stands_first_among_those_without_events(shop):
    shop.put_item("live", {"title": "kite live", "category": "new"})
    response = shop.recommend(k=5, filter='category == "new"')
    assert response.ids[0] == "live"
    assert len(response.ids) == 4
    assert steps_of(response)["live"] == "newest"
    assert response.items[0].reasons[0]["text"] == "New here"


def test_what_models_find_stands_before_what_fills(shop):
    response = shop.recommend("stranger", k=13)
    assert len(response.ids) == 13
    assert [item.filled for item in response.items] == [False] * 10 + [True] * 3
    assert set(response.ids[10:]) == {"new0", "new1", "new2"}
    assert all(item.score is not None for item in response.items[:10])


def test_rules_exclusions_and_seen_items_hold_for_what_fills(shop):
    response = shop.recommend("u1", k=50, exclude=["new0", "old5"])
    assert len(response.ids) == len(set(response.ids)) == 13 - 2 - 2  # excluded, seen
    shop.delete_item("new1")
    assert "new1" not in shop.recommend("stranger", k=50).ids
    shop.post([{"user": "u1", "item": "new2", "kind": "hide"}])
    assert "new2" not in shop.recommend("u1", k=50).ids


def test_similar_fills_from_the_category_of_the_item_first(shop):
    shop.put_item("kite-x", {"title": "something else entirely", "category": "new"})
    shop.fit(Recipe.of({**load_recipe("default").to_dict(), "models": {"neighbours": {}}}))
    response = shop.similar("kite-x", k=8)
    assert sorted(response.ids[:3]) == ["new0", "new1", "new2"]
    assert len(response.ids) == 8
    assert set(steps_of(response).values()) == {"category", "most-popular"}
    fact = response.items[0].reasons[0]["fact"]
    assert fact == {"field": "category", "value": "new"}


def test_a_recipe_without_a_model_of_popularity_fills_by_popularity(shop):
    shop.fit(Recipe.of({**load_recipe("default").to_dict(), "models": {"neighbours": {}}}))
    shop.post([view(f"n{n}", "old7", 100) for n in range(50)])
    response = shop.recommend("stranger", k=12)
    assert response.ids[0] == "old7"
    assert set(steps_of(response).values()) == {"most-popular", "catalogue"}


def test_the_category_of_the_filter_is_named(shop):
    shop.fit(Recipe.of({**load_recipe("default").to_dict(), "models": {"neighbours": {}}}))
    response = shop.recommend("stranger", k=3, filter='price > 1 and category == "old"')
    assert set(steps_of(response).values()) == {"popular-in-category"}
    reason = response.items[0].reasons[0]
    assert (reason["key"], reason["fact"]["value"]) == ("filled_category", "old")


def test_a_date_field_says_what_is_new(tmp_path):
    with plait.open(tmp_path / "home") as shop:
        items = [
            {"item": f"i{n}", "title": "lamp", "created_at": iso((START + n % 5 * DAY) * 1_000_000)}
            for n in range(10)
        ]
        shop.ingest(items=[*items, {"item": "future", "title": "x", "created_at": "2999-01-01"}])
        shop.fit("cold-start")
        ids = shop.recommend(k=11).ids
        assert [int(item[1:]) % 5 for item in ids[:10]] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
        assert ids[10] == "future"


def test_popular_in_the_context_goes_first(tmp_path):
    recipe = load_recipe("default").to_dict()
    recipe["models"] = {
        "popular": {"segment_by": "country", "segment_weight": 1.0},
        "neighbours": {},
    }
    recipe["candidates_per_model"] = 1
    with plait.open(tmp_path / "home") as shop:
        for n in range(20):
            shop.put_user(f"u{n}", {"country": "FR" if n < 8 else "DE"})
        shop.post([view(f"u{n}", f"{'fr' if n < 8 else 'de'}{n % 4}", n) for n in range(20)])
        shop.fit(Recipe.of(recipe))
        response = shop.recommend(k=6, context={"country": "FR"})
        assert all(item.startswith("fr") for item in response.ids[:4])
        reason = response.items[2].reasons[0]
        assert (reason["key"], reason["text"][-2:]) == ("filled_context", "FR")
        assert steps_of(response)[response.ids[5]] == "most-popular"


def test_a_search_answers_only_what_matches_and_rank_only_its_list(shop):
    assert shop.search("nothing-of-that-kind").ids == []
    assert shop.rank("stranger", ["new0", "old1"], k=2).ids
    assert not any(item.filled for item in shop.rank("stranger", ["new0", "old1"]).items)


def test_the_ladder_is_a_setting_of_the_recipe(shop):
    data = load_recipe("default").to_dict()
    assert data["fallback"] == list(LADDER)
    shop.fit(Recipe.of({**data, "fallback": "none"}))
    assert shop.recommend("stranger", filter='category == "new"').ids == []
    assert Recipe.of(Recipe.of({**data, "fallback": "none"}).to_dict()).fallback == ()
    shop.fit(Recipe.of({**data, "fallback": ["catalogue"]}))
    response = shop.recommend("stranger", filter='category == "new"')
    assert set(steps_of(response).values()) == {"catalogue"}
    for wrong in ("all", ["oldest"], ["newest", "newest"], 3, [["newest"]]):
        with pytest.raises(RecipeError) as refused:
            Recipe.of({**data, "fallback": wrong})
        assert refused.value.field == "fallback"


def test_next_continues_what_was_filled(shop):
    first = shop.recommend("stranger", k=8)
    rest = shop.next(first.request_id, k=8)
    assert sorted([*first.ids, *rest.ids]) == sorted(shop.recommend("stranger", k=50).ids)
    assert shop.next(rest.request_id, k=8).ids == []


def test_a_filled_list_is_marked_in_json_and_remembered(shop):
    response = shop.recommend("stranger", k=12)
    objects = response.to_dict()["items"]
    assert [entry.get("filled", False) for entry in objects] == [False] * 10 + [True] * 2
    items = shop.why(response.request_id)["items"]
    assert [entry.get("filled", False) for entry in items] == [False] * 10 + [True] * 2


def test_a_batch_is_filled_like_single_queries(shop):
    from plait.data.types import Query

    queries = [
        Query(user="u1", k=13),
        Query(user="stranger", k=13, filter='category == "new"'),
        Query(items=("new0",), k=13, seen="keep"),
        Query(text="kite", k=13, seen="keep"),
    ]
    together = [response.ids for response in shop.ask(queries)]
    assert together == [shop.ask([query])[0].ids for query in queries]


def test_an_evaluation_measures_the_models_without_the_ladder(shop):
    data = load_recipe("default").to_dict()
    shop.post([view(f"u{user}", f"old{(user + 2) % 10}", 9) for user in range(30)])
    with_ladder, without = (
        shop.evaluate("leave-one-out", recipes=[Recipe.of({**data, "fallback": fallback})])
        for fallback in (list(LADDER), "none")
    )
    for name in ("fused", "popular"):
        assert with_ladder.result(name).metrics == without.result(name).metrics


def test_a_bundle_of_an_older_version_answers_and_fills(shop, tmp_path):
    home = tmp_path / "home"
    bundle = home / "bundles" / (home / "bundles" / "current").read_text().strip()
    manifest = json.loads((bundle / "manifest.json").read_text())
    for folder in (bundle / "fallback", bundle / "popular" / "robust_counts"):
        shutil.rmtree(folder)
        gone = f"{folder.relative_to(bundle)}/"
        files = manifest["files"].items()
        manifest["files"] = {name: digest for name, digest in files if not name.startswith(gone)}
    del manifest["recipe"]["fallback"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with plait.open(home) as reader:
        assert len(reader.recommend("stranger", k=13).ids) == 13
        reader.post([view("n", "new1", 50)])
        assert len(reader.recommend("stranger", k=13).ids) == 13


def test_what_fills_a_category_is_not_called_popular(shop):
    rows = [{"item": f"old{n}", "title": f"thing {n}", "category": "old"} for n in range(10, 30)]
    shop.ingest(items=rows)
    shop.post([view(f"v{m}", f"old{n}", 90) for n in range(10, 30) for m in range(n)])
    shop.fit(Recipe.of({**load_recipe("default").to_dict(), "models": {"neighbours": {}}}))
    response = shop.recommend("stranger", k=15, filter='category == "old"')
    texts = [item.reasons[0]["text"] for item in response.items]
    assert texts == ["Also in old"] * 15


def test_a_recipe_may_have_own_sentences_for_the_steps_of_the_ladder(shop):
    data = load_recipe("default").to_dict()
    data["steps"]["explain"] = {"templates": {"catalogue": "One of ours"}}
    shop.fit(Recipe.of(data))
    response = shop.recommend("stranger", k=3, filter='category == "new"')
    assert {item.reasons[0]["text"] for item in response.items} == {"One of ours"}


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "zh"])
def test_every_claim_has_a_sentence_in_every_language(language):
    for step in LADDER:
        for is_top in (False, True):
            for time in (None, 5):
                filled_by = FilledBy(step, "category", "x" * 500, time, is_top)
                (reason,) = fallback_reason(filled_by, 6, {}, language)
                assert 0 < len(reason["text"]) <= 120
                assert "{" not in reason["text"]
                assert reason["model"] == step
    (reason,) = fallback_reason(FilledBy("newest"), 6, {"newest": "Mine"}, language)
    assert reason["text"] == "Mine"
