import fcntl
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import plait
from plait.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    NotReadyError,
    RecipeError,
)
from plait.pipeline.recipe import Recipe
from tests.polling import until
from tests.workspace.workspace_fixtures import MUGS, RECIPE, fill


def click(user, item, **more):
    return {"kind": "view", "user": user, "item": item, **more}


def test_a_click_changes_the_next_answer_at_once(own):
    before = own.recommend("fresh", k=4).ids
    version, rows = own.post([click("fresh", "mug5"), click("fresh", "mug6")])
    assert [row["status"] for row in rows] == ["stored", "stored"]
    after = own.recommend("fresh", k=4)
    assert after.version == version
    assert after.ids != before
    assert set(after.ids) <= set(MUGS) - {"mug5", "mug6"}


def test_every_other_worker_follows_within_a_second(home):
    with plait.open(home) as writer, plait.open(home) as other:
        writer.start()
        other.start()
        for place in range(5):
            version, _ = writer.post([click("fresh", MUGS[place])])
            answer = other.recommend("fresh", k=20, at_least=version)
            assert answer.degraded == []
            assert answer.version >= version
            assert MUGS[place] not in answer.ids


def test_a_version_that_does_not_come_is_answered_as_stale(home):
    with plait.open(home, stale_wait_ms=50) as shop:
        start = time.monotonic()
        answer = shop.recommend("user1", k=3, at_least=10**9)
        assert time.monotonic() - start < 2
        assert answer.degraded == ["stale"]
        assert len(answer) == 3


def test_a_new_item_is_found_and_a_deleted_one_is_gone(own):
    own.start()
    own.put_item("teapot", {"title": "purple teapot", "category": "pots", "price": 9})
    assert own.search("purple teapot", k=1).ids == ["teapot"]
    own.patch_item("teapot", {"title": "golden teapot", "price": None})
    assert (
        own.get_item("teapot")
        == {
            "id": "teapot",
            "fields": {"title": "golden teapot", "category": ["pots"]},
        }
        or own.get_item("teapot")["fields"]["title"] == "golden teapot"
    )
    assert own.search("golden", k=1).ids == ["teapot"]
    own.delete_item("teapot")
    assert "teapot" not in own.search("golden teapot").ids
    with pytest.raises(NotFoundError):
        own.get_item("teapot")
    with pytest.raises(NotFoundError):
        own.delete_item("teapot")
    with pytest.raises(NotFoundError, match="no item 'unheard'"):
        own.patch_item("unheard", {"price": 1})


def test_another_worker_knows_a_new_item_within_a_second(home):
    with plait.open(home) as writer, plait.open(home) as other:
        other.start()
        version = writer.put_item("teapot", {"title": "purple teapot"})
        other.recommend(at_least=version)
        until(lambda: other.search("purple teapot", k=1).ids == ["teapot"], 1.0)
        assert "title" in other.get_item("teapot")["fields"]


def test_users_are_described_read_and_erased(own):
    own.put_user("user1", {"country": "France", "age": 40})
    own.patch_user("user1", {"age": 41})
    assert own.get_user("user1")["fields"] == {"country": "France", "age": 41}
    answer = own.recommend("user1", k=1)
    assert answer.degraded == []
    version = own.erase_user("user1")
    assert own.version == version
    with pytest.raises(NotFoundError):
        own.get_user("user1")
    with pytest.raises(NotFoundError):
        own.erase_user("user1")
    assert own.recommend("user1", k=3).ids == own.recommend("nobody", k=3).ids
    assert own.info()["fitted_on_erased"] == [answer.bundle]
    own.fit(RECIPE)
    assert own.info()["fitted_on_erased"] == [answer.bundle]
    assert own.info()["bundle"]["id"] != answer.bundle


def test_fields_that_do_not_fit_are_refused_by_name(own):
    with pytest.raises(InputError) as caught:
        own.put_item("lamp1", {"price": "cheap"})
    assert caught.value.field == "price"
    for fields in ({"price": float("inf")}, {"price": [1.0, float("nan")]}):
        with pytest.raises(InputError) as caught:
            own.put_item("lamp1", fields)
        assert caught.value.field == "price"
    with pytest.raises(InputError, match="expected an object"):
        own.put_item("lamp1", ["title"])
    with pytest.raises(InputError, match="the id of the item"):
        own.put_item("", {})
    with pytest.raises(InputError):
        own.put_item("x" * 10_000, {})
    assert own.get_item("lamp1")["fields"]["price"] == 6


