"""What a shop's own answers showed, evaluated."""

import time

import pytest

import plait
from plait.data.types import Event
from plait.errors import ProtocolError
from plait.eventlog import EventLog
from plait.workspace.evaluate import evaluate
from tests.workspace.workspace_fixtures import DAY, MUGS, RECIPE, START, fill, fitted

SHOWN = ["lamp1", "mug1", "lamp2", "mug2"]
HOUR = 3_600_000_000
ASKED = {"negative": ["answers"], "goal": ["buy"], "test_days": 1 / 24}


def answered(shop, people, *, by_request=True):
    """Everybody is shown two lamps and two mugs and buys the lamps."""
    for person in people:
        answer = shop.rank(f"user{person}", SHOWN)
        assert sorted(answer.ids) == sorted(SHOWN)
        named = {"request_id": answer.request_id} if by_request else {}
        bought = [{"item": lamp, **named} for lamp in SHOWN[::2]]
        other = {"item": "mug2", "request_id": "of another system"}
        looked = {"item": "mug1", "kind": "view", **named}
        rows = [
            {"user": f"user{person}", "kind": "buy", **fields}
            for fields in (*bought, other, looked)
        ]
        shop.post(rows)


def lived(shop, *, by_request=True):
    """Two windows, the second an hour long by one event at its end."""
    answered(shop, range(30), by_request=by_request)
    cut = time.time_ns() // 1000
    answered(shop, range(10, 40), by_request=by_request)
    shop.rank("nobody", SHOWN)  # whoever is unknown is not counted
    shop.post([{"user": "user1", "item": "mug5", "kind": "view", "time": cut + HOUR}])


@pytest.mark.parametrize("by_request", [True, False])
def test_what_answers_showed_and_nobody_took_is_a_miss(tmp_path, by_request):
    with fitted(tmp_path) as shop:
        lived(shop, by_request=by_request)
        report = shop.evaluate("clicks", [RECIPE], **ASKED)
    assert report.protocol.negative == ("answers",)
    assert report.data["queries"] == 30
    assert report.data["targets"] == 120
    assert report.data["clicks"] == 60
    assert report.data["learned_from"] == 120
    assert report.data["interactions"] == 40 * 4 + 60 * 4 + 1
    assert report.result("base-rate").metrics["auc"].value == 0.5
    assert report.result("item-rate").metrics["auc"].value == 1
    assert report.result("item-rate").metrics["gauc"].value == 1


def test_events_that_say_an_item_was_shown_or_skipped_take_nothing(tmp_path):
    with fitted(tmp_path) as shop:
        answered(shop, range(30))
        cut = time.time_ns() // 1000
        for person in range(30):
            answer = shop.rank(f"user{person}", SHOWN)
            events = [("impression", item_id) for item_id in SHOWN] + [
                ("skip", "mug1"),
                ("buy", "lamp1"),
            ]
            row = {"user": f"user{person}", "request_id": answer.request_id}
            shop.post([{**row, "kind": kind, "item": item_id} for kind, item_id in events])
        shop.post([{"user": "user1", "item": "mug5", "kind": "view", "time": cut + HOUR}])
        report = shop.evaluate("clicks", [RECIPE], negative=["answers"], test_days=1 / 24)
    assert report.protocol.goal == ("buy", "view")
    assert (report.data["clicks"], report.data["targets"]) == (30, 120)


def test_the_same_after_the_shop_was_closed(tmp_path):
    with fitted(tmp_path) as shop:
        lived(shop)
        first = shop.evaluate("clicks", [RECIPE], **ASKED)
    with plait.open(tmp_path) as shop:
        second = shop.evaluate("clicks", [RECIPE], **ASKED)
    assert first.data["fingerprint"] == second.data["fingerprint"]
    assert first.result("fused").metrics == second.result("fused").metrics


@pytest.mark.parametrize("settings", [{}, {"impressions": False}])
def test_without_recorded_answers_there_is_nothing_to_measure(tmp_path, settings):
    with fitted(tmp_path, **settings) as shop:
        shop.rank("user1" if settings else "nobody", MUGS)
        count = 0 if settings else 1
        with pytest.raises(ProtocolError, match=f"{count} answers are recorded") as error:
            shop.evaluate("clicks", [RECIPE], negative=["answers"])
        assert "impressions = true" in error.value.hint
        with pytest.raises(ProtocolError, match=f"{count} answers are recorded"):
            shop.tune(RECIPE, "clicks", metric="auc", negative=["answers"])


def test_answers_that_wait_are_stored_where_they_are_measured_alone(tmp_path):
    fill(tmp_path)
    asked = []
    with EventLog.open(tmp_path) as log:
        options = {
            "history": tmp_path / "looks.jsonl",
            "progress": lambda *_told: None,
            "load_bundle": lambda name: pytest.fail(f"no bundle {name} is measured"),
        }
        evaluate(log, "time", [RECIPE], {}, flush=lambda: asked.append("time"), **options)
        with pytest.raises(ProtocolError, match="0 answers are recorded"):
            evaluate(
                log, "clicks", [RECIPE], ASKED, flush=lambda: asked.append("clicks"), **options
            )
    assert asked == ["clicks"]


def test_answers_that_nobody_took_from_are_refused(tmp_path):
    with fitted(tmp_path) as shop:
        for person in range(30):
            shop.rank(f"user{person}", SHOWN)
        last = time.time_ns() // 1000 + HOUR
        shop.post([{"user": "user1", "item": "mug5", "kind": "view", "time": last}])
        with pytest.raises(ProtocolError, match="0 clicks and 120 misses") as error:
            shop.evaluate("clicks", [RECIPE], negative=["answers"], test_days=1)
        assert "request_id" in error.value.hint


def test_a_kind_of_that_name_is_refused(tmp_path):
    fill(tmp_path)
    with EventLog.open(tmp_path) as log:
        log.append([Event("interaction", "a", "answers", "user1", "mug5", START + DAY)])
    with (
        plait.open(tmp_path) as shop,
        pytest.raises(ProtocolError, match="'answers' are in the log"),
    ):
        shop.evaluate("clicks", [RECIPE], negative=["answers"])
