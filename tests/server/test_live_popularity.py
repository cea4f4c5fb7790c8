"""A hundred purchases by a hundred users move the lists of strangers within a second."""

import time

from tests.server.fixtures import ids


def test_purchases_move_the_list_of_a_stranger_within_a_second(client):
    listed = ids(client.post("/v1/recommend", json={"user": "stranger", "k": 100}))
    slow = listed[-1]
    rows = [{"kind": "purchase", "user": f"buyer-{n}", "item": slow} for n in range(100)]
    for start in (0, 50):
        client.post("/v1/events", json={"events": rows[start : start + 50]}).raise_for_status()
    posted = time.monotonic()
    while ids(client.post("/v1/recommend", json={"user": "another", "k": 3}))[0] != slow:
        assert time.monotonic() - posted < 1
    answer = client.post("/v1/recommend", json={"filter": 'category == "no such"', "k": 3})
    assert ids(answer) == []


def test_a_list_longer_than_what_models_find_is_filled_over_http(client):
    client.put("/v1/items/just-here", json={"title": "zzz", "price": 12345}).raise_for_status()
    items = client.post("/v1/recommend", json={"filter": "price == 12345", "k": 3}).json()["items"]
    assert [item["id"] for item in items] == ["just-here"]
    assert items[0]["filled"] is True
    assert items[0]["score"] is None
    assert items[0]["reasons"][0]["model"] == "newest"
    assert items[0]["reasons"][0].keys() >= {"model", "rank", "because", "fact", "text", "key"}