def test_rows_are_judged_one_by_one(own):
    rows = [
        click("u", "lamp1", id="good", time="2020-09-13T12:26:40Z", value=2, fields={"shop": "a"}),
        click("u", "lamp1", id="good", time="2020-09-13T12:26:40Z", value=2, fields={"shop": "a"}),
        click("u", "lamp2", id="good", time="2020-09-13T12:26:40Z"),
        {"kind": "view", "user": "u"},
        {"user": "u", "item": "lamp1"},
        click("u", "lamp1", value=float("inf")),
        click("u", "lamp1", value=True),
        click("u", "lamp1", time="soon"),
        click("u", "lamp1", time=10**30),
        click("u", "lamp1", fields=[1]),
        click("u", "lamp1", fields={"price": float("inf")}),
        click("u", "lamp1", rating=5),
        click({}, "lamp1"),
        "nonsense",
        click("\N{RIGHT-TO-LEFT OVERRIDE}user \N{LIZARD}", "lamp1"),
        click("u" * 10_000, "lamp1"),
    ]
    _, statuses = own.post(rows)
    assert [entry["status"] for entry in statuses] == [
        "stored",
        "duplicate",
        "conflict",
        *["rejected"] * 7,
        "stored",
        *["rejected"] * 3,
        "stored",
        "rejected",
    ]
    assert [lost["field"] for lost in statuses[10]["lost"]] == ["price"]
    errors = [
        entry["error"].partition(":")[0] for entry in statuses if entry["status"] == "rejected"
    ]
    assert errors[:-1] == [
        *["item", "kind", "value", "value", "time", "time", "fields", "rating", "user"],
        "expected an object",
    ]
    assert len({entry["id"] for entry in statuses if entry["status"] == "stored"}) == 3
    assert own.post([]) == (own.start().version, [])


def test_a_row_without_time_can_be_sent_again(own):
    row = click("u", "lamp1", id="once")
    statuses = [own.post([row])[1][0]["status"] for _ in range(2)]
    assert statuses == ["stored", "duplicate"]
    assert own.post([{**row, "kind": "purchase"}])[1][0]["status"] == "conflict"


def test_a_fit_elsewhere_is_taken_over_without_a_pause(home):
    with plait.open(home) as worker, plait.open(home) as other:
        worker.start()
        old = worker.recommend("user1").bundle
        new = other.fit(Recipe.of({**RECIPE.to_dict(), "models": {"popular": {}}}))
        assert new != old
        deadline = time.monotonic() + 5
        while worker.recommend("user1", k=1).bundle == old:
            assert time.monotonic() < deadline
        assert worker.recommend("user1", k=1).bundle == new
        assert worker.info()["bundle"]["id"] == new


def test_a_damaged_bundle_leaves_the_old_one_in_place(home):
    with plait.open(home) as shop:
        shop.start()
        old = shop.recommend("user1").bundle
        broken = "29990101T000000-broken"
        folder = shop.settings.home / "bundles"
        shutil.copytree(folder / old, folder / broken)
        next((folder / broken / "popular").iterdir()).write_bytes(b"nonsense")
        (folder / "current").write_text(broken)
        until(lambda: any("damaged" in problem for problem in shop.vitals()["problems"]))
        assert shop.recommend("user1").bundle == old
        assert shop.readiness() == []
        (folder / "current").write_text(old)
        until(lambda: not shop.vitals()["problems"], 10)


