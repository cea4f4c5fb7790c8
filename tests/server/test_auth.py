"""No route but the open ones answers without a key, and no key does more than its scope says."""

import httpx
import pytest

from plait.server.http.app import all_routes
from plait.server.http.auth import OPEN_PATHS
from tests.server.fixtures import INGEST, KEY, READ, bearer

ROUTES = all_routes()
KEYS = {"read": READ, "ingest": INGEST, "admin": KEY}


def address(route):
    path = route.path.replace("{id:text}", "lamp-1")
    return path.replace("{request_id}", "unheard-of")


def name(route):
    return f"{route.method} {route.path}"


@pytest.fixture(scope="module")
def stranger(client):
    with httpx.Client(base_url=client.base_url) as anonymous:
        yield anonymous


def test_the_open_paths_are_the_open_routes():
    assert {route.path for route in ROUTES if route.permission == "open"} == OPEN_PATHS


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_without_a_key(stranger, route):
    answer = stranger.request(route.method, address(route))
    assert (answer.status_code == 401) == (route.permission != "open")
    if route.permission != "open":
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("route", ROUTES, ids=name)
@pytest.mark.parametrize("scope", ["read", "ingest"])
def test_with_the_key_of_a_scope(stranger, route, scope):
    answer = stranger.request(route.method, address(route), headers=bearer(KEYS[scope]))
    refused = route.permission not in ("open", scope)
    assert (answer.status_code == 403) == refused
    if refused:
        assert route.permission in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/recommend", "/docs/", "//health"])
def test_what_does_not_exist_needs_a_key_too(stranger, client, path):
    assert stranger.get(path).status_code == 401
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "wrong"},
        {"x-api-key": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \t."},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": "Bearer wrong", "x-api-key": KEY},
        {"authorization": f"Bearer {KEY}x"},
    ],
)
def test_wrong_keys(stranger, headers):
    assert stranger.get("/v1/info", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"X-API-Key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"authorization": "Basic of-a-proxy", "x-api-key": KEY},
    ],
)
def test_right_keys(stranger, headers):
    assert stranger.get("/v1/info", headers=headers).status_code == 200


def test_keys_in_the_address_count_for_nothing(stranger):
    assert stranger.get("/v1/info", params={"key": KEY, "api_key": KEY}).status_code == 401


def test_a_wrong_key_is_told_apart_from_none(stranger):
    for headers in ({"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        error = stranger.get("/v1/info", headers=headers).json()["error"]
        assert error["message"] == "this key is unknown"
        assert error["field"] == "authorization"
        assert "wrong" not in error["message"] + error["hint"]
    for headers in ({}, {"x-api-key": ""}, {"authorization": "Basic abc"}):
        error = stranger.get("/v1/info", headers=headers).json()["error"]
        assert error["message"] == "this needs a key"
