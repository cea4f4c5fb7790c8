"""What the routes answer, over a real server and a real home."""

import pytest

from tests.polling import until
from tests.server.fixtures import LAMPS, MUGS, ids

SHAPE = {"request_id", "bundle", "version", "worker", "items", "degraded"}


def view(user, item, **more):
    return {"kind": "view", "user": user, "item": item, **more}


def post(client, *rows):
    return client.post("/v1/events", json={"events": list(rows)}).json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/recommend", {"user": "person-3", "k": 3}),
        ("/v1/recommend", {"k": 3}),
        ("/v1/recommend", {"user": "never seen", "history": ["lamp-1"], "k": 3}),
        ("/v1/recommend", {"user": "person-3", "context": {"device": "phone"}, "k": 3}),
        ("/v1/search", {"text": "red", "k": 3}),
        ("/v1/search", {"text": "red", "user": "person-3", "k": 3}),
        ("/v1/similar", {"item": "lamp-2", "k": 3}),
        ("/v1/rank", {"user": "person-3", "items": ["mug-1", "lamp-7", "lamp-6"]}),
    ],
)
def test_every_answer_has_one_shape(client, path, body):
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert set(content) == SHAPE
    assert 1 <= len(content["items"]) <= 3
    for item in content["items"]:
        assert set(item) == {"id", "score", "reasons"}
        assert item["reasons"]
    assert len(set(ids(answer))) == len(ids(answer))


def test_lamps_for_who_buys_lamps(client):
    assert set(ids(client.post("/v1/recommend", json={"user": "person-2", "k": 3}))) <= set(LAMPS)
    assert set(ids(client.post("/v1/recommend", json={"user": "person-14", "k": 3}))) <= set(MUGS)
    body = {"user": "stranger", "history": ["mug-1", "mug-3"], "k": 3}
    assert set(ids(client.post("/v1/recommend", json=body))) <= set(MUGS)


def test_words_filters_and_exclusions(client):
    assert ids(client.post("/v1/search", json={"text": "red mug"}))[0] == "mug-0"
    body = {"user": "person-2", "filter": "price < 10", "exclude": ["mug-1"], "k": 16}
    item_ids = set(ids(client.post("/v1/recommend", json=body)))
    assert item_ids
    assert item_ids <= set(MUGS) - {"mug-1"}


def test_more_than_there_is(client):
    assert len(ids(client.post("/v1/recommend", json={"k": 1000}))) <= 16


def test_next_repeats_nothing(client):
    first = client.post("/v1/recommend", json={"k": 4})
    second = client.post("/v1/next", json={"request_id": first.json()["request_id"], "k": 4})
    assert second.status_code == 200
    assert second.json()["items"]
    assert not set(ids(first)) & set(ids(second))


def test_why(client):
    answer = client.post("/v1/recommend", json={"user": "person-5", "k": 2}).json()
    why = client.get(f"/v1/requests/{answer['request_id']}")
    assert why.status_code == 200
    assert why.json()["request_id"] == answer["request_id"]
    shown = [item["id"] for item in why.json()["items"]]
    assert shown == [item["id"] for item in answer["items"]]


def test_rows_get_a_status_each_and_can_be_sent_again(client):
    rows = [
        view("anna", "lamp-1", id="row-1", time="2026-01-02T03:04:05Z"),
        view("anna", "lamp-1", id="row-1", time="2026-01-02T03:04:05Z"),
        view("anna", "lamp-2", id="row-1", time="2026-01-02T03:04:05Z"),
        {"id": "row-2", "kind": "view", "user": "anna", "colour": 1},
        "no row at all",
        view("anna", "never described", id="row-3"),
    ]
    statuses = [row["status"] for row in post(client, *rows)["rows"]]
    assert statuses[:4] == ["stored", "duplicate", "conflict", "rejected"]
    assert statuses[4:] == ["rejected", "stored"]
    again = post(client, *rows)
    assert [row["status"] for row in again["rows"]] == [
        *("duplicate", "duplicate", "conflict"),
        *("rejected", "rejected", "duplicate"),
    ]
    for row in again["rows"]:
        assert set(row) == {"id", "status", "error"}
        assert bool(row["error"]) == (row["status"] in ("conflict", "rejected"))


def test_an_empty_batch(client):
    assert post(client)["rows"] == []


def test_an_event_changes_the_next_answer(client):
    before = ids(client.post("/v1/recommend", json={"user": "fresh", "k": 3}))
    version = post(client, view("fresh", "mug-4"), view("fresh", "mug-5"))["version"]
    answer = client.post("/v1/recommend", json={"user": "fresh", "k": 3, "at_least": version})
    assert answer.json()["version"] >= version
    assert answer.json()["degraded"] == []
    assert ids(answer) != before
    assert set(ids(answer)) <= set(MUGS)


def test_a_version_that_never_comes_is_stale(client):
    answer = client.post("/v1/recommend", json={"at_least": 10**12})
    assert answer.status_code == 200
    assert "stale" in answer.json()["degraded"]
    assert answer.json()["items"]


@pytest.mark.parametrize(
    "outside",
    [
        "a/b",
        "a//b",
        "/",
        "with space",
        "😀",
        "שלום",
        "100%",
        "%2F",
        "?x=1#y",
        ".hidden",
        "a\u202eb",
    ],
)
@pytest.mark.parametrize("kind", ["items", "users"])
def test_any_id_can_be_put_patched_read_and_deleted(client, kind, outside):
    from urllib.parse import quote

    path = f"/v1/{kind}/{quote(outside, safe='')}"
    put = client.put(path, json={"title": "one", "colour": "red"})
    assert put.status_code == 200, put.text
    assert put.json()["id"] == outside
    assert client.patch(path, json={"title": "two", "colour": None}).status_code == 200
    got = client.get(path).json()
    assert got["id"] == outside
    assert got["fields"] == {"title": "two"}
    assert got["version"] > put.json()["version"]
    assert client.delete(path).status_code == 200
    assert client.get(path).status_code == 404


def test_a_new_item_is_found_recommended_and_gone_again(client):
    fields = {"title": "turquoise zeppelin mug", "category": "mugs", "price": 3.0}
    client.put("/v1/items/new-mug", json=fields)
    until(lambda: "new-mug" in ids(client.post("/v1/search", json={"text": "zeppelin"})))
    until(lambda: "new-mug" in ids(client.post("/v1/similar", json={"item": "mug-1", "k": 16})))
    body = {"user": "person-15", "k": 16}
    until(lambda: "new-mug" in ids(client.post("/v1/recommend", json=body)))
    client.delete("/v1/items/new-mug")
    until(lambda: "new-mug" not in ids(client.post("/v1/search", json={"text": "zeppelin"})))


def test_health_ready_and_info(client):
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/v1/info").json()["version"] >= 120
