"""One error shape on every route, and nothing of our insides in it."""

import http.client
import socket

import pytest

from plait.server.http.app import all_routes
from tests.server.fixtures import KEY
from tests.server.test_auth import ROUTES, address, name

ASKING = [entry for entry in ROUTES if entry.body is not None or entry.free]


def assert_shape(answer, status=None):
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "hint", "field"}
    assert all(isinstance(value, str) for value in body["error"].values())
    assert body["error"]["code"]
    assert body["error"]["message"]
    assert "Traceback" not in answer.text
    assert "/site-packages/" not in answer.text
    if status is not None:
        assert answer.status_code == status
    return body["error"]


@pytest.mark.parametrize("route", ASKING, ids=name)
@pytest.mark.parametrize(
    "raw", [b"", b"nonsense", b"[]", b'"x"', b"\xff", b'{"a": NaN}', b'{"a":' * 5000]
)
def test_a_body_that_is_no_object(client, route, raw):
    answer = client.request(route.method, address(route), content=raw)
    assert assert_shape(answer, 400)["field"] == "body"


@pytest.mark.parametrize("route", [entry for entry in ASKING if not entry.free], ids=name)
def test_an_unknown_field_is_named(client, route):
    answer = client.request(route.method, address(route), json={"usr": "x"})
    assert assert_shape(answer, 400)["field"] == "usr"


@pytest.mark.parametrize("route", ASKING, ids=name)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_above_the_limit(client, route, announced):
    raw = b'{"a": "' + b"x" * 200_000 + b'"}'
    content = raw if announced else iter([raw[:70_000], raw[70_000:140_000], raw[140_000:]])
    answer = client.request(route.method, address(route), content=content)
    assert "100000 bytes" in assert_shape(answer, 413)["message"]


def test_the_server_goes_on_after_a_body_above_the_limit(client):
    for _ in range(3):
        client.put("/v1/items/x", content=b"x" * 500_000)
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/v1/item", "/v1/recommend/x", "/v1/requests/a/b"])
def test_no_such_route(client, path):
    assert_shape(client.get(path), 404)


@pytest.mark.parametrize("path", sorted({address(entry) for entry in all_routes()}))
def test_a_method_that_a_route_does_not_know(client, path):
    answer = client.request("OPTIONS", path)
    assert_shape(answer, 405)
    assert answer.headers["allow"]


def test_a_batch_above_the_limit(client):
    row = {"kind": "view", "user": "a", "item": "lamp-1"}
    answer = client.post("/v1/events", json={"events": [row] * 51})
    assert assert_shape(answer, 413)["field"] == "events"
    for path in ("/v1/recommend", "/v1/search", "/v1/similar"):
        more = {"/v1/search": {"text": "lamp"}, "/v1/similar": {"item": "lamp-1"}}.get(path, {})
        answer = client.post(path, json={"exclude": ["a"] * 51, **more})
        assert assert_shape(answer, 413)["field"] == "exclude"
    answer = client.post("/v1/rank", json={"items": ["a"] * 51})
    assert assert_shape(answer, 413)["field"] == "items"


@pytest.mark.parametrize(
    "path", ["/v1/items/", "/v1/users/", "/v1/items/%FF", "/v1/items/a%C3", "/v1/users/a%00"]
)
def test_paths_without_a_proper_id(client, path):
    assert assert_shape(client.get(path), 400)["field"] == "id"


def test_a_filter_that_does_not_parse(client):
    answer = client.post("/v1/recommend", json={"filter": "category == "})
    assert assert_shape(answer, 400)["code"] == "bad_filter"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/items/nobody-knows", None),
        ("PATCH", "/v1/items/nobody-knows", {}),
        ("DELETE", "/v1/items/nobody-knows", None),
        ("GET", "/v1/users/nobody-knows", None),
        ("DELETE", "/v1/users/nobody-knows", None),
        ("GET", "/v1/requests/nobody-knows", None),
        ("POST", "/v1/next", {"request_id": "nobody-knows"}),
        ("POST", "/v1/similar", {"item": "nobody-knows"}),
    ],
)
def test_ids_nobody_has_heard_of(client, method, path, body):
    assert assert_shape(client.request(method, path, json=body), 404)["hint"]


def test_what_is_no_http_harms_nobody(client):
    host, port = client.base_url.host, client.base_url.port
    for raw in (b"\x00\x01\x02\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"GET\r\n\r\n"):
        with socket.create_connection((host, port), timeout=10) as connection:
            connection.sendall(raw)
            connection.recv(1000)
    assert client.get("/health").status_code == 200


def test_a_client_that_leaves_in_the_middle_harms_nobody(client):
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
    connection.putrequest("POST", "/v1/recommend")
    connection.putheader("x-api-key", KEY)
    connection.putheader("content-length", "1000")
    connection.endheaders(b'{"user":')
    connection.close()
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("time", ["soon", "", "2026-13-01", True, [], {}, 10**30, float(10**300)])
@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/search", "/v1/similar", "/v1/rank"])
def test_a_context_whose_time_is_none(client, path, time):
    more = {"/v1/search": {"text": "lamp"}, "/v1/similar": {"item": "lamp-1"}}.get(path, {})
    more |= {"items": ["lamp-1"]} if path == "/v1/rank" else {}
    answer = client.post(path, json={"context": {"time": time}, **more})
    assert assert_shape(answer, 400)["field"] == "context.time"


@pytest.mark.parametrize("time", ["2026-01-02T03:04:05Z", "2026-01-02", 1767323045, 1767323045.5])
def test_the_time_of_a_context_is_when_it_is_asked(client, time):
    answer = client.post("/v1/recommend", json={"context": {"time": time}}).json()
    asked = client.get(f"/v1/requests/{answer['request_id']}").json()["query"]["time"]
    assert asked // 86_400_000_000 == 20_455  # 2026-01-02
    again = client.post("/v1/next", json={"request_id": answer["request_id"], "k": 1}).json()
    asked_again = client.get(f"/v1/requests/{again['request_id']}").json()["query"]["time"]
    assert asked_again == asked


@pytest.mark.parametrize(
    ("path", "field", "body"),
    [
        ("/v1/recommend", "user", {"user": "u" * 10_000}),
        ("/v1/recommend", "exclude", {"exclude": ["u" * 513]}),
        ("/v1/recommend", "history", {"history": ["u" * 513]}),
        ("/v1/rank", "items", {"items": ["u" * 513]}),
        ("/v1/recommend", "context", {"context": {"note": "x" * 70_000}}),
    ],
)
def test_what_would_fill_the_store_is_refused(client, path, field, body):
    assert assert_shape(client.post(path, json=body), 413)["field"] == field


def test_ids_that_could_be_in_the_log_are_asked_about(client):
    assert client.post("/v1/recommend", json={"user": "u" * 512}).status_code == 200
