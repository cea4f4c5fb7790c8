"""POST /v1/list over a real server."""

import pytest

from tests.server.fixtures import LAMPS, MUGS


def test_pages_of_a_category(client):
    body = {"filter": "price < 10", "sort": "price", "k": 3, "fields": ["price"]}
    listed, pages = [], 0
    while True:
        answer = client.post("/v1/list", json=body)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert set(content) == {"version", "total", "items", "cursor", "counts", "degraded"}
        listed += content["items"]
        pages += 1
        if content["cursor"] is None:
            break
        body["cursor"] = content["cursor"]
    assert {item["id"] for item in listed} <= set(MUGS)
    assert len(listed) == content["total"]
    assert pages == -(-len(listed) // 3)
    prices = [item["fields"]["price"] for item in listed]
    assert prices == sorted(prices)


def test_counts_and_the_whole_catalogue(client):
    content = client.post("/v1/list", json={"counts": ["category"], "k": 100}).json()
    assert content["total"] == len(content["items"]) == len(LAMPS) + len(MUGS)
    assert sum(entry["count"] for entry in content["counts"]["category"]) == content["total"]


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ({"sort": "colr"}, "sort", 400),
        ({"order": "up"}, "order", 400),
        ({"k": 0}, "k", 400),
        ({"k": "3"}, "k", 400),
        ({"cursor": "%%"}, "cursor", 400),
        ({"filter": "colr == 1"}, "filter", 400),
        ({"usr": "x"}, "usr", 400),
        ({"counts": ["category"] * 21}, "counts", 413),
        ({"exclude": [f"i{n}" for n in range(51)]}, "exclude", 413),
    ],
)
def test_errors_name_the_field(client, body, field, status):
    answer = client.post("/v1/list", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["field"] == field


def test_it_waits_for_a_version(client):
    version = client.put("/v1/items/lamp-0", json={"title": "lamp", "price": 99}).json()["version"]
    content = client.post("/v1/list", json={"at_least": version, "sort": "price", "k": 1}).json()
    assert content["version"] >= version
    assert content["degraded"] == []
    late = client.post("/v1/list", json={"at_least": version + 1000}).json()
    assert late["degraded"] == ["stale"]