def test_a_bundle_of_another_log_is_refused(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    with plait.open(other) as shop:
        shop.put_item("sofa", {"title": "a sofa"})
    shutil.copytree(home / "bundles", other / "bundles")
    with plait.open(other) as shop:
        with pytest.raises(NotReadyError, match="fitted on another log"):
            shop.recommend()
        assert "another log" in shop.readiness()[0]


def test_an_empty_home_cannot_be_fitted(tmp_path):
    with plait.open(tmp_path / "new") as shop:
        with pytest.raises(InputError, match="nothing to fit on"):
            shop.fit(RECIPE)
        with pytest.raises(RecipeError, match="no recipe 'nonsense'"):
            shop.fit("nonsense")
        assert shop.info()["bundle"] is None
    with pytest.raises(InputError, match="colour"):
        plait.open(tmp_path / "new", colour="red")


def test_a_recipe_that_orders_no_answer_is_refused_before_the_fit(tmp_path):
    steps = {"fuse": {}, "rules": {}}
    with plait.open(tmp_path) as shop:
        shop.put_item("a", {"title": "a red lamp"})
        with pytest.raises(RecipeError, match=r"orders an answer.*\[steps\.policy\]"):
            shop.fit(Recipe.of({**RECIPE.to_dict(), "steps": steps}))
        assert shop.info()["bundle"] is None


def test_a_shop_without_clicks_answers_from_what_is_known_of_items(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.put_item("a", {"title": "a red lamp"})
        shop.put_item("b", {"title": "a blue mug"})
        shop.fit(RECIPE)
        assert shop.search("blue mug", k=1).ids == ["b"]
        shop.recommend("anybody")


def test_a_catalogue_of_one_item(tmp_path):
    with plait.open(tmp_path) as shop:
        shop.post([click("u", "only"), click("v", "only")])
        shop.fit(RECIPE)
        assert shop.recommend("w", k=10).ids == ["only"]
        assert shop.similar("only").ids == []


def test_two_fits_of_one_home_do_not_run_at_once(home):
    with plait.open(home) as shop, (home / "fit.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another fit"):
            shop.fit(RECIPE)
        fcntl.flock(held, fcntl.LOCK_UN)
        assert shop.fit(RECIPE) == shop.info()["bundle"]["id"]


def test_info_and_vitals_count(own):
    steps = []
    own.fit(RECIPE, progress=lambda what, done, total: steps.append(what))
    own.post([click("user1", "lamp1")])
    counts = own.info()
    assert (counts["items"], counts["users"], counts["interactions"]) == (20, 40, 161)
    assert counts["kinds"] == {"view": 161}
    assert counts["fields"]["item"]["price"] == "number"
    assert counts["bundle"]["recipe"] == "toy"
    assert counts["bundle"]["behind"] == 1
    assert set(counts["bundle"]["learned"]) == {"fuse", "lexical", "popular"}
    assert json.dumps(counts)
    assert {"read", "fit", "learn"} <= set(steps)
    own.recommend("user1")
    vitals = own.vitals()
    assert (vitals["head"], vitals["version"], vitals["ready"]) == (181, 181, True)
    assert vitals["impressions_written"] == 1
    assert own.title("mug3") == "white mug number 3"
    assert own.title("unheard") == "unheard"


def test_readiness_starts_the_work_and_never_waits_for_it(home):
    with plait.open(home) as shop:
        assert shop.readiness() == ["the log is being read"]
        until(lambda: shop.readiness() == [])
        seen = []
        shop.watch = lambda stage, seconds: seen.append(stage)
        shop.recommend("user1")
        assert "popular.score" in seen


def test_an_evaluation_leaves_the_live_bundle_alone(own):
    before = own.info()["bundle"]
    report = own.evaluate("leave-one-out", recipes=[RECIPE], k=[5])
    assert "recall@5" in report.result("fused").metrics
    assert own.info()["bundle"]["id"] == before["id"]
    with pytest.raises(InputError, match="no option 'weather'"):
        own.evaluate("time", weather="rain")


def test_closing_twice_is_fine_and_everything_is_kept(tmp_path):
    fill(tmp_path)
    shop = plait.open(tmp_path)
    shop.post([click("late", "lamp1", id="kept")])
    shop.close()
    shop.close()
    with plait.open(tmp_path) as again:
        assert again.post([click("late", "lamp1", id="kept")])[1][0]["status"] == "duplicate"


def test_askers_writers_and_a_fit_at_the_same_time(home):
    with plait.open(home) as shop, ThreadPoolExecutor(6) as pool:
        shop.start()
        done = threading.Event()

        def ask():
            asked = 0
            while not done.is_set():
                answer = shop.recommend("user1", k=5)
                assert len(set(answer.ids)) == 5
                asked += 1
            return asked

        def write(worker):
            for number in range(20):
                row = click(f"user{number % 5}", f"new{worker}-{number}")
                assert shop.post([row])[1][0]["status"] == "stored"

        askers = [pool.submit(ask) for _ in range(2)]
        for writer in [pool.submit(write, worker) for worker in range(3)]:
            writer.result(30)
        bundle = shop.fit(RECIPE)
        done.set()
        assert all(future.result(30) for future in askers)
        assert shop.recommend("user1").bundle == bundle
        assert shop.info()["items"] == 80
