"""What a request may ask: seen by kinds, boosts, pins, fields, anchors, sessions."""

import json

import pytest

import plait
from plait.data.query_controls import Boost, Cooldown, PinnedItem, SeenRule
from plait.errors import FilterError, InputError, NotFoundError, TooLargeError
from plait.eventlog import EventLog
from plait.pipeline.recipe import Recipe
from tests.workspace.workspace_fixtures import LAMPS, MUGS, RECIPE, fill


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The small shop, in which user1 viewed mug0 to mug3 and bought mug1."""
    home = tmp_path_factory.mktemp("controls")
    fill(home)
    with plait.open(home) as opened:
        opened.fit(RECIPE)
        opened.post(
            [
                {"kind": "purchase", "user": "user1", "item": "mug1"},
                {"kind": "buy", "user": "user3", "item": "lamp9", "time": "2020-11-01"},
                *(
                    {"kind": "purchase", "user": f"buyer{n}", "item": item}
                    for n, items in enumerate(
                        [("lamp1", "mug9"), ("lamp1", "mug9"), ("lamp1", "mug8"), ("lamp2", "mug7")]
                    )
                    for item in items
                ),
            ]
        )
        yield opened


def test_what_was_bought_is_left_out_and_what_was_viewed_comes_back(shop):
    ids = shop.recommend("user1", k=20, seen=["purchase"]).ids
    assert "mug1" not in ids
    assert {"mug0", "mug2", "mug3"} <= set(ids)
    for same in (
        {"exclude": ["Purchase "]},
        SeenRule(("purchase",)),
        ("purchase", "purchase"),
        {"exclude": ["purchase"], "days": None, "cooldown": []},
    ):
        assert shop.recommend("user1", k=20, seen=same).ids == ids
    assert not {"mug0", "mug1"} & set(shop.recommend("user1", k=20, seen={}).ids)


def test_cool_downs_by_kind_of_item(shop):
    everything = {"days": 0, "cooldown": [{"filter": "price < 17", "days": 36500}]}
    ids = shop.recommend("user1", k=20, seen=everything).ids
    assert not {"mug0", "mug1"} & set(ids)  # 15 and 16
    assert {"mug2", "mug3"} <= set(ids)
    rule = SeenRule(days=0, cooldowns=(Cooldown("price < 17", 36500),))
    assert shop.recommend("user1", k=20, seen=rule).ids == ids


def test_an_event_type_that_the_log_lacks_is_said(shop):
    assert shop.recommend("user1", seen=["purchse"]).degraded == ["unknown_event_type:purchse"]
    assert shop.similar("lamp1", event_types=["kauf"]).degraded == ["unknown_event_type:kauf"]
    assert shop.recommend("user1", seen=["purchase"]).degraded == []


@pytest.mark.parametrize(
    ("seen", "field"),
    [
        ("kept", "seen"),
        (3, "seen"),
        ([3], "seen.exclude.0"),
        ([""], "seen.exclude.0"),
        ({"exclude": "purchase"}, "seen.exclude"),
        ({"days": -1}, "seen.days"),
        ({"days": float("nan")}, "seen.days"),
        ({"excluded": []}, "seen.excluded"),
        ({"cooldown": [{"filter": "price < 3"}]}, "seen.cooldown.0.days"),
        ({"cooldown": [{"filter": "price <", "days": 3}]}, "seen.cooldown.0.filter"),
        ({"cooldown": [{"filter": "prize < 3", "days": 3}]}, "seen.cooldown"),
    ],
)
def test_a_wrong_rule_names_its_part(shop, seen, field):
    with pytest.raises(InputError) as error:
        shop.recommend("user1", seen=seen)
    assert error.value.field == field


def test_boosts_move_up_and_down(shop):
    plain = shop.recommend(k=20).ids

    def mean_place(ids, shelf):
        return sum(ids.index(item) for item in shelf) / len(shelf)

    up = shop.recommend(k=20, boosts=[{"filter": 'category == "mugs"', "factor": 1.5}]).ids
    down = shop.recommend(k=20, boosts=[Boost('category == "mugs"', 0.5)]).ids
    last = shop.recommend(k=20, boosts=[{"filter": 'category == "mugs"', "factor": 0}]).ids
    assert mean_place(up, MUGS) < mean_place(plain, MUGS) < mean_place(down, MUGS)
    assert set(last[10:]) == set(MUGS)
    assert sorted(up) == sorted(plain) == sorted(down)
    same = shop.recommend(k=20, boosts=[{"filter": 'category == "mugs"', "factor": 1}]).ids
    assert same == plain
    ids = shop.search("red", k=20, boosts=[{"filter": 'category == "mugs"', "factor": 9}]).ids
    assert set(ids[:2]) == {"mug0", "mug5"}


def test_pins_hold_for_one_call(shop):
    plain = shop.recommend(k=4).ids
    pinned = [item for item in MUGS if item not in plain][:2]
    first, second = pinned
    ids = shop.recommend(
        k=4, pins=[{"item": first, "position": 2}, {"item": "gone", "position": 1}]
    )
    assert ids.ids == [plain[0], first, *plain[1:3]]
    assert shop.recommend(k=4, pins=[second, first]).ids[:2] == [second, first]
    assert shop.recommend(k=4, pins=[PinnedItem(second, 4)]).ids == [*plain[:3], second]
    assert shop.search("red lamp", k=3, pins=["mug9"]).ids[0] == "mug9"
    assert shop.similar("lamp1", k=3, pins=["mug9"]).ids[0] == "mug9"
    assert shop.recommend("user1", k=3, pins=["mug1"]).ids[0] == "mug1"  # bought, and pinned
    filtered = shop.recommend(k=3, pins=["mug1"], filter='category == "lamps"').ids
    assert "mug1" not in filtered
    assert shop.recommend(k=4).ids == plain


def test_a_pin_behind_the_first_page_comes_on_its_own(shop):
    plain = shop.recommend(k=20).ids
    last = plain[-1]
    first = shop.recommend(k=4, pins=[{"item": last, "position": 6}])
    assert last not in first.ids
    more = shop.next(first.request_id, 4)
    assert more.ids.index(last) == 1
    assert not set(more.ids) & set(first.ids)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"boosts": [{"filter": "price < 5"}]}, "boosts.0.factor"),
        ({"boosts": [{"filter": "price <", "factor": 2}]}, "boosts.0.filter"),
        ({"boosts": [{"filter": "prize < 5", "factor": 2}]}, "boosts.0.filter"),
        ({"boosts": [{"filter": "price < 5", "factor": -1}]}, "boosts.0.factor"),
        ({"boosts": [{"filter": "price < 5", "factor": "2"}]}, "boosts.0.factor"),
        ({"boosts": [{"filter": "price < 5", "factor": float("inf")}]}, "boosts.0.factor"),
        ({"boosts": {"filter": "price < 5", "factor": 2}}, "boosts"),
        ({"pins": [{"item": "a"}]}, "pins.0.position"),
        ({"pins": [{"item": "a", "position": 0}]}, "pins.0.position"),
        ({"pins": [{"item": "", "position": 1}]}, "pins.0.item"),
        ({"pins": ["a", "a"]}, "pins.1.item"),
        ({"pins": [{"item": "a", "position": 1}, {"item": "b", "position": 1}]}, "pins.1.position"),
        ({"pins": "a"}, "pins"),
        ({"fields": "title"}, "fields"),
        ({"fields": ["titel"]}, "fields"),
        ({"fields": {"title": 1}}, "fields"),
        ({"session": ""}, "session"),
    ],
)
def test_a_wrong_control_names_its_part(shop, options, field):
    with pytest.raises(InputError) as error:
        shop.recommend(**options)
    assert error.value.field in (field, field.partition(".")[0])


def test_controls_have_bounds(shop):
    for options in (
        {"boosts": [{"filter": "price < 5", "factor": 2}] * 21},
        {"pins": [f"i{n}" for n in range(101)]},
        {"fields": [f"f{n}" for n in range(101)]},
        {"seen": ["a"] * 51},
        {"session": "s" * 510},
    ):
        with pytest.raises((TooLargeError, InputError)) as error:
            shop.recommend(**options)
        assert error.value.field.partition(".")[0] in options


def test_fields_come_with_the_items(shop):
    answer = shop.recommend(k=2, fields=["title", "price"])
    for item in answer.items:
        expected = shop.get_item(item.id)["fields"]
        assert item.fields == {"title": expected["title"], "price": expected["price"]}
        assert item.to_dict()["fields"] == item.fields
    every = shop.recommend(k=2, fields=["*"])
    assert [item.fields for item in every.items] == [
        shop.get_item(item)["fields"] for item in every.ids
    ]
    assert json.loads(every.items_json)[0]["fields"] == every.items[0].fields
    plain = shop.recommend(k=2)
    assert plain.items[0].fields is None
    assert "fields" not in plain.items[0].to_dict()
    ranked = shop.rank(None, ["lamp1", "who"], fields=["title"])
    assert ranked.items[1].fields == {}
    remembered = shop.why(every.request_id)["items"][0]
    assert remembered["fields"] == every.items[0].fields


def test_several_anchors(shop):
    answer = shop.similar(["lamp3", "mug3"], k=18)
    assert not {"lamp3", "mug3"} & set(answer.ids)
    assert set(answer.ids) & set(LAMPS)
    assert set(answer.ids) & set(MUGS)
    assert shop.similar(["lamp3"], k=4).ids == shop.similar("lamp3", k=4).ids
    with pytest.raises(NotFoundError) as error:
        shop.similar(["lamp3", "nope"])
    assert error.value.field == "items"
    with pytest.raises(InputError) as error:
        shop.similar([])
    assert error.value.field == "item"


def test_bought_together_means_bought(shop):
    answer = shop.similar("lamp1", k=4, event_types=["purchase"])
    assert answer.ids[:2] == ["mug9", "mug8"]
    reasons = [item.reasons[0] for item in answer.items[:2]]
    assert [reason["users"] for reason in reasons] == [2, 1]
    assert {reason["model"] for reason in reasons} == {"companions"}
    assert {reason["because"] for reason in reasons} == {"lamp1"}
    assert all("bought" in reason["text"] for reason in reasons)
    assert set(answer.ids[2:]) <= set(LAMPS)  # then as the models say
    cart = shop.similar(["lamp1", "lamp2"], k=3, event_types=["purchase"])
    assert set(cart.ids) == {"mug9", "mug8", "mug7"}
    assert set(shop.similar("lamp1", k=4).ids) <= set(LAMPS)
    lamps = shop.similar("lamp1", k=4, event_types=["purchase"], filter='category == "lamps"')
    assert set(lamps.ids) <= set(LAMPS)


def test_rank_returns_every_id_and_says_why_it_has_no_score(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path) as shop:
        shop.fit(RECIPE)
        shop.delete_item("mug4")
        shop.post([{"kind": "hide", "user": "user1", "item": "mug5"}])
        listed = ["who", "mug4", "mug7", "mug5", "lamp1"]
        answer = shop.rank("user1", listed)
        assert answer.ids == ["mug7", "lamp1", "who", "mug4", "mug5"]
        statuses = [item.status for item in answer.items]
        assert statuses == [None, None, "unknown", "deleted", "hidden"]
        assert [item.score is None for item in answer.items] == [False, False, True, True, True]
        assert all(item.reasons[0]["text"] for item in answer.items[2:])
        assert shop.rank("user1", listed, exclude=["mug5"]).ids == [
            "mug7",
            "lamp1",
            "who",
            "mug4",
        ]
        assert shop.rank("user1", listed, filter='category == "mugs"').ids == [
            "mug7",
            "who",
            "mug4",
            "mug5",
        ]
        with pytest.raises(NotFoundError) as error:
            shop.similar("mug4")
        assert error.value.field == "item"


def test_rank_names_what_is_not_available(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path) as shop:
        recipe = RECIPE.to_dict()
        rules = {"available": 'category == "mugs"', "deny": 'id == "mug3"'}
        recipe["steps"] = {**recipe["steps"], "rules": rules}
        shop.fit(Recipe.of(recipe))
        answer = shop.rank(None, ["lamp1", "mug3", "mug7"])
        assert answer.ids == ["mug7", "lamp1", "mug3"]
        assert [item.status for item in answer.items] == [None, "unavailable", "filtered"]
        assert json.loads(answer.items_json)[1]["status"] == "unavailable"
        assert shop.rank(None, ["lamp1", "mug7"], k=1).ids == ["mug7"]


def test_a_session_asks_and_acts(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path) as shop:
        shop.fit(RECIPE)
        _, rows = shop.post(
            [
                {"kind": "view", "session": "s1", "item": "lamp1"},
                {"kind": "view", "session": "s1", "item": "lamp2"},
                {"kind": "view", "item": "lamp2"},
                {"kind": "view", "session": "s2", "user": "user1", "item": "mug9"},
                {"kind": "view", "session": "s" * 511, "item": "mug9"},
            ]
        )
        assert [row["status"] for row in rows] == [
            "stored",
            "stored",
            "rejected",
            "stored",
            "rejected",
        ]
        assert rows[4]["error"].startswith("session")
        asked = shop.recommend(session="s1", k=20)
        assert not {"lamp1", "lamp2"} & set(asked.ids)
        assert asked.ids == shop.recommend("session:s1", k=20).ids
        both = shop.recommend("user1", session="s1", k=20)
        assert not {"lamp1", "lamp2", "mug0", "mug1", "mug9"} & set(both.ids)
        more = shop.recommend("user1", session="s1", k=3)
        assert not {"lamp1", "lamp2", "mug0"} & set(shop.next(more.request_id, 20).ids)
        assert "s1" not in json.dumps(shop.why(more.request_id)["query"])
        assert shop.recommend(session="unheard of", k=20).ids == shop.recommend(k=20).ids


def test_a_continuation_asks_the_same(shop):
    options = {
        "seen": {"exclude": ["purchase"], "cooldown": [{"filter": "price < 16", "days": 36500}]},
        "boosts": [{"filter": 'category == "lamps"', "factor": 0}],
        "fields": ["price"],
    }
    whole = shop.recommend("user1", k=20, **options)
    first = shop.recommend("user1", k=3, **options)
    more = shop.next(first.request_id, 20)
    assert {*first.ids, *more.ids} == set(whole.ids)
    assert not {"mug1"} & set(whole.ids)
    assert [item.fields.keys() for item in more.items] == [{"price"}] * len(more)
    lamps = [item in LAMPS for item in more.ids]
    assert lamps == sorted(lamps)
    cart = shop.similar(["lamp1", "lamp2"], k=1, event_types=["purchase"])
    assert shop.next(cart.request_id, 1).items[0].reasons[0]["model"] == "companions"


def test_many_users_in_one_call(shop):
    users = [f"user{n}" for n in range(40)] + ["nobody", "user1"]
    answers = shop.recommend_many(users, k=3, filter="price < 20")
    assert [answer.ids for answer in answers] == [
        shop.recommend(user, k=3, filter="price < 20").ids for user in users
    ]
    assert len({answer.request_id for answer in answers}) == len(users)
    frame = answers.to_frame()
    assert frame["user"].unique(maintain_order=True).to_list() == users[:-1]
    assert frame["query"].to_list() == [n for n in range(len(users)) for _ in answers[n].ids]
    last = frame.filter(frame["query"] == len(users) - 1)
    assert last["id"].to_list() == answers[-1].ids
    assert last["rank"].to_list() == [1, 2, 3]
    assert shop.recommend_many([]) == []
    assert shop.recommend_many([]).to_frame().columns == frame.columns
    for wrong in ("user1", [3.5], None):
        with pytest.raises(InputError):
            shop.recommend_many(wrong)
    with pytest.raises(FilterError):
        shop.recommend_many(users, filter="price <")


def test_the_log_stays_readable_after_everything(shop):
    with EventLog.open(shop.settings.home) as log:
        assert log.version == shop.version
