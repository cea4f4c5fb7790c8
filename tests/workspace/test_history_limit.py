"""The setting `history_limit`: models see the newest events, rules know all of them."""

import pytest

import plait
from plait.utils.timestamps import DAY
from tests.workspace.workspace_fixtures import LAMPS, MUGS, START, fitted


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("limited") / "home"
    fitted(home).close()
    with plait.open(home, history_limit=3) as limited:
        rows = [
            {"user": "crawler", "item": item, "kind": "view", "time": (START + n * DAY) / 1e6}
            for n, item in enumerate([*LAMPS[:8], *LAMPS[:8]])
        ]
        hidden = {"user": "crawler", "item": "mug3", "kind": "hide", "time": START / 1e6}
        bought = {"user": "crawler", "item": "mug4", "kind": "buy", "time": START / 1e6}
        _, statuses = limited.post([hidden, bought, *rows])
        assert {row["status"] for row in statuses} == {"stored"}
        yield limited


def history_of(shop, **fields):
    from plait.data.types import Query

    batch, _ = shop.host.serving().run([Query(user="crawler", **fields)])
    return [shop.host.state().catalogue.ids[item] for item in batch.history.items]


def test_models_see_the_newest_events_alone(shop):
    assert history_of(shop) == ["lamp5", "lamp6", "lamp7"]
    assert history_of(shop, history=("mug1",)) == ["lamp5", "lamp6", "lamp7", "mug1"]


def test_seen_and_hidden_items_stay_out_however_long_ago(shop):
    expected = {*LAMPS[8:], *MUGS} - {"mug3", "mug4"}
    assert set(shop.recommend("crawler", k=30).ids) == expected
    batch = shop.recommend_many(["crawler", "user1", "crawler"], k=30)
    assert [set(batch[row].ids) for row in (0, 2)] == [expected, expected]


def test_rules_by_event_type_reach_beyond_the_limit(shop):
    shown_ids = shop.recommend("crawler", k=30, seen=["buy"]).ids
    assert "mug4" not in shown_ids
    assert set(LAMPS) <= set(shown_ids)


def test_guest_history_of_a_session_counts_beyond_the_limit(shop):
    rows = [{"session": "s1", "item": item, "kind": "view"} for item in MUGS[5:10]]
    shop.post(rows)
    expected = {*LAMPS[8:], *MUGS[:5]} - {"mug3", "mug4"}
    assert set(shop.recommend("crawler", k=30, session="s1").ids) == expected
