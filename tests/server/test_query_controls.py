"""What a body may ask beside its filter, many users at once, merges, and bulk items over HTTP."""

import json

import httpx
import pytest

from tests.server.fixtures import INGEST, LAMPS, MUGS, READ, bearer, ids, served

NDJSON = {"content-type": "application/x-ndjson"}


def lines(*rows):
    return b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)


@pytest.fixture
def shop(home):
    """A client of a server over a home of the test's own."""
    with served(home, batch_limit=50) as http_client:
        yield http_client


def test_seen_boosts_pins_and_fields(client):
    bought = [f"lamp-{(3 + step) % 8}" for step in range(5)]
    body = {"user": "person-3", "k": 16}
    assert not set(ids(client.post("/v1/recommend", json=body))) & set(bought)
    for seen in ("keep", ["view"], {"exclude": ["view"]}, {"days": 2}):
        answer = client.post("/v1/recommend", json={**body, "seen": seen})
        assert set(bought) <= set(ids(answer)), seen
    boosted = {"k": 3, "boosts": [{"filter": 'category == "mugs"', "factor": 1000}]}
    assert set(ids(client.post("/v1/recommend", json=boosted))) <= set(MUGS)
    pinned = {"k": 3, "pins": [{"item": "mug-7", "position": 2}]}
    assert ids(client.post("/v1/recommend", json=pinned))[1] == "mug-7"
    item = client.post("/v1/recommend", json={"k": 1, "fields": ["title"]}).json()["items"][0]
    assert set(item) == {"id", "score", "reasons", "fields"}
    assert set(item["fields"]) == {"title"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"seen": "sometimes"}, "seen"),
        ({"seen": {"cooldown": [{"days": 3}]}}, "seen.cooldown.0.filter"),
        ({"boosts": [{"filter": "price <", "factor": 2}]}, "boosts.0.filter"),
        ({"boosts": [{"filter": "price < 2", "factor": "2"}]}, "boosts.0.factor"),
        ({"pins": [{"item": "a", "position": 1}, {"item": "b", "position": 1}]}, "pins.1.position"),
        ({"fields": ["nothing"]}, "fields"),
        ({"session": 3.5}, "session"),
        ({"group_by": 3}, "group_by"),
    ],
)
def test_a_wrong_control_is_400_and_names_its_part(client, body, field):
    answer = client.post("/v1/recommend", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["field"] == field


def test_similar_takes_several_anchors_and_kinds(client):
    body = {"items": ["lamp-1", "lamp-2"], "event_types": ["purchase"], "k": 4}
    answer = client.post("/v1/similar", json=body)
    assert answer.status_code == 200, answer.text
    assert set(ids(answer)) <= set(LAMPS) - {"lamp-1", "lamp-2"}
    reason = answer.json()["items"][0]["reasons"][0]
    assert (reason["model"], reason["rank"]) == ("companions", 1)
    assert reason["users"] > 1
    assert client.post("/v1/similar", json={"k": 3}).json()["error"]["field"] == "item"
    unknown = client.post("/v1/similar", json={"items": ["lamp-1", "nope"]})
    assert (unknown.status_code, unknown.json()["error"]["field"]) == (404, "items")


def test_similar_to_a_deleted_item_and_its_rank(shop):
    assert shop.delete("/v1/items/mug-3").status_code == 200
    assert shop.post("/v1/similar", json={"item": "mug-3"}).status_code == 404
    ranked = shop.post("/v1/rank", json={"items": ["mug-3", "who", "lamp-1"]}).json()["items"]
    assert [(item["id"], item.get("status")) for item in ranked] == [
        ("lamp-1", None),
        ("mug-3", "deleted"),
        ("who", "unknown"),
    ]
    assert [item["score"] is None for item in ranked] == [False, True, True]


def test_many_users(client):
    users = [f"person-{n % 24}" for n in range(70)] + ["nobody", 17850]
    answer = client.post("/v1/recommend/batch", json={"users": users, "k": 3})
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert set(content) == {"bundle", "version", "worker", "responses"}
    assert [row["user"] for row in content["responses"]] == [str(user) for user in users]
    for row in content["responses"][::10]:
        assert set(row) == {"user", "request_id", "items", "degraded"}
        alone = client.post("/v1/recommend", json={"user": row["user"], "k": 3})
        assert [item["id"] for item in row["items"]] == ids(alone)
    request_id = content["responses"][0]["request_id"]
    assert client.get(f"/v1/requests/{request_id}").json()["user"] == "person-0"
    more = client.post("/v1/next", json={"request_id": request_id, "k": 2})
    assert not set(ids(more)) & {item["id"] for item in content["responses"][0]["items"]}
    late = client.post("/v1/recommend/batch", json={"users": ["a"], "at_least": 10**9}).json()
    assert late["responses"][0]["degraded"] == ["stale"]
    for wrong, status in (({"users": []}, 400), ({"users": ["a"] * 1001}, 413), ({}, 400)):
        answer = client.post("/v1/recommend/batch", json=wrong)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, "users")


