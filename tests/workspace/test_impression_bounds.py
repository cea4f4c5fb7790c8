"""What is remembered of a response is bounded, each and in all; a chain stays exact."""

import pytest

import plait
from plait.eventlog import EventLog, Impression, ImpressionBuffer
from plait.workspace.impression_payload import MAX_BYTES, MAX_DESCRIBED
from tests.workspace.workspace_fixtures import RECIPE, fill

N_ITEMS = 300


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("bounds") / "home"
    fill(home)
    with plait.open(home) as opened:
        rows = [{"id": f"extra{n}", "title": f"pot number {n}"} for n in range(N_ITEMS)]
        rows[0]["description"] = "x" * 900_000
        opened.post_items(rows)
        opened.fit(RECIPE)
        yield opened


def payload_size(shop, response):
    return len(shop.chains.find(response.request_id).payload)


def test_a_long_response_is_remembered_by_ids_behind_the_first(shop):
    response = shop.recommend("user1", k=250)
    why = shop.why(response.request_id)
    assert [item["id"] for item in why["items"]] == response.ids[:MAX_DESCRIBED]
    assert why["more"] == response.ids[MAX_DESCRIBED:]
    assert all(item["reasons"] for item in why["items"])


def test_next_repeats_nothing_of_a_long_response(shop):
    first = shop.recommend("user1", k=250)
    second = shop.next(first.request_id, k=1000)
    assert not set(first.ids) & set(second.ids)
    assert len(first) + len(second) == N_ITEMS + 16


def test_unknown_ids_of_a_query_are_counted(shop):
    unknown = [f"unknown-{n}" for n in range(9_999)]
    response = shop.recommend("user1", k=5, exclude=["lamp1", *unknown], history=["x", "lamp2"])
    why = shop.why(response.request_id)
    assert why["query"]["exclude"] == ["lamp1"]
    assert why["query"]["history"] == ["lamp2"]
    assert why["unknown"] == {"exclude": 9_999, "history": 1}
    assert payload_size(shop, response) < 10_000


def test_long_fields_of_items_are_not_remembered(shop):
    response = shop.recommend("user1", k=1000, fields=["*"])
    assert len(response.items_json) > MAX_BYTES > payload_size(shop, response)
    assert "fields" not in shop.why(response.request_id)["items"][0]
    short = shop.recommend("user1", k=3, fields=["title"])
    assert shop.why(short.request_id)["items"][0]["fields"] == short.items[0].fields


def impression(number):
    return Impression(f"{number:032}", number, -1, "recommend", "b", 1, "x" * 10_000)


def test_the_oldest_impressions_beyond_the_bound_are_deleted(tmp_path):
    with EventLog.open(tmp_path) as log:
        log.add_impressions([impression(number) for number in range(100)])
        buffer = ImpressionBuffer(
            log.add_impressions, log.impression, bound=log.bound_impressions, most_bytes=500_000
        )
        buffer.add(impression(100))
        buffer.close()
        times = [row.time for row in log.impressions()]
        assert times == list(range(101 - len(times), 101))
        assert 45 <= len(times) <= 50
        assert buffer.pruned == 101 - len(times)
        assert log.bound_impressions(10_000_000) == 0


def test_the_bound_is_a_setting(tmp_path):
    fill(tmp_path)
    with plait.open(tmp_path, impressions_mb=1) as small:
        small.fit(RECIPE)
        for _ in range(150):
            small.recommend("user1", context={"page": "x" * 16_000})
        small.chains.rows.flush()
        small.chains.rows.flush()
        assert small.vitals()["impressions_pruned"] > 0