def test_a_session_becomes_a_customer_and_back(shop):
    rows = [{"kind": "view", "session": "s1", "item": item} for item in MUGS[:3]]
    posted = shop.post("/v1/events", json={"events": rows})
    assert {row["status"] for row in posted.json()["rows"]} == {"stored"}
    session = {"session": "s1", "k": 16}
    assert not set(ids(shop.post("/v1/recommend", json=session))) & set(MUGS[:3])
    both = {"user": "person-3", "session": "s1", "k": 16}
    assert not set(ids(shop.post("/v1/recommend", json=both))) & {*MUGS[:3], "lamp-3"}
    person = {"user": "person-3", "k": 16}
    assert set(MUGS[:3]) <= set(ids(shop.post("/v1/recommend", json=person)))
    merged = shop.post("/v1/users/merge", json={"from": "session:s1", "into": "person-3"})
    assert merged.json() == {
        "from": "session:s1",
        "into": "person-3",
        "version": merged.json()["version"],
    }
    assert not set(ids(shop.post("/v1/recommend", json=person))) & set(MUGS[:3])
    other = shop.post("/v1/users/merge", json={"from": "session:s1", "into": "person-4"})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "conflict")
    assert shop.post("/v1/users/unmerge", json={"from": "session:s1"}).status_code == 200
    assert shop.post("/v1/users/unmerge", json={"from": "session:s1"}).status_code == 404
    assert set(MUGS[:3]) <= set(ids(shop.post("/v1/recommend", json=person)))
    # A user may be called "merge" all the same.
    assert shop.put("/v1/users/merge", json={"city": "Wien"}).status_code == 200
    assert shop.get("/v1/users/merge").json()["fields"] == {"city": "Wien"}


def test_scopes(client):
    merge = {"from": "a", "into": "b"}
    for path, body in (("/v1/users/merge", merge), ("/v1/items", {"items": []})):
        answer = client.post(path, json=body, headers=bearer(READ))
        assert answer.status_code == 403
    batch = {"users": ["person-1"]}
    answer = client.post("/v1/recommend/batch", json=batch, headers=bearer(INGEST))
    assert answer.status_code == 403


def test_bulk_items_as_lines(shop):
    body = lines(
        {"id": "vase", "title": "Blue vase", "category": "vases", "price": 25},
        {"id": "lamp-1", "op": "merge", "fields": {"price": 1}},
        {"id": "mug-7", "op": "delete"},
        b"{broken",
        {"id": "nope", "op": "merge", "fields": {"price": 1}},
        {"id": "nope", "op": "delete"},
        {"op": "upsert", "title": "no id"},
        {"id": "bowl", "op": "replace", "title": "Bowl"},
        {"id": "bowl", "title": "Bowl", "price": "dear"},
        {"id": "bowl", "fields": {"title": "Bowl"}, "price": 3},
        {"id": "vase", "op": "merge", "material": "glass"},
        {"id": 4711, "op": "upsert", "fields": {"title": "Number"}},
        {"id": "vase-2", "title": "Other vase"},
        {"id": "vase-2", "op": "delete"},
        {"id": "vase-2", "op": "patch", "price": 3},
    )
    answer = shop.post("/v1/items", content=body, headers=NDJSON)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["rows"]
    expected = "stored stored stored rejected rejected rejected rejected rejected rejected rejected"
    expected += " stored stored stored stored rejected"
    assert [row["status"] for row in rows] == expected.split()
    fields = [row["error"].partition(":")[0] for row in rows if row["status"] == "rejected"]
    assert fields[1:] == ["id", "id", "id", "op", "price", "fields", "id"]
    assert [row["id"] for row in rows[:3]] == ["vase", "lamp-1", "mug-7"]
    vase = shop.get("/v1/items/vase").json()["fields"]
    assert (vase["title"], vase["price"], vase["material"]) == ("Blue vase", 25, "glass")
    assert shop.get("/v1/items/lamp-1").json()["fields"]["title"] == "green lamp"
    assert shop.get("/v1/items/4711").json()["fields"] == {"title": "Number"}
    assert shop.get("/v1/items/mug-7").status_code == 404
    assert ids(shop.post("/v1/search", json={"text": "blue vase", "k": 1})) == ["vase"]


def test_bulk_items_as_one_object(shop):
    rows = [{"id": "vase", "fields": {"title": "Blue vase"}}, 3, {"id": "", "title": "x"}]
    answer = shop.post("/v1/items", json={"items": rows}).json()
    assert [row["status"] for row in answer["rows"]] == ["stored", "rejected", "rejected"]
    assert shop.post("/v1/items", json={"items": []}).json()["rows"] == []
    for body, status, field in (
        ({"items": {}}, 400, "items"),
        ({"item": []}, 400, "item"),
        ({"items": [{"id": "a"}] * 51}, 413, "items"),
    ):
        answer = shop.post("/v1/items", json=body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
    many = shop.post("/v1/items", content=lines(*[{"id": "a"}] * 51), headers=NDJSON)
    assert (many.status_code, many.json()["error"]["field"]) == (413, "items")


def test_the_document_describes_the_new_bodies(client: httpx.Client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert {"seen", "boosts", "pins", "fields", "session", "group_by"} <= set(
        schemas["Recommend"]["properties"]
    )
    assert set(schemas["Merge"]["properties"]) == {"from", "into"}
    assert set(schemas["BoostModel"]["properties"]) == {"filter", "factor"}
    assert "users" in schemas["RecommendBatch"]["required"]
